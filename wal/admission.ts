/**
 * Admission: room in the log is promised before anything is changed in memory.
 *
 * A reservation is granted when it fits, together with all others that are open, either into what
 * is left of the segment being filled or into the one prepared, and an emergency reserve stays
 * free. Both are zero-filled already, so that a write that was admitted can't run out of space. The
 * emergency reserve is for what gives room back: delete, compact, checkpoint, close.
 */

import { KvError } from '../base/errors.ts'
import { PAYLOAD_SIZE_MAX, SEGMENT_HEADER_SIZE, frameSize } from './format.ts'
import type { Preparation } from './preparation.ts'

export interface ReserveOptions {
  /** May use the emergency reserve. Default false. */
  readonly isEmergency?: boolean
}

/** Room for one group. Ends with `append`, or with `release()`. */
export interface Reservation {
  readonly sizeBytes: number
  /** Gives the room back. Idempotent. */
  release(): void
}

/** What admission has to know of the log. */
export interface LogRoom {
  /** What is left of the segment being filled, in bytes. */
  readonly leftBytes: number
  /** Encoded and not yet durable. */
  readonly pendingBytes: number
  readonly nextSegmentBytes: number
}

export interface AdmissionLimits {
  readonly maxPendingBytes: number
  readonly emergencyBytes: number
}

export class Admission {
  readonly #log: LogRoom
  readonly #preparation: Preparation
  readonly #limits: AdmissionLimits
  #reservedBytes = 0

  constructor(log: LogRoom, preparation: Preparation, limits: AdmissionLimits) {
    this.#log = log
    this.#preparation = preparation
    this.#limits = limits
  }

  /** How long a segment must be that all who have a reservation fit into. */
  get promisedSegmentBytes(): number {
    return SEGMENT_HEADER_SIZE + this.#reservedBytes + this.#limits.emergencyBytes
  }

  /** Grants room for a payload, preparing a segment where needed, which blocks. */
  reserve(payloadBytes: number, options: ReserveOptions): Reservation {
    const need = this.#need(payloadBytes, options)
    if (!this.#fits(need)) {
      this.#mayTry(need)
      this.#preparation.makeReady(this.#segmentFor(need))
    }
    return this.#grant(need.sizeBytes)
  }

  /** As `reserve`, without blocking. */
  async reserveAsync(payloadBytes: number, options: ReserveOptions): Promise<Reservation> {
    let isTried = false
    for (;;) {
      const need = this.#need(payloadBytes, options)
      if (this.#fits(need)) return this.#grant(need.sizeBytes)
      const { isRunning, isClosed, failure } = this.#preparation
      if (isClosed) throw new KvError('KV_CLOSED', 'the log is closed', { outcome: 'none' })
      // Without a failure, somebody else was quicker to take what had been prepared.
      if (isTried && !isRunning && failure !== undefined) throw refusal(failure)
      isTried ||= !isRunning
      this.#preparation.start(this.#segmentFor(need))
      await this.#preparation.settled()
    }
  }

  /** Whether a record of that size can be appended now, beside what is reserved. */
  fits(payloadBytes: number): boolean {
    const sizeBytes = frameSize(payloadBytes)
    const total = this.#reservedBytes + sizeBytes + this.#limits.emergencyBytes
    return payloadBytes <= PAYLOAD_SIZE_MAX && this.#fits({ sizeBytes, total })
  }

  #need(payloadBytes: number, options: ReserveOptions): Need {
    mustBeRecordable(payloadBytes)
    const sizeBytes = frameSize(payloadBytes)
    const { pendingBytes } = this.#log
    const waiting = pendingBytes + this.#reservedBytes
    if (waiting > 0 && waiting + sizeBytes > this.#limits.maxPendingBytes) {
      throw new KvError('KV_BUSY', `the log has ${waiting} bytes waiting to be written`)
    }
    const reserve = options.isEmergency === true ? 0 : this.#limits.emergencyBytes
    return { sizeBytes, total: this.#reservedBytes + sizeBytes + reserve }
  }

  #fits(need: Need): boolean {
    const prepared = this.#preparation.readySizeBytes - SEGMENT_HEADER_SIZE
    return need.total <= this.#log.leftBytes || need.total <= prepared
  }

  #segmentFor(need: Need): number {
    return Math.max(this.#log.nextSegmentBytes, SEGMENT_HEADER_SIZE + need.total)
  }

  /** Refuses at once while the disk is known to be full; another try runs behind it. */
  #mayTry(need: Need): void {
    const { failure } = this.#preparation
    if (failure === undefined) return
    this.#preparation.start(this.#segmentFor(need))
    throw refusal(failure)
  }

  #grant(sizeBytes: number): Reservation {
    this.#reservedBytes += sizeBytes
    let isOpen = true
    return {
      sizeBytes,
      release: () => {
        if (isOpen) this.#reservedBytes -= sizeBytes
        isOpen = false
      },
    }
  }
}

interface Need {
  readonly sizeBytes: number
  /** With all other reservations, and what must stay free. */
  readonly total: number
}

/** @throws {KvError} `KV_REQUEST_TOO_LARGE` */
export function mustBeRecordable(payloadBytes: number): void {
  if (payloadBytes <= PAYLOAD_SIZE_MAX) return
  const limit = `a transaction's record has at most ${PAYLOAD_SIZE_MAX}`
  throw new KvError('KV_REQUEST_TOO_LARGE', `${payloadBytes} bytes; ${limit}`)
}

function refusal(failure: unknown): unknown {
  if (!(failure instanceof KvError)) return failure
  return new KvError(failure.code, failure.message, { cause: failure, outcome: 'none' })
}
