import { expect, test } from 'vitest'
import { Latencies } from './latency-summary.ts'

test('summarize() finds the middle, the hundredth and the longest of what was noted', () => {
  const latencies = new Latencies()
  for (let i = 100_000; i >= 1; i--) latencies.note(i)
  expect(latencies.summarize()).toEqual({
    count: 100_000,
    p50Us: 50_001,
    p99Us: 99_001,
    maxUs: 100_000,
  })
})

test('summarize() of nothing is all zero', () => {
  expect(new Latencies().summarize()).toEqual({ count: 0, p50Us: 0, p99Us: 0, maxUs: 0 })
})
