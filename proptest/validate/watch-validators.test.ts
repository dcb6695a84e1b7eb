/** Each validator on histories made by hand: it takes the true one and finds what is wrong. */
import { describe, expect, test } from 'vitest'
import { Model } from '../model/model.ts'
import type { Step } from '../model/request.ts'
import { WATCH_VALIDATORS, watchFaults } from './watch-validators.ts'
import type { Promised } from './watch-validators.ts'
import { expectedEvents } from './watch-record.ts'
import type { SeenBatch, SeenEvent, WatchRecord } from './watch-record.ts'

const replay = new Model()

function write(...success: Step[]): void {
  replay.accept(replay.propose({ conditions: [], success, failure: [] }))
}

const put = (key: string, value: string): Step => ({ type: 'put', key, value, lease: 0n })
const del = (key: string): Step => ({ type: 'delete', keys: (one) => one === key })

write(put('a', '1')) // 2
write(put('a', '2'), put('b', '1')) // 3
write(del('a')) // 4
write(put('a', '3')) // 5
write(put('b', '2'), put('c', '1')) // 6
write(put('a', '4')) // 7

/** A watch of every key with everything asked for, and no batch yet. */
function blank(asked: Partial<WatchRecord> = {}): WatchRecord {
  return {
    name: 'w',
    keys: () => true,
    startRevision: 1,
    only: undefined,
    previous: true,
    progress: true,
    registeredAt: replay.revision,
    batches: [],
    drainedTo: undefined,
    overtaken: undefined,
    ...asked,
  }
}

/** A watch that was shown what it is to be shown, each revision in a batch of its own. */
function shown(asked: Partial<WatchRecord> = {}): WatchRecord {
  const record = blank(asked)
  const first = record.startRevision ?? record.registeredAt + 1
  for (let revision = first; revision <= replay.revision; revision++) {
    const events = expectedEvents(record, replay, { first: revision, last: revision })
    const told = events.map((event) => (record.previous ? event : without(event)))
    if (told.length > 0) record.batches.push({ revision, events: told, compacted: 0 })
  }
  record.drainedTo = replay.revision
  return record
}

function without(event: SeenEvent): SeenEvent {
  return { ...event, previous: undefined }
}

/** Its batches changed: those of the true history are of the revisions 2 to 7. */
function changed(change: (batches: SeenBatch[]) => unknown, asked: Partial<WatchRecord> = {}) {
  const record = shown(asked)
  change(record.batches)
  return record
}

/** The events of a batch changed. */
function rewrite(at: number, change: (events: SeenEvent[]) => unknown) {
  return changed((batches) => {
    const batch = batches[at]
    if (batch === undefined) throw new Error('no such batch')
    const events = [...batch.events]
    change(events)
    batches[at] = { ...batch, events }
  })
}

function put5(fields: object): WatchRecord {
  return rewrite(3, (events) => {
    const [event] = events
    if (event?.type === 'put') events[0] = { ...event, row: { ...event.row, ...fields } }
  })
}

const isA = (key: string): boolean => key === 'a'
const overtaken = { requested: 4, compacted: 6 }

const TRUE: Readonly<Record<string, WatchRecord>> = {
  'everything, from the beginning': shown(),
  'one key': shown({ keys: isA }),
  'puts alone': shown({ only: 'put' }),
  'deletes alone, without what was before': shown({ only: 'delete', previous: false }),
  'from the middle': shown({ startRevision: 4 }),
  'from now on': shown({ startRevision: undefined, registeredAt: 4 }),
  'from a revision ahead, and nothing yet': shown({ startRevision: 99 }),
  'two revisions in a batch': changed((batches) => {
    const [first, second] = batches.splice(0, 2)
    const events = [...(first?.events ?? []), ...(second?.events ?? [])]
    batches.unshift({ revision: 3, events, compacted: 0 })
  }),
  'progress after its events': changed(
    (batches) => {
      batches.push({ revision: 7, events: [], compacted: 0 })
    },
    { keys: (key) => key === 'z', drainedTo: undefined },
  ),
  'cut short': { ...changed((batches) => (batches.length = 2)), drainedTo: undefined },
  'overtaken by a compaction': {
    ...changed((batches) => (batches.length = 2)),
    drainedTo: undefined,
    overtaken,
  },
  'without what may be compacted': changed((batches) => {
    for (const [i, batch] of batches.entries()) {
      batches[i] = { ...batch, compacted: 7, events: batch.events.map(without) }
    }
  }),
}

