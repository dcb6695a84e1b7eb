import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { DiffLine } from './line-diff.ts'
import { diffLines } from './line-diff.ts'

/** The length of the longest common subsequence, by the textbook's table. */
function commonLength(a: readonly string[], b: readonly string[]): number {
  let row = b.map(() => 0)
  for (const left of a) {
    const next: number[] = []
    b.forEach((right, j) => {
      const best = Math.max(row[j] ?? 0, next[j - 1] ?? 0)
      next.push(left === right ? (row[j - 1] ?? 0) + 1 : best)
    })
    row = next
  }
  return row.at(-1) ?? 0
}

function side(lines: readonly DiffLine[], left: '-' | '+'): readonly string[] {
  return lines.filter(({ kind }) => kind !== left).map((line) => line.text)
}

const texts = fc.array(fc.constantFrom('a', 'b', 'c', 'd', '}'), { maxLength: 40 })

describe('diffLines()', () => {
  test('leads from the old text to the new one, by the fewest lines', () => {
    fc.assert(
      fc.property(texts, texts, (before, after) => {
        const lines = diffLines(before, after)
        expect(side(lines, '+')).toEqual(before)
        expect(side(lines, '-')).toEqual(after)
        const kept = lines.filter(({ kind }) => kind === ' ').length
        expect(kept).toBe(commonLength(before, after))
      }),
    )
  })

  test('numbers lines by the text that they are in', () => {
    fc.assert(
      fc.property(texts, texts, (before, after) => {
        for (const { kind, text, number } of diffLines(before, after)) {
          expect((kind === '-' ? before : after)[number - 1]).toBe(text)
        }
      }),
    )
  })

  test('tells texts that have little in common as one and then the other', () => {
    const before = Array.from({ length: 3000 }, (_, i) => `old ${i}`)
    const after = ['first', ...Array.from({ length: 3000 }, (_, i) => `new ${i}`)]
    const lines = diffLines(['same', ...before], ['same', ...after])
    expect(lines.length).toBe(1 + before.length + after.length)
    expect(side(lines, '+')).toEqual(['same', ...before])
    expect(side(lines, '-')).toEqual(['same', ...after])
  })
})
