/**
 * Which lease is due next: a binary heap by deadline, in ms of a clock that only the caller knows.
 *
 * Most deadlines are moved on by renewals long before they come, so the heap is put in order
 * lazily: moving a deadline to later changes only what is known of the lease, and the heap finds
 * out when the old deadline comes. A lease that was taken as due stays in the queue, put off for a
 * while: whoever took it may fail to end it, and then it is due again.
 *
 * Invariants
 *   1. the heap is ordered by `heapMs`, and no deadline comes before its `heapMs` unless it was put
 *      off;
 *   2. every lease has exactly one entry that counts, `#entries` says which; others are dropped
 *      when they come to the top, or when they are more than half of the heap.
 */

import { assert } from '../base/assert.ts'

interface Entry {
  readonly id: bigint
  dueMs: number
  /** Where it stands in the heap. */
  heapMs: number
}

/** A heap that is shorter is not worth clearing. */
const CLEAR_SIZE_MIN = 64

export class ExpiryQueue {
  readonly #entries = new Map<bigint, Entry>()
  #heap: Entry[] = []

  /** How many leases have a deadline. */
  get size(): number {
    return this.#entries.size
  }

  /** Sets a lease's deadline, its first or another one. */
  set(id: bigint, dueMs: number): void {
    const entry = this.#entries.get(id)
    if (entry !== undefined && dueMs >= entry.heapMs) {
      entry.dueMs = dueMs
      return
    }
    const fresh = { id, dueMs, heapMs: dueMs }
    this.#entries.set(id, fresh)
    this.#push(fresh)
    this.#clear()
  }

  /** Forgets a lease. */
  delete(id: bigint): void {
    if (this.#entries.delete(id)) this.#clear()
  }

  /** When to look for due leases next; undefined: there are none at all. */
  get nextMs(): number | undefined {
    return this.#settle()?.heapMs
  }

  /**
   * Leases whose deadline is not after `nowMs`, earliest first, at most `max` of them. Each is put
   * off until `againMs`: what is still in the queue then is due again.
   */
  takeDue(nowMs: number, max: number, againMs: number): bigint[] {
    assert(againMs > nowMs, 'what was taken is put off')
    const due: bigint[] = []
    while (due.length < max) {
      const entry = this.#settle()
      if (entry === undefined || entry.heapMs > nowMs) break
      due.push(entry.id)
      entry.heapMs = againMs
      this.#sink(0)
    }
    return due
  }

  /** The entry at the top, once the top is one that counts and stands where it should. */
  #settle(): Entry | undefined {
    for (;;) {
      const top = this.#heap[0]
      if (top === undefined) return undefined
      if (this.#entries.get(top.id) !== top) this.#pop()
      else if (top.dueMs > top.heapMs) {
        top.heapMs = top.dueMs
        this.#sink(0)
      } else return top
    }
  }

  #push(entry: Entry): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const above = (at - 1) >>> 1
      const parent = this.#at(above)
      if (parent.heapMs <= entry.heapMs) break
      heap[at] = parent
      at = above
    }
    heap[at] = entry
  }

  #pop(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink(0)
  }

  #sink(from: number): void {
    const heap = this.#heap
    const entry = this.#at(from)
    let at = from
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      const right = below + 1
      if (right < heap.length && this.#at(right).heapMs < this.#at(below).heapMs) below = right
      const child = this.#at(below)
      if (child.heapMs >= entry.heapMs) break
      heap[at] = child
      at = below
    }
    heap[at] = entry
  }

  #at(index: number): Entry {
    const entry = this.#heap[index]
    assert(entry !== undefined, 'a place in the heap')
    return entry
  }

  /** Takes out what doesn't count, when it is most of the heap. */
  #clear(): void {
    const { length } = this.#heap
    if (length < CLEAR_SIZE_MIN || length <= 2 * this.#entries.size) return
    // A sorted list is a heap.
    this.#heap = [...this.#entries.values()].sort((a, b) => a.heapMs - b.heapMs)
  }

  /** How many entries the heap holds, those that don't count included. For tests. */
  get heapSize(): number {
    return this.#heap.length
  }
}
