import { describe, expect, test } from 'vitest'
import type { Survey, SurveyKind } from '../../engine/index.ts'
import { mapPages } from './page-map.ts'

const KINDS: Readonly<Record<string, SurveyKind>> = {
  m: 'meta',
  a: 'leaf',
  b: 'leaf',
  B: 'overflow',
  '.': 'free',
  '!': 'damaged',
  '?': 'unreached',
}

/** A survey of pages drawn as text: a and b are leaves of two buckets, B overflow of b. */
function drawn(pages: string): Survey {
  const bucketOf = (glyph: string | undefined): number | undefined =>
    glyph === 'a' ? 1 : glyph === 'b' || glyph === 'B' ? 2 : undefined
  const top = (bucket: number) => ({
    bucket,
    branchPages: 0,
    leafPages: pages.split('').filter((glyph) => bucketOf(glyph) === bucket).length,
    overflowPages: 0,
    damagedPages: 0,
    keys: 0,
    buckets: 0,
    inuseBytes: 0,
  })
  const path = (name: string) => [Buffer.from(name)]
  const bucket = { isInline: false, sequence: 0n }
  return {
    meta: undefined,
    isByHeaders: false,
    pageSizeBytes: 4096,
    pageCount: pages.length,
    missingPages: 0,
    buckets: [
      { ...bucket, path: [], top: 0 },
      { ...bucket, path: path('a'), top: 1 },
      { ...bucket, path: path('b'), top: 2 },
    ],
    tops: [top(0), top(1), top(2)],
    problems: [],
    problemsOmitted: 0,
    kind: (pgid) => KINDS[pages[pgid] ?? ''] ?? 'unreached',
    bucket: (pgid) => bucketOf(pages[pgid]),
    items: () => 0,
    overflow: () => 0,
    inuse: () => 0,
  }
}

function glyphs(pages: string, columns: number): string {
  return mapPages(drawn(pages), columns)
    .cells.map(({ glyph }) => glyph)
    .join('')
}

describe('mapPages()', () => {
  test('draws each page of a small file: the largest bucket is A', () => {
    expect(glyphs('mmabBBB..!?', 64)).toBe('%%BAaaa··!?')
  })

  test('joins neighbours, as few as make the map fit', () => {
    const map = mapPages(drawn('a'.repeat(1024 * 3)), 70)
    expect(map).toMatchObject({ cellsPerRow: 64, pagesPerCell: 4, pages: 3072 })
    expect(map.cells).toHaveLength(768)
    expect(mapPages(drawn('a'.repeat(1024)), 64).pagesPerCell).toBe(1)
  })

  test.each([
    ['aaab', 'A'],
    ['aa..', 'A'],
    ['a...', ':'],
    ['....', '·'],
    ['bBBB', 'a'],
    ['...!', '!'],
    ['aaa?', '?'],
  ])('%s in one cell is %s', (four, glyph) => {
    // 1024 pages on 16 × 16 cells; bucket a is the largest, or b where it stands alone.
    const rest = (four.includes('b') && !four.includes('a') ? 'b' : 'a').repeat(1020)
    expect(glyphs(four + rest, 16).at(0)).toBe(glyph)
  })
})
