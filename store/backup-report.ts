/**
 * How far a backup has come, who is told of it, and how long it may be at it without a pause.
 *
 * It works for a moment and lets others run. Where somebody wrote meanwhile it also rests several
 * times as long as it worked: a commit waits for it for a small part of the time only.
 */

import type { Clock } from '../base/clock.ts'
import type { Pace } from '../snapshot/backup-image.ts'
import { nextTurn } from './pause.ts'
import type { BackupProgress } from './types/backup.ts'

/** How long a piece of work may take while others write, in ms: what a commit waits for. */
const WORK_MS = 0.5
/** How long where nobody did of late: what the first one that comes waits for. */
const WORK_ALONE_MS = 2
/** Pauses without a commit after which it is alone. */
const ALONE_PAUSES = 100
/** How long it rests for each ms of work while others write. */
const REST_PER_WORK = 8
/** No more often is anybody told. */
const TOLD_EVERY_MS = 50

type Phase = BackupProgress['phase']

export interface BackupReportSetup {
  readonly clock: Clock
  /** Goes up with every commit. */
  readonly txid: () => number
  /** Throws where the backup is to stop. */
  readonly mayGoOn: () => void
}

/** Bytes that each phase goes through; estimates until it is done. */
export type Expected = Readonly<Record<Phase, number>>

export class BackupReport implements Pace {
  readonly #listener: ((progress: BackupProgress) => void) | undefined
  readonly #setup: BackupReportSetup
  readonly #beganMs: number
  readonly #done: Record<Phase, number> = { check: 0, write: 0, verify: 0 }
  #expected: Expected = { check: 0, write: 0, verify: 0 }
  #phase: Phase = 'check'
  #workedSinceMs: number
  #toldMs = -Infinity
  #copiedPages = (): number => 0
  #txid: number
  /** Pauses since somebody wrote. */
  #quietPauses = 0

  constructor(
    listener: ((progress: BackupProgress) => void) | undefined,
    setup: BackupReportSetup,
  ) {
    this.#listener = listener
    this.#setup = setup
    this.#beganMs = setup.clock.monotonicMs()
    this.#workedSinceMs = this.#beganMs
    this.#txid = setup.txid()
  }

  /** Pages are copied on write from now on: `count` says how many were. */
  countCopied(count: () => number): void {
    this.#copiedPages = count
  }

  expect(expected: Expected): void {
    this.#expected = expected
  }

  /** So many bytes more. */
  add(phase: Phase, byteCount: number): void {
    this.#setup.mayGoOn()
    this.#phase = phase
    this.#done[phase] = Math.min(this.#expected[phase], this.#done[phase] + byteCount)
    const nowMs = this.#setup.clock.monotonicMs()
    if (nowMs - this.#toldMs < TOLD_EVERY_MS) return
    this.#toldMs = nowMs
    this.#tell(nowMs)
  }

  get isDue(): boolean {
    const workMs = this.#quietPauses < ALONE_PAUSES ? WORK_MS : WORK_ALONE_MS
    return this.#setup.clock.monotonicMs() - this.#workedSinceMs >= workMs
  }

  async pause(): Promise<void> {
    const { clock, txid, mayGoOn } = this.#setup
    const workedMs = clock.monotonicMs() - this.#workedSinceMs
    await nextTurn()
    const newest = txid()
    this.#quietPauses++
    if (newest !== this.#txid) {
      this.#quietPauses = 0
      this.#txid = newest
      await new Promise<void>((resolve) => {
        clock.setTimer(workedMs * REST_PER_WORK, resolve)
      })
    }
    mayGoOn()
    this.#workedSinceMs = clock.monotonicMs()
  }

  /** All is done, and said so. Returns how long it took, in ms. */
  finish(): number {
    for (const phase of ['check', 'write', 'verify'] as const) {
      this.#done[phase] = this.#expected[phase]
    }
    const nowMs = this.#setup.clock.monotonicMs()
    this.#tell(nowMs)
    return nowMs - this.#beganMs
  }

  #tell(nowMs: number): void {
    if (this.#listener === undefined) return
    const doneBytes = sum(this.#done)
    const totalBytes = sum(this.#expected)
    const tookMs = nowMs - this.#beganMs
    const bytesPerMs = tookMs > 0 ? doneBytes / tookMs : 0
    this.#listener({
      phase: this.#phase,
      doneBytes,
      totalBytes,
      bytesPerSecond: bytesPerMs * 1000,
      remainingMs: bytesPerMs > 0 ? (totalBytes - doneBytes) / bytesPerMs : undefined,
      copiedPages: this.#copiedPages(),
    })
  }
}

function sum({ check, write, verify }: Expected): number {
  return check + write + verify
}
