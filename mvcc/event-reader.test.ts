import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { KvError } from '../base/errors.ts'
import { openEngine } from '../engine/index.ts'
import type { Engine } from '../engine/index.ts'
import { encodeKeyValue } from '../proto/mvccpb.ts'
import { EventReader } from './event-reader.ts'
import type { SelectedEvent, StepRoom } from './event-reader.ts'
import type { Mvcc } from './mvcc.ts'
import { restore } from './restore.ts'
import { encodeRevisionKey, encodeTombstoneKey } from './revision.ts'
import { createBuckets } from './schema.ts'

const ROOM: StepRoom = { rows: Infinity, bytes: Infinity }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (source: Uint8Array): string => new TextDecoder().decode(source)

let directory: string
let engine: Engine
let mvcc: Mvcc

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'revbolt-events-'))
  engine = await openEngine(join(directory, 'db'))
  engine.update((tx) => {
    createBuckets(tx)
    const rows = tx.bucket('key')
    const row = (key: string, createRevision: number, modRevision: number, version: number) =>
      encodeKeyValue({
        key: bytes(key),
        createRevision,
        modRevision,
        version,
        value: bytes(`${key}${modRevision}`),
        lease: 0n,
      })
    rows?.put(encodeRevisionKey(2, 0), row('a', 2, 2, 1))
    rows?.put(encodeRevisionKey(3, 0), row('a', 2, 3, 2))
    rows?.put(encodeRevisionKey(3, 1), row('b', 3, 3, 1))
    rows?.put(encodeRevisionKey(3, 2), row('c', 3, 3, 1))
    rows?.put(encodeRevisionKey(4, 0), new Uint8Array(0))
    rows?.put(encodeTombstoneKey(6, 0), row('a', 0, 0, 0))
    rows?.put(encodeRevisionKey(6, 1), row('b', 3, 6, 2))
  })
  await load()
})

afterEach(async () => {
  await engine.close()
  rmSync(directory, { recursive: true, force: true })
})

async function load(): Promise<void> {
  const tx = await engine.begin()
  try {
    mvcc = await restore(tx, { file: engine.path, pause: async () => {} })
  } finally {
    tx.rollback()
  }
}

function reader(after: number, wanted = 'abc'): EventReader<string> {
  const match = (key: Uint8Array): string | undefined =>
    wanted.includes(text(key)) ? text(key) : undefined
  return new EventReader({ match, wantsPrevious: (key) => key !== 'c' }, after)
}

function step(events: EventReader<string>, revision: number, room = ROOM): string[] {
  return engine.view((tx) => mvcc.read(tx, revision).events(events, room).map(show))
}

function show({ event, match }: SelectedEvent<string>): string {
  const { type, revision, sub, kv, previous } = event
  const before = previous === undefined ? '' : ` was ${text(previous.value)}`
  return `${revision}.${sub} ${type} ${match} ${text(kv.value)} m${kv.modRevision}${before}`
}

const ALL = [
  '2.0 put a a2 m2',
  '3.0 put a a3 m3 was a2',
  '3.1 put b b3 m3',
  '3.2 put c c3 m3',
  '6.0 delete a  m6 was a3',
  '6.1 put b b6 m6 was b3',
]

describe('EventReader', () => {
  test('reads the events after a revision up to the one that is read, in order', () => {
    expect(step(reader(0), 6)).toEqual(ALL.map((line) => line.replace('a  m6', 'a a0 m6')))
  })

  test('goes on where it stopped, and at the end waits for newer revisions', () => {
    const events = reader(1)
    expect(step(events, 3)).toEqual(ALL.slice(1, 4).toSpliced(0, 0, ALL[0] ?? ''))
    expect([events.position, events.begun]).toEqual([3, 3])
    expect(step(events, 3)).toEqual([])
    expect(step(events, 5)).toEqual([])
    expect(events.position).toBe(5)
    expect(step(events, 6)).toHaveLength(2)
  })

  test.each([
    { name: 'of one row', room: { rows: 1, bytes: Infinity } },
    { name: 'of a byte', room: { rows: Infinity, bytes: 1 } },
  ])('hands a revision out whole, in steps $name', ({ room }) => {
    const events = reader(1)
    const steps: string[] = []
    while (events.position < 6) {
      const revisions = step(events, 6, room).map((line) => line.split(' ')[0])
      steps.push(`${revisions.join('+')} ${events.position}/${events.begun}`)
    }
    expect(steps).toEqual([
      '2.0 2/2',
      ' 2/3',
      ' 2/3',
      '3.0+3.1+3.2 3/3',
      ' 5/5',
      ' 5/6',
      '6.0+6.1 6/6',
    ])
  })

  test('copies what is wanted and nothing else', () => {
    const seen = engine.view((tx) => mvcc.read(tx, 6).events(reader(0, 'b'), ROOM))
    // The transaction is over: lent bytes would be scribbled over.
    expect(seen.map(show)).toEqual([ALL[2], ALL[5]])
  })

  test('finds no previous value where that is compacted, and refuses what is', async () => {
    engine.update((tx) => tx.bucket('meta')?.put('finishedCompactRev', encodeRevisionKey(6, 0)))
    await load()
    const events = reader(5)
    expect(step(events, 6).map((line) => line.split(' was ')[1])).toEqual([undefined, undefined])
    expect(() => step(reader(4), 6)).toThrow('revision 5 has been compacted')
  })

  test('passes over what skipTo() says, also half of a revision', () => {
    const events = reader(2)
    expect(step(events, 6, { rows: 2, bytes: Infinity })).toEqual([])
    expect([events.position, events.begun]).toEqual([2, 3])
    events.skipTo(3)
    expect(step(events, 6)).toHaveLength(2)
    events.skipTo(1)
    expect(events.position).toBe(6)
  })

  test('says which row is damaged', () => {
    engine.update((tx) => tx.bucket('key')?.put(encodeRevisionKey(6, 2), bytes('\u000a\u0005a')))
    expect(() => step(reader(2), 6)).toThrow(/row of revision 6\.2 can't be decoded/)
    engine.update((tx) => tx.bucket('key')?.put(`${'\0'.repeat(8)}x`, ''))
    engine.update((tx) => tx.bucket('key')?.put(new Uint8Array(17), 'x'))
    expect(() => step(reader(-1), 6)).toThrow(KvError)
  })
})
