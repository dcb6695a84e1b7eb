import { describe, expect, test } from 'vitest'
import { CheckpointSpans } from './checkpoint-spans.ts'

function spansOf(...times: readonly number[]): CheckpointSpans {
  const spans = new CheckpointSpans()
  for (const time of times) spans.changed(time)
  return spans
}

describe('CheckpointSpans', () => {
  test('takes changes that are close to one another for one checkpoint', () => {
    const spans = spansOf(1000, 1200, 1400, 3000, 3010)
    expect(spans.doneCount(3020)).toBe(1)
    expect(spans.doneCount(3500)).toBe(2)
    expect(spans.changingMs).toBe(410)
  })

  test('counts a pause that ends shortly before the first change: the checkpoint began in it', () => {
    const spans = spansOf(1000, 1200)
    expect(spans.overlap({ begun: 700, ended: 950 })).toBe(true)
    expect(spans.overlap({ begun: 700, ended: 850 })).toBe(false)
  })

  test('counts what begins shortly after the last change, and what spans the whole', () => {
    const spans = spansOf(1000, 1200)
    expect(spans.overlap({ begun: 1250, ended: 1260 })).toBe(true)
    expect(spans.overlap({ begun: 1350, ended: 1360 })).toBe(false)
    expect(spans.overlap({ begun: 0, ended: 9000 })).toBe(true)
  })

  test('overlaps with nothing where there was no checkpoint', () => {
    expect(spansOf().overlap({ begun: 0, ended: 9000 })).toBe(false)
    expect(spansOf().doneCount(9000)).toBe(0)
  })
})
