/**
 * A place in the history that moves on, and the watchers that follow it: each event is read once
 * and given to those that want it, through one interval tree.
 *
 * Invariants
 *   1. who follows a front has been given all it wants up to `position`, or starts after it.
 *   2. a watcher joins only where its `next` lies above `begun`: nothing it wants was read before
 *      it was there.
 *   3. a step delivers at most one batch to a watcher, of whole revisions.
 */

import { assert } from '../base/assert.ts'
import { EventReader } from '../mvcc/event-reader.ts'
import type { EventType, SelectedEvent, StepRoom, StoreEvent } from '../mvcc/event-reader.ts'
import type { ReadTxn } from '../mvcc/read-txn.ts'
import { IntervalTree } from './interval-tree.ts'
import type { EventBatch, WatchRequest, Watcher } from './watcher.ts'

type Found = SelectedEvent<readonly Watcher[]>

export class Front {
  readonly #tree = new IntervalTree<Watcher>()
  readonly #watchers = new Set<Watcher>()
  readonly #reader: EventReader<readonly Watcher[]>
  /** How many of them want previous values. */
  #previousCount = 0
  /** How many of them leave out puts, or deletes. */
  #choosyCount = 0

  /** Begins after a revision. */
  constructor(after: number) {
    this.#reader = new EventReader(
      {
        match: (key, type) => this.#match(key, type),
        wantsPrevious: (matches) =>
          this.#previousCount > 0 && matches.some(({ request }) => request.wantsPrevious),
      },
      after,
    )
  }

  /** All events up to and including this revision have been given out. */
  get position(): number {
    return this.#reader.position
  }

  /** The last revision of which anything was read. */
  get begun(): number {
    return this.#reader.begun
  }

  get watchers(): ReadonlySet<Watcher> {
    return this.#watchers
  }

  get isEmpty(): boolean {
    return this.#watchers.size === 0
  }

  add(watcher: Watcher): void {
    assert(watcher.next > this.begun, 'a watcher joins before its first event is read')
    assert(watcher.front === undefined, 'a watcher follows one front')
    watcher.front = this
    this.#watchers.add(watcher)
    this.#count(watcher.request, 1)
    this.#tree.add(watcher.request, watcher)
  }

  /** Lets a watcher go, whose `next` says from where it has to be served again. */
  remove(watcher: Watcher): void {
    assert(watcher.front === this, 'a watcher leaves the front that it follows')
    watcher.front = undefined
    watcher.next = Math.max(watcher.next, this.position + 1)
    this.#watchers.delete(watcher)
    this.#count(watcher.request, -1)
    this.#tree.remove(watcher.request, watcher)
  }

  /** Moves an abandoned front. */
  skipTo(revision: number): void {
    assert(this.isEmpty, 'events are passed over only where nobody waits for them')
    this.#reader.skipTo(revision)
  }

  /**
   * Reads on, delivers, and returns those that were given something and that the hub has to see to.
   * @throws {KvError} what reading throws; nothing was delivered
   */
  step(txn: ReadTxn, room: StepRoom): readonly Watcher[] {
    const found = txn.events(this.#reader, room)
    const [first] = found
    if (first === undefined) return []
    return found.length === 1 ? this.#deliverOne(first) : this.#deliverAll(found)
  }

  /** One event in a step, which is what most writes come to: all who want it share its batch. */
  #deliverOne({ event, match }: Found): readonly Watcher[] {
    const noted: Watcher[] = []
    const batch: EventBatch = { events: [event], revision: this.position }
    for (const watcher of match) {
      if (!this.#isServing(watcher, event)) continue
      watcher.deliver(batch)
      if (isOfNote(watcher)) noted.push(watcher)
    }
    return noted
  }

  #deliverAll(found: readonly Found[]): readonly Watcher[] {
    const served: Watcher[] = []
    for (const { event, match } of found) {
      // Most watchers find one event in a step, and many the same: they share its batch.
      const alone = [event]
      for (const watcher of match) {
        if (this.#isServing(watcher, event) && watcher.find(event, alone)) served.push(watcher)
      }
    }
    const revision = this.position
    let batch: EventBatch = { events: [], revision }
    for (const watcher of served) {
      const events = watcher.takeFound()
      if (events !== batch.events) batch = { events, revision }
      watcher.deliver(batch)
    }
    return served.filter(isOfNote)
  }

  #count({ wantsPrevious, only }: WatchRequest, step: 1 | -1): void {
    if (wantsPrevious) this.#previousCount += step
    if (only !== undefined) this.#choosyCount += step
  }

  /** A watcher may have left since the event was read, and even be back. */
  #isServing(watcher: Watcher, event: StoreEvent): boolean {
    return watcher.front === this && event.revision >= watcher.next
  }

  #match(key: Uint8Array, type: EventType): readonly Watcher[] | undefined {
    let found: Watcher[] | undefined
    const isAnyChoosy = this.#choosyCount > 0
    this.#tree.stab(key, (watcher) => {
      // Thousands of watchers are looked at once in a delivery, not twice: they are not in a cache.
      if (isAnyChoosy && !watcher.wants(type)) return
      if (found === undefined) found = [watcher]
      else found.push(watcher)
    })
    return found
  }
}

/** Most watchers are neither: nothing is kept of them, and they are not looked at again. */
function isOfNote(watcher: Watcher): boolean {
  return watcher.isOverfull || watcher.request.wantsProgress
}