const BROKEN: Readonly<Record<Promised, Readonly<Record<string, WatchRecord>>>> = {
  filter: {
    'another key': { ...shown(), keys: isA },
    'a delete among puts alone': { ...shown(), only: 'put' },
    'what is older than the start': { ...shown(), startRevision: 3 },
    'what is older than now': { ...shown(), startRevision: undefined, registeredAt: 2 },
  },
  ordered: {
    'two batches that changed places': changed((batches) => batches.reverse()),
    'an older revision within a batch': changed((batches) => {
      const [first, second] = batches.splice(0, 2)
      const events = [...(second?.events ?? []), ...(first?.events ?? [])]
      batches.unshift({ revision: 3, events, compacted: 0 })
    }),
  },
  unique: {
    'a batch again': changed((batches) => batches.splice(2, 0, ...batches.slice(1, 2))),
    'an event twice in a batch': rewrite(0, (events) => events.push(...events)),
  },
  atomic: {
    'one revision in two batches': changed((batches) => {
      const [batch] = batches.splice(1, 1)
      if (batch === undefined) return
      const halves = batch.events.map((event) => ({ ...batch, events: [event] }))
      batches.splice(1, 0, ...halves)
    }),
  },
  reliable: {
    'a batch left out': changed((batches) => batches.splice(2, 1)),
    'an event of a revision left out': rewrite(1, (events) => events.pop()),
    'the last ones left out, though it was read to the end': changed((batches) => batches.pop()),
    'nothing at all': { ...blank(), drainedTo: 7 },
    'nothing, and told so': {
      ...blank(),
      batches: [{ revision: 7, events: [], compacted: 0 }],
    },
    'another value': put5({ value: '99' }),
    'another lease': put5({ lease: 7n }),
    'the writes of a revision in another order': rewrite(1, (events) => events.reverse()),
    'the first ones left out, from now on': changed((batches) => batches.shift(), {
      startRevision: undefined,
      registeredAt: 4,
    }),
  },
  resumable: {
    'begun one too late': changed((batches) => batches.shift(), { startRevision: 4 }),
    'begun one too early': { ...shown({ startRevision: 3 }), startRevision: 4 },
    'overtaken, and an event lost on the way': {
      ...changed((batches) => (batches.length = 2)),
      overtaken: { requested: 5, compacted: 6 },
    },
    'overtaken where nothing is compacted': {
      ...changed((batches) => (batches.length = 2)),
      overtaken: { requested: 4, compacted: 4 },
    },
    'overtaken, to begin again behind what was shown': {
      ...changed((batches) => (batches.length = 4)),
      overtaken,
    },
  },
  bookmarkable: {
    'progress ahead of an event': changed((batches) =>
      batches.splice(1, 0, { revision: 5, events: [], compacted: 0 }),
    ),
    'an event above its batch': changed((batches) => {
      batches[0] = { events: [], compacted: 0, ...batches[0], revision: 1 }
    }),
    'progress that goes back': changed((batches) =>
      batches.push({ revision: 7, events: [], compacted: 0 }),
    ),
    'progress beyond the store': changed((batches) =>
      batches.push({ revision: 8, events: [], compacted: 0 }),
    ),
    'progress that nobody asked for': {
      ...blank({ progress: false }),
      batches: [{ revision: 1, events: [], compacted: 0 }],
    },
  },
  previous: {
    'what was there left out': rewrite(5, (events) => {
      events.splice(0, 1, ...events.slice(0, 1).map(without))
    }),
    'left out of a delete': rewrite(2, (events) => {
      events.splice(0, 1, ...events.slice(0, 1).map(without))
    }),
    'compacted only up to itself': changed((batches) => {
      for (const [i, batch] of batches.entries()) {
        batches[i] = { ...batch, compacted: 3, events: batch.events.map(without) }
      }
    }),
    'what an older revision held': rewrite(5, (events) => {
      const [event] = events
      const older = replay.eventsOf(4)[0]?.previous
      if (event !== undefined) events[0] = { ...event, previous: older }
    }),
    'something where there was nothing': rewrite(3, (events) => {
      const [event] = events
      const older = replay.eventsOf(4)[0]?.previous
      if (event !== undefined) events[0] = { ...event, previous: older }
    }),
    'not asked for': { ...shown(), previous: false },
  },
  version: {
    'a creation that is none': rewrite(5, (events) => {
      const [event] = events
      if (event?.type === 'put') {
        events[0] = { ...event, row: { ...event.row, createRevision: 7 } }
      }
    }),
    'a key that was there before it was made': put5({ createRevision: 2 }),
    'a version that goes on over a delete': put5({ version: 3 }),
  },
}

describe('the validators of watches', () => {
  test.each(Object.entries(TRUE))('take what is true: %s', (_, record) => {
    expect(watchFaults(record, replay)).toEqual([])
  })

  for (const [name, cases] of Object.entries(BROKEN)) {
    test.each(Object.entries(cases))(`${name} refuses: %s`, (_, record) => {
      expect(watchFaults(record, replay).join('\n')).toContain(`w: not ${name}: `)
    })
  }

  test('are nine, and each refuses something', () => {
    expect(Object.keys(BROKEN)).toEqual(Object.keys(WATCH_VALIDATORS))
    expect(Object.keys(BROKEN)).toHaveLength(9)
  })
})
