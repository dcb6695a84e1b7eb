import { describe, expect, test } from 'vitest'
import { Capture } from '../proptest/capture.ts'
import { Progress } from './progress.ts'
import { Screen } from './screen.ts'

function run(output: Capture, steps: readonly (readonly [ms: number, done: number])[]): string {
  let ms = 0
  const screen = new Screen(output, { NO_COLOR: '1' })
  const progress = new Progress(screen, { total: 1000, noun: 'commits', now: () => ms })
  for (const [at, done] of steps) {
    ms = at
    progress.update(done)
  }
  progress.clear()
  return output.text
}

describe('Progress', () => {
  test('draws a bar with rate and estimate on a terminal, and takes it away', () => {
    const text = run(new Capture({ isTTY: true }), [
      [50, 10],
      [1000, 250],
    ])
    const [first, second, ...rest] = text.split('\r').slice(1)
    expect(first).toBe('  ██████░░░░░░░░░░░░░░░░░░  25 %  250 commits, 250/s, 3 s left\u001b[K')
    expect(second).toBe('\u001b[K')
    expect(rest).toEqual([])
  })

  test('fits a narrow terminal', () => {
    const text = run(new Capture({ isTTY: true, columns: 60 }), [[5000, 999]])
    expect(text).toContain('████████  99 %  999 commits, 200/s, 0 s left')
  })

  test('prints lines elsewhere, at tenths of the way and not too often', () => {
    const text = run(new Capture(), [
      [100, 150],
      [3000, 300],
      [3100, 500],
      [6000, 350],
      [9000, 900],
      [12_000, 1000],
    ])
    expect(text.split('\n')).toEqual([
      '   30 %  300 commits, 100/s, 7 s left',
      '   90 %  900 commits, 100/s, 1 s left',
      '',
    ])
  })
})
