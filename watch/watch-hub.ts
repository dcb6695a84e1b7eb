/**
 * The watchers of a store, in groups.
 *
 *   synced     follow the newest durable revision: one front, one tree, one read of each event
 *   unsynced   have older revisions to see: they wait, then follow a front that catches up from
 *              disk, several of them together, in steps between which the event loop runs; where
 *              it meets the synced front they become synced
 *   slow       their queue is overfull: they are aside and follow nothing. Once their queue is
 *              read empty they are placed anew, where they stopped.
 *
 * Events have one path: rows, read through a root that is durable. So nothing is seen that a power
 * cut could take back, and catching up and following can't differ.
 *
 * Invariants
 *   1. a watcher is in one group: it follows one front, or waits, or is aside, or has ended.
 *   2. each event that a watcher wants, from its start on, is delivered exactly once, in order, and
 *      with all others of its revision that it wants: see front.ts and event-reader.ts.
 *   3. a watcher whose next revision is compacted ends with `CompactedError`; it never goes on
 *      behind the gap.
 *   4. progress is told only of what the synced front has delivered, in the same queue.
 *   5. memory is bounded by the queue's limit and one step for each watcher; nothing is pinned
 *      between two steps.
 */

import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { CompactedError } from '../base/errors.ts'
import type { StepRoom } from '../mvcc/event-reader.ts'
import type { ReadTxn } from '../mvcc/read-txn.ts'
import { Front } from './front.ts'
import { Watcher } from './watcher.ts'
import type { QueueLimit, WatchRequest, WatcherHost } from './watcher.ts'

/** How long the hub works before it lets the event loop run, in ms. */
const STEP_MS = 2
/** What a step reads before the time is looked at. */
const STEP_ROOM: StepRoom = { rows: 128, bytes: 64 * 1024 }
/** What a consumer may leave unread before its watcher is moved aside. */
const QUEUE_BYTES_MAX = 1024 * 1024
/** How many fronts catch up side by side. */
const FRONTS_MAX = 4
/** How far the starts of those that catch up together may lie apart, in revisions. */
const GATHER_REVISIONS = 10_000
/** Progress is told when a watcher got nothing for so many revisions. */
const PROGRESS_REVISIONS = 1000

/** The durable state, held until `unpin`. */
export interface PinnedRead {
  readonly txn: ReadTxn
  unpin(): void
}

/** What only tests set. */
export interface WatchTuning {
  readonly queueBytesMax?: number
  readonly progressRevisions?: number
  readonly room?: StepRoom
}

export interface WatchHubSetup {
  /** The newest durable revision. */
  readonly revision: number
  /** Pins the newest durable state. */
  readonly pin: () => PinnedRead
  readonly compactedRevision: () => number
  readonly clock: Clock
  /** Calls back in a later turn of the event loop. */
  readonly later: (callback: () => void) => void
  readonly tuning?: WatchTuning
}

export class WatchHub {
  readonly #setup: WatchHubSetup
  readonly #host: WatcherHost & QueueLimit
  readonly #room: StepRoom
  readonly #progressRevisions: number
  readonly #all = new Set<Watcher>()
  #synced: Front
  /** Those that catch up, the next one to step first. */
  #fronts: Front[] = []
  #waiting = new Set<Watcher>()
  /**
   * Synced watchers that want progress, with the revision they were told of last, in its order.
   */
  readonly #told = new Map<Watcher, number>()
  #revision: number
  #isScheduled = false
  #isClosed = false

  constructor(setup: WatchHubSetup) {
    const { tuning = {} } = setup
    this.#setup = setup
    this.#revision = setup.revision
    this.#synced = new Front(setup.revision)
    this.#room = tuning.room ?? STEP_ROOM
    this.#progressRevisions = tuning.progressRevisions ?? PROGRESS_REVISIONS
    this.#host = {
      queueBytesMax: tuning.queueBytesMax ?? QUEUE_BYTES_MAX,
      emptied: (watcher) => {
        if (watcher.front === undefined && !this.#waiting.has(watcher)) this.#place(watcher)
      },
      ended: (watcher) => this.#forget(watcher),
    }
  }

