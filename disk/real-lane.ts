/**
 * The lane: one thread of the process for writes that must be durable, so that nothing else in
 * libuv's pool delays them.
 *
 * Writes are copied into the shared ring of real-lane-worker.ts and carried out one after the
 * other, in the order they were handed over; one larger than a slot goes piece by piece and is
 * synced with its last. The thread sleeps in `Atomics.wait`; this side is woken by
 * `Atomics.waitAsync`, which costs no message.
 *
 * States of a lane
 *   starting   the thread has not looked at the ring yet; writes wait there
 *   running
 *   gone       the thread ended, asked to or not
 * If it ends before it was running, nothing was written and each write settles as `unavailable`:
 * its owner has to find another way. If it ends later, it is not known what was written, and each
 * settles as an error.
 *
 * A lane belongs to one thread of JavaScript and is shared by all files opened there: the first
 * that writes starts it, the last that leaves ends it. It keeps the process alive only while writes
 * are pending.
 */

/// <reference lib="es2024.sharedmemory" />

import { Worker } from 'node:worker_threads'
import { AssertionError, assert } from '../base/assert.ts'
import {
  ACTION,
  BYTES_START,
  CONTROL,
  COUNTER_START,
  HEADERS_START,
  HEADER,
  HEADER_POSITION,
  HEADER_SIZE,
  LANE_SOURCE,
  RESULT,
  RING_SIZE,
  SLOT_COUNT,
  SLOT_SIZE,
} from './real-lane-worker.ts'

/** What became of a write. */
export type LaneOutcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly in: 'write' | 'sync'; readonly error: Error }
  /** An earlier write of the same file failed. Nothing was written. */
  | { readonly kind: 'skipped' }
  /** The lane could not be started. Nothing was written. */
  | { readonly kind: 'unavailable' }

export interface LaneWrite {
  /** From `enter()`. */
  readonly file: number
  readonly descriptor: number
  /** Not changed by the caller until `settle` is called. */
  readonly source: Uint8Array
  readonly position: number
  readonly sync: 'data' | 'full'
  /** Called once, and in the order of the writes. Must not throw. */
  readonly settle: (outcome: LaneOutcome) => void
}

/** A write on its way into the ring. */
interface Queued {
  readonly write: LaneWrite
  /** How much of it has been put into slots. */
  submittedBytes: number
  next: Queued | undefined
}

/** A filled slot. */
interface Piece {
  readonly write: LaneWrite
  readonly isLast: boolean
}

interface Slot {
  readonly header: Int32Array
  readonly doubles: Float64Array
  readonly bytes: Uint8Array
}

const DONE: LaneOutcome = { kind: 'done' }
const SKIPPED_OUTCOME: LaneOutcome = { kind: 'skipped' }
const UNAVAILABLE: LaneOutcome = { kind: 'unavailable' }

let shared: Lane | undefined

export class Lane {
  readonly #worker: Worker
  readonly #control: Int32Array
  readonly #slots: readonly Slot[]
  /** By slot: what fills it. */
  readonly #pieces: (Piece | undefined)[] = new Array<undefined>(SLOT_COUNT).fill(undefined)
  #submitted = COUNTER_START
  #completed = COUNTER_START
  /** Writes not wholly in the ring yet, oldest first. */
  #first: Queued | undefined
  #last: Queued | undefined
  #pendingCount = 0
  #userCount = 0
  #nextFile = 0
  /** What a write whose pieces failed early comes to. */
  #failure: LaneOutcome | undefined
  #isGone = false
  #error: unknown

