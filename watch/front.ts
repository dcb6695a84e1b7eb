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
import type { EventType, StepRoom } from '../mvcc/event-reader.ts'
import type { ReadTxn } from '../mvcc/read-txn.ts'
import { IntervalTree } from './interval-tree.ts'
import type { EventBatch, Watcher } from './watcher.ts'

export class Front {
  readonly #tree = new IntervalTree<Watcher>()
  readonly #watchers = new Set<Watcher>()
  readonly #reader: EventReader<readonly Watcher[]>
  /** How many of them want previous values. */
  #previousCount = 0

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
    if (watcher.request.wantsPrevious) this.#previousCount++
    this.#tree.add(watcher.request, watcher)
  }

  /** Lets a watcher go, whose `next` says from where it has to be served again. */
  remove(watcher: Watcher): void {
    assert(watcher.front === this, 'a watcher leaves the front that it follows')
    watcher.front = undefined
    watcher.next = Math.max(watcher.next, this.position + 1)
    this.#watchers.delete(watcher)
    if (watcher.request.wantsPrevious) this.#previousCount--
    this.#tree.remove(watcher.request, watcher)
  }

  /** Moves an abandoned front. */
  skipTo(revision: number): void {
    assert(this.isEmpty, 'events are passed over only where nobody waits for them')
    this.#reader.skipTo(revision)
  }

  /**
   * Reads on, delivers, and returns who was given something.
   * @throws {KvError} what reading throws; nothing was delivered
   */
  step(txn: ReadTxn, room: StepRoom): readonly Watcher[] {
    const served: Watcher[] = []
    for (const { event, match } of txn.events(this.#reader, room)) {
      // Most watchers find one event in a step, and many the same: they share its batch.
      const alone = [event]
      for (const watcher of match) {
        // It may have left since the event was read, and even be back.
        if (watcher.front !== this || event.revision < watcher.next) continue
        if (watcher.find(event, alone)) served.push(watcher)
      }
    }
    const revision = this.position
    let batch: EventBatch = { events: [], revision }
    for (const watcher of served) {
      const events = watcher.takeFound()
      if (events !== batch.events) batch = { events, revision }
      watcher.deliver(batch)
    }
    return served
  }

  #match(key: Uint8Array, type: EventType): readonly Watcher[] | undefined {
    let found: Watcher[] | undefined
    this.#tree.stab(key, (watcher) => {
      if (!watcher.wants(type)) return
      if (found === undefined) found = [watcher]
      else found.push(watcher)
    })
    return found
  }
}
