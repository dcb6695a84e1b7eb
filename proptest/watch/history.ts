/** Random histories of writes, watchers and readers, and what each watcher had to see of them. */
import fc from 'fast-check'
import { expect } from 'vitest'
import type { EventBatch } from '../../watch/watcher.ts'
import type { WatchTuning } from '../../watch/watch-hub.ts'
import { rowOf } from '../validate/watch-record.ts'
import type { SeenBatch, WatchRecord } from '../validate/watch-record.ts'
import { watchFaults } from '../validate/watch-validators.ts'
import { settle } from './watched-store.ts'
import type { Change, Consumer, WatchedStore } from './watched-store.ts'

const KEYS = ['a', 'b', 'c', 'd', 'e'] as const

interface Range {
  readonly from: string
  readonly to?: string
}

export type Command =
  | { readonly do: 'write'; readonly changes: readonly Change[] }
  | { readonly do: 'publish'; readonly behind: number }
  | { readonly do: 'turn' }
  | { readonly do: 'compact'; readonly at: number }
  | { readonly do: 'take' | 'end'; readonly which: number; readonly times: number }
  | {
      readonly do: 'watch'
      readonly range: Range
      /** Where it starts, as a share of the revisions there are; undefined: at the next one. */
      readonly at: number | undefined
      readonly only: 'put' | 'delete' | undefined
      readonly wantsPrevious: boolean
      readonly wantsProgress: boolean
    }

const share = fc.double({ min: 0, max: 1.2, noNaN: true })
const key = fc.constantFrom(...KEYS)
const range: fc.Arbitrary<Range> = fc.oneof(
  key.map((from) => ({ from })),
  fc.constant({ from: '' }),
  fc.tuple(key, key).map(([from, to]) => ({ from, to })),
  key.map((from) => ({ from, to: '\0' })),
)

/** Changes of different keys, so that they may stand in one transaction. */
const changes: fc.Arbitrary<readonly Change[]> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .uniqueArray(fc.record({ key, isPut: fc.boolean(), value: fc.string({ maxLength: 8 }) }), {
        minLength: 1,
        maxLength: 4,
        selector: (each) => each.key,
      })
      .map((list) =>
        list.map(({ key: name, isPut, value }): Change =>
          isPut
            ? { type: 'put', key: name, value: Buffer.from(value).toString('latin1') }
            : { type: 'delete', key: name },
        ),
      ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(key, key)
      .map(([from, end]): readonly Change[] => [{ type: 'delete', key: from, end }]),
  },
)

export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('write' as const), changes }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('publish' as const), behind: fc.nat(2) }) },
  { weight: 4, arbitrary: fc.constant({ do: 'turn' } as const) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('compact' as const), at: share }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('take' as const),
      which: fc.nat(5),
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('end' as const),
      which: fc.nat(5),
      times: fc.constant(1),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('watch' as const),
      range,
      at: fc.option(share, { nil: undefined }),
      only: fc.constantFrom(undefined, undefined, 'put' as const, 'delete' as const),
      wantsPrevious: fc.boolean(),
      wantsProgress: fc.boolean(),
    }),
  },
)

export const tuning: fc.Arbitrary<WatchTuning> = fc.record({
  queueBytesMax: fc.constantFrom(100, 500, 1024 * 1024),
  progressRevisions: fc.constantFrom(1, 3, 1000),
  room: fc.record({ rows: fc.integer({ min: 1, max: 5 }), bytes: fc.constantFrom(1, 100, 10_000) }),
})

/** A store, who watches it, and how far those that were ended had come. */
export class Run {
  readonly store: WatchedStore
  readonly consumers: Consumer[] = []
  readonly #ends = new Map<Consumer, number>()
  readonly #compactions: number[] = []

  constructor(store: WatchedStore) {
    this.store = store
  }

