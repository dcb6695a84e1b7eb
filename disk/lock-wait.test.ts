import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../base/clock.ts'
import { isKvError } from '../base/errors.ts'
import { waitForLock } from './lock-wait.ts'
import type { LockOptions } from './disk.ts'
import type { LockAttempt } from './lock-wait.ts'

/** A lock that is free from some moment on, and notes what is done with it. */
class TimedLock implements LockAttempt {
  readonly path = '/file'
  readonly triesMs: number[] = []
  undone = 0
  readonly #clock: FakeClock
  readonly #freeAtMs: number

  constructor(clock: FakeClock, freeAtMs: number) {
    this.#clock = clock
    this.#freeAtMs = freeAtMs
  }

  attempt(): boolean {
    const nowMs = this.#clock.monotonicMs()
    this.triesMs.push(nowMs)
    return nowMs >= this.#freeAtMs
  }

  undo(): void {
    this.undone += 1
  }

  describeOwner(): string {
    return 'by process 7'
  }
}

const options = (timeoutMs: number, signal?: AbortSignal): LockOptions => ({
  kind: 'exclusive',
  method: 'auto',
  timeoutMs,
  signal,
})

describe('waitForLock()', () => {
  test('tries at once, then after 1, 2, 4 … at most 50 ms', async () => {
    const clock = new FakeClock()
    const lock = new TimedLock(clock, 200)
    const wait = waitForLock(lock, options(Infinity), clock)
    await clock.advanceAsync(300)
    await wait
    expect(lock.triesMs).toEqual([0, 1, 3, 7, 15, 31, 63, 113, 163, 213])
    expect(clock.timerCount).toBe(0)
  })

  test('a timeout of 0 is one try and no timer', async () => {
    const clock = new FakeClock()
    const lock = new TimedLock(clock, 1)
    await expect(waitForLock(lock, options(0), clock)).rejects.toThrow(
      /^\/file: locked by process 7$/,
    )
    expect(lock.triesMs).toEqual([0])
    expect(clock.timerCount).toBe(0)
  })

  test('tries once more when the time is up, then names owner and time', async () => {
    const clock = new FakeClock()
    const lock = new TimedLock(clock, 1000)
    const wait = waitForLock(lock, options(10), clock).catch((error: unknown) => error)
    await clock.advanceAsync(10)
    const error = await wait
    expect(isKvError(error, 'KV_LOCKED')).toBe(true)
    expect(String(error)).toContain('locked by process 7 (waited 10 ms)')
    expect(lock.triesMs).toEqual([0, 1, 3, 7, 10])
  })

  test('abort ends the wait at once and leaves no timer and no listener', async () => {
    const clock = new FakeClock()
    const controller = new AbortController()
    const lock = new TimedLock(clock, Infinity)
    const wait = waitForLock(lock, options(Infinity, controller.signal), clock)
    const outcome = wait.catch((error: unknown) => error)
    await clock.advanceAsync(100)
    expect(clock.timerCount).toBe(1)
    const reason = new Error('enough')
    controller.abort(reason)
    expect(await outcome).toBe(reason)
    expect(clock.timerCount).toBe(0)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  test('a lock that is taken leaves no listener on the signal', async () => {
    const clock = new FakeClock()
    const { signal } = new AbortController()
    const wait = waitForLock(new TimedLock(clock, 20), options(Infinity, signal), clock)
    await clock.advanceAsync(50)
    await wait
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('a lock that comes after the abort is given back', async () => {
    const clock = new FakeClock()
    const controller = new AbortController()
    const reason = new Error('enough')
    const lock = new TimedLock(clock, 0)
    const late: LockAttempt = {
      path: lock.path,
      attempt: async () => {
        controller.abort(reason)
        return lock.attempt()
      },
      undo: () => lock.undo(),
      describeOwner: () => '',
    }
    const wait = waitForLock(late, options(0, controller.signal), clock)
    await expect(wait).rejects.toBe(reason)
    expect(lock.undone).toBe(1)
  })

  test('what the try throws ends the wait', async () => {
    const clock = new FakeClock()
    const broken = { ...base('/x'), attempt: () => Promise.reject(new Error('broken')) }
    await expect(waitForLock(broken, options(Infinity), clock)).rejects.toThrow('broken')
    expect(clock.timerCount).toBe(0)
  })

  test('an owner that is not known is told so', async () => {
    const wait = waitForLock(base('/x'), options(0), new FakeClock())
    await expect(wait).rejects.toThrow('/x: locked by another handle or process')
  })
})

function base(path: string): LockAttempt {
  return { path, attempt: () => false, undo: () => undefined, describeOwner: () => '' }
}