  /** How many watchers are in each group. */
  get counts(): { readonly synced: number; readonly unsynced: number; readonly slow: number } {
    let unsynced = this.#waiting.size
    for (const front of this.#fronts) unsynced += front.watchers.size
    const synced = this.#synced.watchers.size
    return { synced, unsynced, slow: this.#all.size - synced - unsynced }
  }

  /** Registers a watcher. It gets what is durable from its start on, until it is ended. */
  watch(request: WatchRequest): Watcher {
    const next = request.startRevision === 0 ? this.#revision + 1 : request.startRevision
    const watcher = new Watcher(request, next, this.#host)
    this.#all.add(watcher)
    if (this.#isClosed) watcher.end()
    else this.#place(watcher)
    return watcher
  }

  /** A newer revision is durable. Its events are delivered at once as far as they are few. */
  advance(revision: number): void {
    if (this.#isClosed || revision <= this.#revision) return
    this.#revision = revision
    // Whoever is scheduled already comes to them, in their turn.
    if (this.#isScheduled && !this.#synced.isEmpty) return
    this.#follow(this.#setup.clock.monotonicMs())
    if (this.#isBehind) this.#schedule()
  }

  /**
   * Ends all watchers: the synced ones with all that is durable, others where they are. What was
   * delivered can still be taken.
   */
  close(): void {
    while (!this.#synced.isEmpty && this.#synced.position < this.#revision) {
      this.#step(this.#synced)
    }
    this.#isClosed = true
    for (const watcher of this.#all) watcher.end()
  }

  /** Nothing more is to come: all watchers end with an error, behind what was delivered. */
  fail(error: unknown): void {
    this.#isClosed = true
    for (const watcher of this.#all) watcher.fail(error)
  }

  get #isBehind(): boolean {
    const isCatchingUp = this.#fronts.length > 0 || this.#waiting.size > 0
    return isCatchingUp || this.#synced.position < this.#revision
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#setup.later(() => this.#turn())
  }

  #turn(): void {
    this.#isScheduled = false
    if (this.#isClosed) return
    const startedMs = this.#setup.clock.monotonicMs()
    this.#follow(startedMs)
    // At least one step, however much there is to follow.
    do {
      this.#startFronts()
      const front = this.#fronts.shift()
      if (front === undefined) break
      this.#catchUp(front)
    } while (!this.#isDue(startedMs))
    if (this.#isBehind) this.#schedule()
  }

  #isDue(startedMs: number): boolean {
    return this.#setup.clock.monotonicMs() - startedMs >= STEP_MS
  }

  /** Moves the synced front on, until it is at the newest revision or the time is up. */
  #follow(startedMs: number): void {
    while (this.#synced.position < this.#revision) {
      if (this.#synced.isEmpty) {
        this.#synced.skipTo(this.#revision)
        return
      }
      this.#step(this.#synced)
      this.#tellProgress()
      if (this.#isDue(startedMs)) return
    }
  }

  /** One step of a front that catches up; it goes on unless all who followed it have left. */
  #catchUp(front: Front): void {
    if (!front.isEmpty) this.#step(front)
    if (front.isEmpty) return
    if (front.position < this.#synced.begun) {
      this.#fronts.push(front)
      return
    }
    for (const watcher of front.watchers) {
      front.remove(watcher)
      this.#place(watcher)
      if (watcher.front === this.#synced && watcher.request.wantsProgress) {
        tell(watcher, front.position)
      }
    }
  }

  #step(front: Front): void {
    let served: Iterable<Watcher>
    try {
      const root = this.#setup.pin()
      try {
        assert(root.txn.revision >= this.#revision, 'what is durable can be read')
        served = front.step(root.txn, this.#room)
      } finally {
        root.unpin()
      }
    } catch (error) {
      this.#failed(front, error)
      return
    }
    for (const watcher of served) {
      // Aside: in no group, until its queue is read empty.
      if (watcher.isOverfull) this.#leave(watcher)
      else if (this.#told.delete(watcher)) this.#told.set(watcher, front.position)
    }
  }

  /** Reading failed: all who followed end with it, save those whose events are still there. */
  #failed(front: Front, error: unknown): void {
    const watchers = [...front.watchers]
    for (const watcher of watchers) this.#leave(watcher)
    if (front === this.#synced) this.#synced = new Front(this.#revision)
    for (const watcher of watchers) {
      if (error instanceof CompactedError) this.#place(watcher)
      else watcher.fail(error)
    }
  }

  /** Puts a watcher that is in no group where it belongs. */
  #place(watcher: Watcher): void {
    const compacted = this.#setup.compactedRevision()
    if (watcher.next < compacted) {
      watcher.fail(new CompactedError(watcher.next, compacted))
      return
    }
    if (this.#synced.isEmpty) this.#synced.skipTo(this.#revision)
    if (watcher.next > this.#synced.begun) {
      this.#synced.add(watcher)
      if (watcher.request.wantsProgress) this.#told.set(watcher, this.#synced.position)
      return
    }
    this.#waiting.add(watcher)
    this.#schedule()
  }

  #startFronts(): void {
    while (this.#waiting.size > 0 && this.#fronts.length < FRONTS_MAX) {
      let first = Infinity
      for (const { next } of this.#waiting) first = Math.min(first, next)
      const front = new Front(first - 1)
      for (const watcher of this.#waiting) {
        if (watcher.next >= first + GATHER_REVISIONS) continue
        this.#waiting.delete(watcher)
        front.add(watcher)
      }
      this.#fronts.push(front)
    }
  }

  /** Takes a watcher out of whatever group it is in. */
  #leave(watcher: Watcher): void {
    watcher.front?.remove(watcher)
    this.#waiting.delete(watcher)
    this.#told.delete(watcher)
  }

  #forget(watcher: Watcher): void {
    this.#leave(watcher)
    this.#all.delete(watcher)
  }

  /** Tells those that got nothing for long how far they have come. */
  #tellProgress(): void {
    const { position } = this.#synced
    for (const [watcher, told] of this.#told) {
      if (told + this.#progressRevisions > position) return
      this.#told.delete(watcher)
      this.#told.set(watcher, position)
      tell(watcher, position)
      if (watcher.isOverfull) this.#leave(watcher)
    }
  }
}

/** Delivers an empty batch, unless it would say nothing new. */
function tell(watcher: Watcher, revision: number): void {
  if (revision > watcher.told) watcher.deliver({ events: [], revision })
}