  async apply(step: Command): Promise<void> {
    const { store } = this
    switch (step.do) {
      case 'write':
        store.write(step.changes)
        break
      case 'publish':
        store.publish(step.behind)
        break
      case 'turn':
        store.turn()
        break
      case 'compact':
        await this.#compact(Math.ceil(step.at * store.durable))
        break
      case 'take':
        await this.#take(step.which, step.times)
        break
      case 'end':
        this.#end(step.which)
        break
      case 'watch': {
        const { range: keys, at, only, wantsPrevious, wantsProgress } = step
        const start = at === undefined ? 0 : Math.max(1, Math.round(at * store.model.revision))
        const options = { only, wantsPrevious, wantsProgress, startRevision: start }
        this.consumers.push(store.watch({ ...keys, ...options }))
        break
      }
    }
  }

  /** Reads on to the end, and compares. */
  async finish(): Promise<void> {
    const { store, consumers } = this
    store.publish()
    await store.drain(consumers)
    const compactions = this.#compactions
    for (const consumer of consumers) {
      judge(consumer, { store, compactions, end: this.#ends.get(consumer) })
    }
  }

  async #compact(revision: number): Promise<void> {
    const { store } = this
    const last = this.#compactions.at(-1) ?? 0
    if (revision <= last || revision > store.durable || revision < 1) return
    // The model keeps its history; the core's own is judged by where a watcher says it ended.
    this.#compactions.push(revision)
    await store.compact(revision)
  }

  async #take(which: number, times: number): Promise<void> {
    const consumer = this.consumers[which]
    if (consumer === undefined) return
    for (let i = 0; i < times; i++) {
      consumer.ask()
      await settle()
    }
  }

  #end(which: number): void {
    const consumer = this.consumers[which]
    if (consumer === undefined || consumer.watcher.isEnded) return
    this.#ends.set(consumer, consumer.watcher.told)
    consumer.watcher.end()
  }
}

interface Course {
  readonly store: WatchedStore
  /** What it had been told when it was ended; undefined: it was not. */
  readonly end: number | undefined
  readonly compactions: readonly number[]
}

function judge(consumer: Consumer, { store, end, compactions }: Course): void {
  const { request } = consumer.watcher
  const { compactedAt } = consumer
  const last = compactedAt === undefined ? (end ?? store.durable) : compactedAt.next - 1
  const expected = store.expected(request, consumer.start, last)
  // What a key held before is gone where it was compacted before the event was read.
  const isPartial = request.wantsPrevious && compactions.length > 0
  const shown = (lines: readonly string[]): readonly string[] =>
    isPartial ? lines.map((line) => line.replace(/ was .*$/s, '')) : lines
  expect(shown(consumer.seen)).toEqual(shown(expected))
  if (compactedAt !== undefined) {
    expect(compactedAt.next).toBeLessThan(compactedAt.compacted)
    expect(compactions).toContain(compactedAt.compacted)
  } else if (end === undefined) expect(consumer.outcome).toBe('open')
  const record = recordOf(consumer, compactions.at(-1) ?? 0)
  expect(watchFaults({ ...record, drainedTo: last }, store.model)).toEqual([])
}

function recordOf(consumer: Consumer, compacted: number): WatchRecord {
  const { watcher, start, batches, compactedAt } = consumer
  const { startRevision, only, wantsPrevious, wantsProgress } = watcher.request
  return {
    name: 'a watcher',
    keys: consumer.keys,
    startRevision: startRevision === 0 ? undefined : startRevision,
    only,
    previous: wantsPrevious,
    progress: wantsProgress,
    registeredAt: start - 1,
    batches: batches.map((batch) => seenBatch(batch, wantsPrevious, compacted)),
    drainedTo: undefined,
    overtaken:
      compactedAt === undefined
        ? undefined
        : { requested: compactedAt.next, compacted: compactedAt.compacted },
  }
}

function seenBatch(batch: EventBatch, wantsPrevious: boolean, compacted: number): SeenBatch {
  const events = batch.events.map(({ type, revision, kv, previous: before }) => {
    // Others may have asked for it.
    const previous = wantsPrevious && before !== undefined ? rowOf(before) : undefined
    const row = rowOf(kv)
    if (type === 'put') return { type, row, previous } as const
    return { type, key: row.key, modRevision: revision, previous } as const
  })
  return { revision: batch.revision, events, compacted }
}
