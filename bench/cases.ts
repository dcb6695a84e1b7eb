/**
 * What is measured: every case, its sides and its target. README.md says what each means; the
 * numbers in `targets` are what the project asks of itself.
 */

import type { KeyOrder } from './dataset.ts'
import type { Operation, SideName } from './protocol.ts'

export interface RatioTarget {
  readonly peer: SideName
  /** Our speed over the peer's, at least. */
  readonly ratio: number
}

export interface Case {
  readonly name: string
  readonly what: string
  /** What a caller may do with the bytes it got, or what a write promises. */
  readonly contract: 'lent' | 'owned' | 'durable' | 'none'
  readonly sides: readonly SideName[]
  readonly op: Operation
  /**
   * The file a side works on: `shared` is read by all rounds, in one process; `copied` is a copy
   * that rounds add to, each in a process of its own; `fresh` begins empty in every round.
   */
  readonly file: 'shared' | 'copied' | 'fresh'
  readonly writable: boolean
  readonly order?: KeyOrder
  readonly batch?: number
  readonly steps?: number
  readonly times?: number
  /** Keys in the file at most, save in `--growth`. */
  readonly fileKeysMax?: number
  /** Sides that are measured up to so many keys only, since their cost explodes beyond. */
  readonly keysMax?: Partial<Record<SideName, number>>
  readonly targets: readonly RatioTarget[]
  /** An operation takes at most so many milliseconds, whatever peers do. */
  readonly targetMs?: number
  /** Measured in `--growth` too. */
  readonly grows: boolean
}

export const GROWTH_SIDES: readonly SideName[] = ['revbolt', 'bbolt']

const STEPS_AFTER_SEEK = 10
const LOAD_BATCH = 10_000
const OPENS = 20

const READ_CASES: readonly Case[] = [
  {
    name: 'read-lent',
    what: 'random reads of values that are lent',
    contract: 'lent',
    sides: ['revbolt', 'bbolt', 'lmdb'],
    op: 'read-lent',
    file: 'shared',
    writable: false,
    order: 'lookup',
    targets: [
      { peer: 'lmdb', ratio: 1.3 },
      { peer: 'bbolt', ratio: 1 },
    ],
    grows: true,
  },
  {
    name: 'read-owned',
    what: 'random reads of values that the caller keeps',
    contract: 'owned',
    sides: ['revbolt', 'lmdb', 'sqlite', 'level'],
    op: 'read-owned',
    file: 'shared',
    writable: false,
    order: 'lookup',
    targets: [{ peer: 'lmdb', ratio: 2 }],
    grows: false,
  },
  {
    name: 'scan',
    what: 'all entries in order, key and value',
    contract: 'lent',
    sides: ['revbolt', 'bbolt', 'lmdb', 'sqlite', 'level'],
    op: 'scan',
    file: 'shared',
    writable: false,
    targets: [{ peer: 'lmdb', ratio: 10 }],
    grows: true,
  },
  {
    name: 'scan-bare',
    what: 'all entries in order, neither key nor value asked for',
    contract: 'none',
    sides: ['revbolt'],
    op: 'scan-bare',
    file: 'shared',
    writable: false,
    targets: [],
    grows: false,
  },
  {
    name: 'seek-10',
    what: 'a seek to a random key and 10 steps, key and value of each of the 11 entries',
    contract: 'lent',
    sides: ['revbolt', 'bbolt', 'lmdb', 'sqlite'],
    op: 'seek',
    file: 'shared',
    writable: false,
    order: 'lookup',
    steps: STEPS_AFTER_SEEK,
    targets: [{ peer: 'lmdb', ratio: 3 }],
    grows: true,
  },
  ...(['open-read', 'open-write'] as const).map((name): Case => ({
    name,
    what: `opening a file ${name === 'open-read' ? 'read-only' : 'to write'}, one read, closing`,
    contract: 'none',
    sides: ['revbolt', 'bbolt', 'lmdb'],
    op: 'open',
    file: 'shared',
    writable: name === 'open-write',
    order: 'lookup',
    times: OPENS,
    targets: [],
    targetMs: 10,
    grows: name === 'open-write',
  })),
]

const WRITE_CASES: readonly Case[] = [
  {
    name: 'load-random-10k',
    what: 'random keys into an empty file, 10,000 puts in a durable transaction',
    contract: 'durable',
    sides: ['revbolt', 'bbolt', 'lmdb', 'sqlite', 'level'],
    op: 'load',
    file: 'fresh',
    writable: true,
    order: 'load',
    batch: LOAD_BATCH,
    targets: [{ peer: 'bbolt', ratio: 2 }],
    grows: false,
  },
  ...(['load-one-tx', 'load-one-tx-sorted'] as const).map((name): Case => ({
    name,
    what: `keys ${name === 'load-one-tx' ? 'at random' : 'in order'}, all in one transaction`,
    contract: 'durable',
    sides: ['revbolt', 'bbolt', 'lmdb'],
    op: 'load',
    file: 'fresh',
    writable: true,
    order: name === 'load-one-tx' ? 'load' : 'sorted',
    // Quadratic: bbolt splits a page only when it commits, so all keys go into one sorted list.
    ...(name === 'load-one-tx' ? { keysMax: { bbolt: 50_000 } } : {}),
    targets: [{ peer: 'lmdb', ratio: 1 }],
    grows: false,
  })),
  {
    name: 'add-10k',
    what: 'new random keys into a file that has keys, 10,000 puts in a durable transaction',
    contract: 'durable',
    sides: ['revbolt', 'bbolt'],
    op: 'load',
    file: 'copied',
    writable: true,
    order: 'extra',
    batch: LOAD_BATCH,
    targets: [],
    grows: true,
  },
  {
    name: 'commit',
    what: 'durable transactions of one put, by turns a key that is there and a new one',
    contract: 'durable',
    sides: ['revbolt', 'bbolt', 'lmdb', 'sqlite', 'level', 'disk'],
    op: 'load',
    file: 'copied',
    writable: true,
    order: 'commit',
    batch: 1,
    fileKeysMax: 100_000,
    targets: [{ peer: 'bbolt', ratio: 1 }],
    grows: true,
  },
]

export const CASES: readonly Case[] = [...READ_CASES, ...WRITE_CASES]

export function findCase(name: string): Case | undefined {
  return CASES.find((one) => one.name === name)
}
