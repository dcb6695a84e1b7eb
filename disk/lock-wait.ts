/**
 * Waiting for a lock: one loop for every disk and every way of locking.
 *
 * Polls, since no way of locking here can be waited for and given up again: at once, then after 1
 * ms, 2, 4 … 50 ms. Waiters are not served in order.
 */

import { KvError } from '../base/errors.ts'
import type { Clock } from '../base/clock.ts'
import type { LockOptions } from './disk.ts'

const POLL_MS_MAX = 50

/** What is tried, over and over. */
export interface LockAttempt {
  /** The locked file, for messages. */
  readonly path: string
  /** One try; true when the lock is ours. */
  attempt(): boolean | Promise<boolean>
  /** Gives the lock back when it came after the caller had given up. */
  undo(): void | Promise<void>
  /**
   * Words for the present owner, like "by process 7", or '' where unknown. Asked once, for the
   * message.
   */
  describeOwner(): string
}

/**
 * Resolves when `target.attempt()` returned true. Rejects with `KV_LOCKED` when it has not within
 * `options.timeoutMs`, with `signal.reason` on abort, and with whatever `attempt` throws. No timer
 * or listener is left behind.
 */
export async function waitForLock(
  target: LockAttempt,
  options: LockOptions,
  clock: Clock,
): Promise<void> {
  const { timeoutMs, signal } = options
  if (!(timeoutMs >= 0)) {
    throw new RangeError(`timeoutMs: expected 0 or more, or Infinity, got ${timeoutMs}`)
  }
  signal?.throwIfAborted()
  const deadlineMs = clock.monotonicMs() + timeoutMs
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, POLL_MS_MAX)) {
    const isTaken = await target.attempt()
    if (signal?.aborted === true) {
      if (isTaken) await target.undo()
      throw signal.reason
    }
    if (isTaken) return
    const leftMs = deadlineMs - clock.monotonicMs()
    if (leftMs <= 0) throw lockedError(target, options)
    await pause(Math.min(pauseMs, leftMs), signal, clock)
  }
}

/**
 * The error of a lock on a file that its path no longer names: the lock is worth nothing. The
 * caller tells this case by comparing `disk.identityOf(file.path)` with `file.identity()`, and may
 * open again.
 */
export function replacedError(path: string, isGone: boolean): KvError {
  const what = isGone ? 'removed' : 'replaced'
  return new KvError(
    'KV_IO',
    `${path}: lock: the file was ${what} before it was locked; open it again`,
  )
}

function lockedError(target: LockAttempt, options: LockOptions): KvError {
  const owner = target.describeOwner() || 'by another handle or process'
  const waited = options.timeoutMs === 0 ? '' : ` (waited ${options.timeoutMs} ms)`
  return new KvError('KV_LOCKED', `${target.path}: locked ${owner}${waited}`)
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it is aborted. */
function pause(delayMs: number, signal: AbortSignal | undefined, clock: Clock): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    const onAbort = (): void => {
      cancel()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
