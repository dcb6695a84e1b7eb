import { describe, expect, test } from 'vitest'
import { FakeClock, systemClock } from './clock.ts'

describe('FakeClock', () => {
  test('advance() runs timers in the order they are due, ties in the order they were set', () => {
    const clock = new FakeClock()
    const ran: string[] = []
    clock.setTimer(20, () => ran.push(`b at ${clock.monotonicMs()}`))
    clock.setTimer(10, () => ran.push(`a at ${clock.monotonicMs()}`))
    clock.setTimer(20, () => ran.push(`c at ${clock.monotonicMs()}`))
    clock.advance(19)
    expect(ran).toEqual(['a at 10'])
    clock.advance(1)
    expect(ran).toEqual(['a at 10', 'b at 20', 'c at 20'])
    expect(clock.timerCount).toBe(0)
  })

  test('advance() runs timers that timers set, if they fall due meanwhile', () => {
    const clock = new FakeClock()
    const ran: number[] = []
    const again = (): void => {
      ran.push(clock.monotonicMs())
      clock.setTimer(10, again)
    }
    clock.setTimer(10, again)
    clock.advance(35)
    expect(ran).toEqual([10, 20, 30])
    expect(clock.monotonicMs()).toBe(35)
  })

  test('a cancelled timer does not run', () => {
    const clock = new FakeClock()
    const cancel = clock.setTimer(1, () => {
      throw new Error('it ran')
    })
    cancel()
    clock.advance(10)
    expect(clock.timerCount).toBe(0)
  })

  test('advanceAsync() lets a loop of await and sleep go on', async () => {
    const clock = new FakeClock()
    let rounds = 0
    const sleep = (): Promise<void> => new Promise((resolve) => clock.setTimer(10, resolve))
    const loop = async (): Promise<void> => {
      for (; rounds < 5; rounds++) await sleep()
    }
    const done = loop()
    await clock.advanceAsync(50)
    await done
    expect(rounds).toBe(5)
  })

  test('setWallMs() moves the wall clock alone', () => {
    const clock = new FakeClock(1000)
    clock.advance(5)
    expect(clock.wallMs()).toBe(1005)
    clock.setWallMs(50)
    clock.advance(5)
    expect(clock.wallMs()).toBe(55)
    expect(clock.monotonicMs()).toBe(10)
  })
})

describe('systemClock', () => {
  test('a timer runs once, later; a cancelled one does not', async () => {
    const ran: string[] = []
    await new Promise<void>((resolve) => {
      const cancel = systemClock.setTimer(0, () => ran.push('cancelled'))
      cancel()
      systemClock.setTimer(1, () => {
        ran.push('kept')
        resolve()
      })
      expect(ran).toEqual([])
    })
    expect(ran).toEqual(['kept'])
  })

  test('monotonicMs() does not go back', () => {
    const before = systemClock.monotonicMs()
    expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(before)
    expect(systemClock.wallMs()).toBeGreaterThan(1.7e12)
  })
})
