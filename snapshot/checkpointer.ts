/**
 * When the data file is brought to where the log is.
 *
 * A checkpoint begins when, since the last one, the log has grown by `logBytes` or pages newer than
 * the file take `dirtyBytes` of memory. Commits go on meanwhile; where pages take twice as much,
 * they wait for it. There is no timer: a store that nobody writes to writes nothing.
 *
 * A checkpoint that finds the disk full is given up and changes nothing: the log keeps what the
 * file lacks. The next one is tried when the log has grown some more.
 *
 * After a checkpoint, segments of the log go whose groups the older of the file's two generations
 * has, too: should the newer be damaged, the other and the log make it again. Where there is an
 * archive they go there.
 */

import { AssertionError } from '../base/assert.ts'
import { isKvError } from '../base/errors.ts'
import { checkpoint, checkpointSync } from '../engine/checkpoint.ts'
import type { Engine } from '../engine/engine.ts'
import type { Log } from '../wal/log.ts'
import type { Archiver } from './archiver.ts'

export interface CheckpointLimits {
  /** How much the log may grow between two checkpoints, in bytes. */
  readonly logBytes: number
  /** How much memory pages may take that the file doesn't have, in bytes, until one begins. */
  readonly dirtyBytes: number
}

/** What a checkpoint did. */
export interface CheckpointReport {
  /** The file's newest generation. */
  readonly txid: number
  /** Segments of the log that went. */
  readonly droppedSegments: number
}

export interface CheckpointListener {
  /** Told after each checkpoint. */
  readonly onCheckpoint?: ((report: CheckpointReport) => void) | undefined
  /** Told of each one that was given up. */
  readonly onCheckpointFailed?: ((error: Error) => void) | undefined
}

/** Beyond this many times the limit writers wait. */
const HARD_FACTOR = 2
/** After one that was given up the next is tried when the log has grown by this part of a limit. */
const RETRY_PARTS = 8
/** What a checkpoint itself writes to the log, at most. */
const RECORD_BYTES = 64

export class Checkpointer {
  readonly #engine: Engine
  readonly #log: Log
  readonly #archiver: Archiver | undefined
  readonly #limits: CheckpointLimits
  readonly #listener: CheckpointListener
  /** The log's length at the last checkpoint. */
  #baseBytes: number
  /** Nothing is tried before the log is that long. */
  #retryBytes = 0
  /** Why the last one was given up. */
  #failure: Error | undefined
  #running: Promise<void> | undefined
  #isPlanned = false
  #isClosed = false

  constructor(
    setup: {
      readonly engine: Engine
      readonly log: Log
      readonly archiver?: Archiver | undefined
      readonly limits: CheckpointLimits
    },
    listener: CheckpointListener,
  ) {
    this.#engine = setup.engine
    this.#log = setup.log
    this.#archiver = setup.archiver
    this.#limits = setup.limits
    this.#listener = listener
    this.#baseBytes = 0
  }

  /** Why the last checkpoint was given up; undefined where it was not. */
  get failure(): Error | undefined {
    return this.#failure
  }

  /** How much the log has grown since the last checkpoint, in bytes. */
  get grownBytes(): number {
    return this.#log.appendedBytes - this.#baseBytes
  }

  /** A commit was made: begins a checkpoint where one is due. */
  committed(): void {
    if (this.#isPlanned || !this.#isDue() || this.#isClosed) return
    this.#isPlanned = true
    // Not within the commit that made it due.
    setImmediate(() => {
      this.#isPlanned = false
      if (this.#isDue() && !this.#isClosed) void this.#start()
    })
  }

  /**
   * What writers must wait for before they go on; undefined: nothing. Rejects with what keeps the
   * file from being brought on.
   */
  obstacle(): Promise<void> | undefined {
    if (!this.#isOverfull()) return undefined
    return this.#wait()
  }

  /** As `obstacle`, for writers that can't wait: brings the file on before it returns. */
  clearSync(): void {
    if (!this.#isOverfull()) return
    // One that is under way can't be waited for here; memory grows on until the caller pauses.
    if (this.#running !== undefined || this.#engine.isCheckpointing) return
    this.#log.reserve(RECORD_BYTES, { isEmergency: true }).release()
    const beganBytes = this.#log.appendedBytes
    checkpointSync(this.#engine)
    this.#finished(beganBytes)
    void this.dropSegments()
  }

  /** Brings the file to where the log is now. */
  async run(): Promise<void> {
    while (this.#running !== undefined) await this.#settled()
    await this.#start()
  }

  /** Waits for what is under way, and begins no more. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#settled()
  }

  #isDue(): boolean {
    if (this.#running !== undefined) return false
    if (this.#log.appendedBytes < this.#retryBytes) return false
    if (this.grownBytes >= this.#limits.logBytes) return true
    return this.#engine.dirtyBytes >= this.#limits.dirtyBytes
  }

  #isOverfull(): boolean {
    return this.#engine.dirtyBytes >= HARD_FACTOR * this.#limits.dirtyBytes
  }

  async #wait(): Promise<void> {
    this.#failure = undefined
    await (this.#running ?? this.#start())
    const { failure } = this
    if (failure !== undefined) throw failure
  }

  /** Never rejects: see `#failure`. */
  #start(): Promise<void> {
    this.#running = this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #settled(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    this.#failure = undefined
    try {
      const reservation = await this.#log.reserveAsync(RECORD_BYTES, { isEmergency: true })
      reservation.release()
      const beganBytes = this.#log.appendedBytes
      await checkpoint(this.#engine)
      this.#finished(beganBytes)
      await this.dropSegments()
    } catch (error) {
      // Where it is not for want of room the engine is poisoned, and says so to everybody.
      this.#failure = error instanceof Error ? error : new Error(String(error))
      this.#listener.onCheckpointFailed?.(this.#failure)
      const { appendedBytes } = this.#log
      if (!isKvError(error, 'KV_NO_SPACE')) return
      this.#retryBytes = appendedBytes + Math.ceil(this.#limits.logBytes / RETRY_PARTS)
    }
  }

  /** The file is at where the log was when it was `beganBytes` long. */
  #finished(beganBytes: number): void {
    this.#baseBytes = beganBytes
    this.#retryBytes = 0
  }

  /** Lets go of the segments that neither of the file's generations needs. */
  async dropSegments(): Promise<void> {
    const { newest, previous } = this.#engine.generations
    let dropped: readonly string[] = []
    try {
      // The older generation needs what follows it.
      if (previous !== undefined) {
        dropped = await this.#log.dropBefore(previous + 1, this.#archiver?.directory)
      }
      if (dropped.length > 0) this.#archiver?.archived()
    } catch (error) {
      // A segment that stays takes room and harms nobody.
      if (error instanceof AssertionError) throw error
    }
    this.#listener.onCheckpoint?.({ txid: newest, droppedSegments: dropped.length })
  }
}
