import { describe, expect, test } from 'vitest'
import { median, speedRatios, summarize } from './statistics.ts'

describe('statistics', () => {
  test('the median of an even number of samples lies between the two in the middle', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([9, 1, 5])).toBe(5)
  })

  test('the median of nothing is a RangeError', () => {
    expect(() => median([])).toThrow(/^values: /)
  })

  test('one slow round moves the spread, not the median', () => {
    expect(summarize([10, 10, 10, 10, 60])).toEqual({ median: 10, min: 10, max: 60, spread: 5 })
  })

  test('a side that takes half the time is twice as fast, round by round', () => {
    expect(speedRatios([5, 50], [10, 100])).toEqual([2, 2])
    expect(() => speedRatios([1], [1, 2])).toThrow(RangeError)
  })
})