  /** Starts a thread. Throws where the system or the process's permissions don't allow one. */
  constructor() {
    const memory = new SharedArrayBuffer(RING_SIZE)
    this.#control = new Int32Array(memory, 0, HEADERS_START / 4)
    this.#slots = Array.from({ length: SLOT_COUNT }, (_, i) => slotAt(memory, i))
    this.#control[CONTROL.submitted] = COUNTER_START
    this.#control[CONTROL.completed] = COUNTER_START
    // Without the options of this process: what it preloads has no business there.
    this.#worker = new Worker(LANE_SOURCE, {
      eval: true,
      name: 'revbolt log',
      workerData: memory,
      execArgv: [],
      env: {},
      trackUnmanagedFds: false,
    })
    this.#worker.unref()
    this.#worker.on('error', (error) => {
      this.#error = error
    })
    this.#worker.on('exit', () => this.#ended())
    this.#listen()
  }

  /** The lane of this thread for one more file, started where there is none. */
  static enter(): Lane {
    shared ??= new Lane()
    shared.#userCount += 1
    return shared
  }

  /** Whether the thread has ended, or was asked to. */
  get isGone(): boolean {
    return this.#isGone
  }

  /** A number for a file's writes. */
  newFile(): number {
    this.#nextFile += 1
    return this.#nextFile
  }

  /** A file that entered has no more to write. The last one ends the thread. */
  leave(): void {
    assert(this.#userCount > 0, 'a file left the lane twice')
    this.#userCount -= 1
    if (this.#userCount > 0 || this.#isGone) return
    assert(this.#pendingCount === 0, 'a file left the lane with writes pending')
    this.#isGone = true
    if (shared === this) shared = undefined
    this.#slotFor(this.#submitted).header[HEADER.action] = ACTION.end
    this.#submitted = (this.#submitted + 1) | 0
    this.#wakeThread()
  }

  submit(write: LaneWrite): void {
    if (this.#isGone) {
      write.settle(this.#outcomeWhenGone())
      return
    }
    const queued: Queued = { write, submittedBytes: 0, next: undefined }
    if (this.#last === undefined) this.#first = queued
    else this.#last.next = queued
    this.#last = queued
    this.#pendingCount += 1
    if (this.#pendingCount === 1) this.#worker.ref()
    this.#fill()
  }

  /** Puts into the ring what fits. */
  #fill(): void {
    const before = this.#submitted
    while (this.#first !== undefined && ((this.#submitted - this.#completed) | 0) < SLOT_COUNT) {
      this.#fillSlot(this.#first)
    }
    if (this.#submitted !== before) this.#wakeThread()
  }

  #fillSlot(queued: Queued): void {
    const { write, submittedBytes: start } = queued
    const size = Math.min(SLOT_SIZE, write.source.length - start)
    const isLast = start + size === write.source.length
    const { header, doubles, bytes } = this.#slotFor(this.#submitted)
    header[HEADER.descriptor] = write.descriptor
    header[HEADER.size] = size
    header[HEADER.action] = isLast ? lastActionOf(write) : ACTION.write
    header[HEADER.file] = write.file
    doubles[HEADER_POSITION] = write.position + start
    bytes.set(
      size === write.source.length ? write.source : write.source.subarray(start, start + size),
    )
    this.#pieces[this.#submitted & (SLOT_COUNT - 1)] = { write, isLast }
    this.#submitted = (this.#submitted + 1) | 0
    queued.submittedBytes += size
    if (!isLast) return
    this.#first = queued.next
    if (this.#first === undefined) this.#last = undefined
  }

  #wakeThread(): void {
    Atomics.store(this.#control, CONTROL.submitted, this.#submitted)
    Atomics.notify(this.#control, CONTROL.submitted)
  }

  /**
   * Looks at what is done, now and each time the thread says that there is more; a ringful at most
   * in a turn of the event loop, so that a large write leaves room for others.
   */
  #listen(): void {
    if (this.#isGone) return
    this.#settleCompleted()
    const wait = Atomics.waitAsync(this.#control, CONTROL.completed, this.#completed)
    if (wait.async) void wait.value.then(() => this.#listen())
    else setImmediate(() => this.#listen())
  }

  #settleCompleted(): void {
    const completed = Atomics.load(this.#control, CONTROL.completed)
    while (this.#completed !== completed) {
      const index = this.#completed & (SLOT_COUNT - 1)
      const piece = this.#pieces[index]
      assert(piece !== undefined, 'an empty slot was carried out')
      const outcome = this.#failure ?? outcomeOf(this.#slotFor(this.#completed))
      this.#pieces[index] = undefined
      this.#completed = (this.#completed + 1) | 0
      // What is left of a write that failed is skipped by the thread.
      this.#failure = piece.isLast || outcome === DONE ? undefined : outcome
      if (piece.isLast) this.#settle(piece.write, outcome)
    }
    this.#fill()
  }

  #settle(write: LaneWrite, outcome: LaneOutcome): void {
    this.#pendingCount -= 1
    if (this.#pendingCount === 0) this.#worker.unref()
    write.settle(outcome)
  }

  /** The thread is no more. */
  #ended(): void {
    if (this.#isGone) return
    this.#settleCompleted()
    this.#isGone = true
    if (shared === this) shared = undefined
    // Nobody else will, and the wait would hold on to the ring.
    Atomics.notify(this.#control, CONTROL.completed)
    const outcome = this.#outcomeWhenGone()
    const left: LaneWrite[] = []
    for (; this.#completed !== this.#submitted; this.#completed = (this.#completed + 1) | 0) {
      const piece = this.#pieces[this.#completed & (SLOT_COUNT - 1)]
      if (piece?.isLast === true) left.push(piece.write)
    }
    for (let queued = this.#first; queued !== undefined; queued = queued.next) {
      left.push(queued.write)
    }
    this.#first = this.#last = undefined
    for (const write of left) this.#settle(write, outcome)
  }

  #outcomeWhenGone(): LaneOutcome {
    if (this.#control[CONTROL.isRunning] !== 1) return UNAVAILABLE
    const error = new Error('the thread for log writes ended', { cause: this.#error })
    return { kind: 'failed', in: 'write', error }
  }

  #slotFor(counter: number): Slot {
    const slot = this.#slots[counter & (SLOT_COUNT - 1)]
    assert(slot !== undefined, 'a slot beyond the ring')
    return slot
  }
}

function slotAt(memory: SharedArrayBuffer, index: number): Slot {
  const start = HEADERS_START + index * HEADER_SIZE
  return {
    header: new Int32Array(memory, start, HEADER_SIZE / 4),
    doubles: new Float64Array(memory, start, HEADER_SIZE / 8),
    bytes: new Uint8Array(memory, BYTES_START + index * SLOT_SIZE, SLOT_SIZE),
  }
}

function lastActionOf(write: LaneWrite): number {
  return write.sync === 'data' ? ACTION.writeAndDataSync : ACTION.writeAndFullSync
}

function outcomeOf(slot: Slot): LaneOutcome {
  switch (slot.header[HEADER.result]) {
    case RESULT.done:
      return DONE
    case RESULT.skipped:
      return SKIPPED_OUTCOME
    case RESULT.writeFailed:
      return { kind: 'failed', in: 'write', error: errorIn(slot) }
    case RESULT.syncFailed:
      return { kind: 'failed', in: 'sync', error: errorIn(slot) }
    default:
      throw new AssertionError('a slot with no result')
  }
}

/** The error as the thread caught it. */
function errorIn({ header, bytes }: Slot): Error {
  const text = Buffer.from(bytes.slice(0, header[HEADER.size])).toString()
  const codeEnd = text.indexOf('\n')
  return Object.assign(new Error(text.slice(codeEnd + 1)), { code: text.slice(0, codeEnd) })
}
