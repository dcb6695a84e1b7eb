/**
 * A multi-version core with its watchers, and the model beside it: every step by hand.
 *
 *   write     commits to the engine; the head moves, nobody may see it yet
 *   publish   what was written so far is durable
 *   turn      the event loop's next turn, for the hub
 *   compact   the core as a compaction leaves it
 */

import { systemClock } from '../../base/clock.ts'
import { CompactedError } from '../../base/errors.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openEngine } from '../../engine/index.ts'
import type { Engine } from '../../engine/index.ts'
import type { Mvcc } from '../../mvcc/mvcc.ts'
import type { KeySpan } from '../../mvcc/request.ts'
import { restore } from '../../mvcc/restore.ts'
import { encodeRevisionKey } from '../../mvcc/revision.ts'
import { createBuckets } from '../../mvcc/schema.ts'
import { WatchHub } from '../../watch/watch-hub.ts'
import type { WatchTuning } from '../../watch/watch-hub.ts'
import type { EventBatch, WatchRequest, Watcher } from '../../watch/watcher.ts'
import { Model } from '../model/model.ts'
import type { KeySet, ModelEvent, Row } from '../model/row.ts'

export type Change =
  | { readonly type: 'put'; readonly key: string; readonly value: string }
  | { readonly type: 'delete'; readonly key: string; readonly end?: string }

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
const text = (source: Uint8Array): string => Buffer.from(source).toString('latin1')

/** Lets all promises that can settle do so. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

export class WatchedStore {
  readonly model: Model = new Model({ opsMax: Infinity })
  readonly hub: WatchHub
  readonly #engine: Engine
  #mvcc: Mvcc
  #durable: number
  #turns: (() => void)[] = []
  /** Called when the hub pins the durable state. */
  onPin: () => void = () => {}

  private constructor(engine: Engine, mvcc: Mvcc, tuning: WatchTuning) {
    this.#engine = engine
    this.#mvcc = mvcc
    this.#durable = mvcc.revision
    this.hub = new WatchHub({
      revision: mvcc.revision,
      pin: () => {
        this.onPin()
        const tx = engine.beginNow({ writable: false })
        return { txn: this.#mvcc.read(tx, this.#durable), unpin: () => tx.rollback() }
      },
      compactedRevision: () => this.#mvcc.compactedRevision,
      clock: systemClock,
      later: (callback) => this.#turns.push(callback),
      tuning,
    })
  }

  static async open(tuning: WatchTuning = {}): Promise<WatchedStore> {
    const engine = await openEngine('/db', { disk: new MemoryDisk() })
    engine.update((tx) => createBuckets(tx))
    return new WatchedStore(engine, await load(engine), tuning)
  }

  get durable(): number {
    return this.#durable
  }

  get hasTurns(): boolean {
    return this.#turns.length > 0
  }

  /** One revision, of changes to different keys; none if nothing changes. */
  write(changes: readonly Change[]): void {
    const tx = this.#engine.beginNow({ writable: true })
    const group = this.#mvcc.beginGroup(tx, 0)
    group.run((txn) => {
      for (const change of changes) {
        const key = bytes(change.key)
        if (change.type === 'put') {
          const kept = { ignoreValue: false, ignoreLease: false, wantsPrevious: false, lease: 0n }
          txn.put({ type: 'put', key, value: bytes(change.value), ...kept }, () => {})
        } else {
          const end = change.end === undefined ? undefined : bytes(change.end)
          txn.delete({ type: 'delete', key, end, wantsPrevious: false }, () => {})
        }
      }
    })
    if (group.isChanged) tx.commit()
    else tx.rollback()
    group.commit()
    const success = changes.map((change) => {
      if (change.type === 'put') return { ...change, lease: 0n }
      const { key: start, end } = change
      const keys = (key: string): boolean =>
        end === undefined ? key === start : start <= key && key < end
      return { type: 'delete', keys } as const
    })
    this.model.accept(this.model.propose({ conditions: [], success, failure: [] }))
  }

  put(...keys: string[]): void {
    this.write(
      keys.map((key) => ({ type: 'put', key, value: `${key}@${this.model.revision + 1}` })),
    )
  }

  /** What is written up to the revision that stands `behind` the head is durable. */
  publish(behind = 0): void {
    const revision = this.#mvcc.revision - behind
    if (revision <= this.#durable) return
    this.#durable = revision
    this.hub.advance(revision)
  }

  /** The hub's part of the next turn of the event loop. */
  turn(): void {
    for (const callback of this.#turns.splice(0)) callback()
  }

  /**
   * The core, read anew with this revision noted as the compacted one. Rows stay, so that an event
   * which should not be seen any more could be.
   */
  async compact(revision: number): Promise<void> {
    this.#engine.update((tx) => {
      tx.bucket('meta')?.put('scheduledCompactRev', encodeRevisionKey(revision, 0))
    })
    this.#mvcc = await load(this.#engine)
  }

  watch(
    request: Partial<WatchRequest> & { readonly from?: string; readonly to?: string },
  ): Consumer {
    const { from = '', to = from === '' ? '\0' : undefined, ...rest } = request
    const whole: WatchRequest = {
      key: bytes(from),
      end: to === undefined ? undefined : bytes(to),
      startRevision: 0,
      only: undefined,
      wantsPrevious: false,
      wantsProgress: false,
      ...rest,
    }
    const start = whole.startRevision === 0 ? this.#durable + 1 : whole.startRevision
    return new Consumer(this.hub.watch(whole), start, (key) => holds(whole, key))
  }

  /** Turns, and takes everything for those consumers, until nothing more happens. */
  async drain(consumers: readonly Consumer[]): Promise<void> {
    for (;;) {
      const before = consumers.reduce((sum, one) => sum + one.batches.length, 0)
      const hadTurns = this.hasTurns
      this.turn()
      for (const consumer of consumers) consumer.ask()
      await settle()
      const after = consumers.reduce((sum, one) => sum + one.batches.length, 0)
      if (after === before && !hadTurns && !this.hasTurns) return
    }
  }

  async close(): Promise<void> {
    this.hub.close()
    await this.#engine.close()
  }

  /** What a watcher is to see of the revisions from `first` to `last`, as `showEvent` has it. */
  expected(request: WatchRequest, first: number, last: number): string[] {
    const seen: string[] = []
    for (let revision = Math.max(first, 2); revision <= last; revision++) {
      for (const event of this.model.eventsOf(revision)) {
        const key = event.type === 'put' ? event.row.key : event.key
        if (!holds(request, key)) continue
        if (request.only !== undefined && request.only !== event.type) continue
        seen.push(showModelEvent(event, request.wantsPrevious))
      }
    }
    return seen
  }
}

