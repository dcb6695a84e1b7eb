/**
 * How much history is kept: compacts in the background as revisions come.
 *
 *   { revisions: 5000 }   the newest 5000 revisions can be read, and some older ones
 *   { ageMs: 3600000 }    what was current within the last hour can be read, and some more
 *
 * A compaction walks over all keys, so it waits until it is worth that: history may be longer than
 * asked for by a tenth, by 1000 revisions or by a sixteenth of the number of keys, whichever is
 * most. Only writes bring it on; an idle store keeps what it has. Ages are the monotonic clock's
 * and begin when the store is opened: what is older then counts as made at that moment.
 */

import type { Clock } from '../base/clock.ts'
import { isKvError } from '../base/errors.ts'
import { describeType } from '../base/text.ts'
import type { Mvcc } from '../mvcc/mvcc.ts'
import type { Compactor } from './compactor.ts'
import { Fields } from './fields.ts'
import type { Retain } from './types/open.ts'

const STEP_MIN = 1000
/** One of so many keys is worth a revision. */
const KEYS_PER_REVISION = 16
/** An age is told apart in so many parts. */
const AGE_PARTS = 10

const RETAIN: ReadonlySet<string> = new Set(['revisions', 'ageMs'])

/** A revision that was current at some time. */
interface Sample {
  readonly timeMs: number
  readonly revision: number
}

export interface RetentionSetup {
  readonly retain: Exclude<Retain, 'all'>
  readonly mvcc: Mvcc
  readonly compactor: Compactor
  readonly clock: Clock
}

export class Retention {
  readonly #setup: RetentionSetup
  /** Oldest first. */
  #samples: Sample[] = []
  #isCompacting = false

  constructor(setup: RetentionSetup) {
    this.#setup = setup
    this.#sample(setup.mvcc.revision)
  }

  /** `revision` is durable. */
  advance(revision: number): void {
    if (this.#isCompacting) return
    const { mvcc, compactor } = this.#setup
    const through = this.#target(revision)
    if (through - mvcc.scheduledRevision < this.#step) return
    this.#isCompacting = true
    compactor
      .compact(through, true)
      .catch((error: unknown) => {
        // The disk is full, or somebody compacted further: the next revisions bring it on again.
        // Whatever else it was, the next write is told.
        if (!isKvError(error)) throw error
      })
      .finally(() => {
        this.#isCompacting = false
      })
  }

  /** The oldest revision to be kept. */
  #target(revision: number): number {
    const { retain, clock } = this.#setup
    if ('revisions' in retain) return revision - retain.revisions
    this.#sample(revision)
    const bornMs = clock.monotonicMs() - retain.ageMs
    const later = this.#samples.findIndex(({ timeMs }) => timeMs > bornMs)
    // What was current at that moment still counts.
    const newest = later < 0 ? this.#samples.length - 1 : later - 1
    if (newest < 0) return 0
    this.#samples = this.#samples.slice(newest)
    return this.#samples[0]?.revision ?? 0
  }

  #sample(revision: number): void {
    const { retain, clock } = this.#setup
    if (!('ageMs' in retain)) return
    const timeMs = clock.monotonicMs()
    const last = this.#samples.at(-1)
    if (last !== undefined && timeMs - last.timeMs < retain.ageMs / AGE_PARTS) return
    this.#samples.push({ timeMs, revision })
  }

  get #step(): number {
    const { retain, mvcc } = this.#setup
    const tenth = 'revisions' in retain ? Math.ceil(retain.revisions / 10) : 0
    return Math.max(STEP_MIN, tenth, Math.ceil(mvcc.index.keyCount / KEYS_PER_REVISION))
  }
}

/** Reads the option `retain`. */
export function readRetain(value: unknown): Retain {
  if (value === undefined || value === 'all') return 'all'
  if (typeof value === 'string') {
    throw new RangeError("retain: expected 'all', { revisions } or { ageMs }")
  }
  if (typeof value !== 'object') {
    throw new TypeError(`retain: expected 'all' or an object, got ${describeType(value)}`)
  }
  const fields = new Fields(value, RETAIN, { name: 'retain', path: 'retain.' })
  const revisions = fields.integer('revisions', 1)
  const ageMs = fields.integer('ageMs', 1)
  if (revisions !== undefined && ageMs === undefined) return { revisions }
  if (ageMs !== undefined && revisions === undefined) return { ageMs }
  throw new TypeError('retain: expected either revisions or ageMs')
}