async function load(engine: Engine): Promise<Mvcc> {
  const tx = engine.beginNow({ writable: false })
  try {
    return await restore(tx, { file: '/db', pause: async () => {} })
  } finally {
    tx.rollback()
  }
}

function holds({ key: start, end }: KeySpan, key: string): boolean {
  if (end === undefined) return key === text(start)
  return key >= text(start) && (text(end) === '\0' || key < text(end))
}

/** Reads a watcher, one batch for each `ask`. */
export class Consumer {
  readonly watcher: Watcher
  /** The first revision it is to see. */
  readonly start: number
  readonly keys: KeySet
  readonly batches: EventBatch[] = []
  outcome: 'open' | 'ended' | { readonly error: unknown } = 'open'
  #isAsking = false

  constructor(watcher: Watcher, start: number, keys: KeySet) {
    this.watcher = watcher
    this.start = start
    this.keys = keys
  }

  /** Takes the next batch whenever it comes, unless that is asked already. */
  ask(): void {
    if (this.#isAsking || this.outcome !== 'open') return
    this.#isAsking = true
    this.watcher.handTo({
      take: (batch) => {
        this.#isAsking = false
        if (batch === undefined) this.outcome = 'ended'
        else this.batches.push(batch)
      },
      fail: (error) => {
        this.#isAsking = false
        this.outcome = { error }
      },
    })
  }

  get seen(): string[] {
    const { wantsPrevious } = this.watcher.request
    return this.batches.flatMap(({ events }) =>
      events.map(({ type, revision, kv, previous }) => {
        const before = wantsPrevious && previous !== undefined ? ` was ${showRow(previous)}` : ''
        const what = type === 'put' ? showRow(kv) : text(kv.key)
        return `${revision} ${type} ${what}${before}`
      }),
    )
  }

  /** The code of the error that it ended with, and where to resume. */
  get compactedAt(): { readonly next: number; readonly compacted: number } | undefined {
    if (typeof this.outcome === 'string') return undefined
    const { error } = this.outcome
    if (!(error instanceof CompactedError)) throw error
    return { next: error.requested, compacted: error.compacted }
  }
}

interface RowBytes {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
}

function showRow({ key, value, createRevision, modRevision, version }: RowBytes): string {
  return `${text(key)}=${text(value)} c${createRevision} m${modRevision} v${version}`
}

function showModelEvent(event: ModelEvent, wantsPrevious: boolean): string {
  const before =
    wantsPrevious && event.previous !== undefined ? ` was ${showModelRow(event.previous)}` : ''
  if (event.type === 'delete') return `${event.modRevision} delete ${event.key}${before}`
  return `${event.row.modRevision} put ${showModelRow(event.row)}${before}`
}

function showModelRow(row: Row): string {
  return showRow({ ...row, key: bytes(row.key), value: bytes(row.value) })
}
