/**
 * The map of a file's pages: a row of cells, each one page or some neighbouring pages, as a letter
 * or sign that is distinct without colours, too.
 */
import type { Survey, SurveyKind } from '../../engine/index.ts'

/** Rows of the map at most; where there are more pages, a cell stands for several. */
const ROWS_MAX = 16
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
/** Buckets that have no letter of their own any more. */
export const OTHER_LETTER = '#'
export const ROOT_LETTER = '@'

export const SIGNS = {
  meta: '%',
  freelist: '=',
  branch: '+',
  free: '·',
  mostlyFree: ':',
  unreached: '?',
  damaged: '!',
  missing: '×',
} as const

/** One cell. `top` is the bucket whose colour it has, as an index into the survey's tops. */
export interface Cell {
  readonly glyph: string
  readonly top: number | undefined
}

export interface PageMap {
  readonly cells: readonly Cell[]
  readonly cellsPerRow: number
  readonly pagesPerCell: number
  /** Pages that are drawn. */
  readonly pages: number
  /** By index of top-level bucket: the root's is `ROOT_LETTER`. */
  readonly letters: readonly string[]
}

/** Pages of each top-level bucket, by index. */
export function pagesOfTops(survey: Survey): readonly number[] {
  return survey.tops.map((top) => top.branchPages + top.leafPages + top.overflowPages)
}

/** Letters by size: the largest bucket is A. */
export function lettersOf(survey: Survey): readonly string[] {
  const sizes = pagesOfTops(survey)
  const order = sizes.map((_, top) => top).slice(1)
  order.sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0) || a - b)
  const letters = sizes.map(() => OTHER_LETTER)
  letters[0] = ROOT_LETTER
  order.forEach((top, rank) => {
    letters[top] = LETTERS[rank] ?? OTHER_LETTER
  })
  return letters
}

/** `columns`: how many cells fit in a row of the screen. */
export function mapPages(survey: Survey, columns: number): PageMap {
  const mark = survey.meta?.highWaterMark ?? survey.pageCount
  const present = Math.min(mark, survey.pageCount)
  const pages = present + survey.missingPages
  const cellsPerRow = Math.max(16, Math.floor(columns / 16) * 16)
  let pagesPerCell = 1
  while (pages / pagesPerCell > cellsPerRow * ROWS_MAX) pagesPerCell *= 2
  const letters = lettersOf(survey)
  const cells: Cell[] = []
  for (let first = 0; first < pages; first += pagesPerCell) {
    const end = Math.min(first + pagesPerCell, pages)
    cells.push(cellOf(survey, letters, first, end))
  }
  return { cells, cellsPerRow, pagesPerCell, pages, letters }
}

/** What a page is drawn as, and as what it counts where a cell stands for several. */
function pageCell(survey: Survey, letters: readonly string[], pgid: number): Cell {
  if (pgid >= survey.pageCount) return { glyph: SIGNS.missing, top: undefined }
  const kind = survey.kind(pgid)
  const bucket = survey.bucket(pgid)
  const top = bucket === undefined ? undefined : survey.buckets[bucket]?.top
  const letter = top === undefined ? undefined : letters[top]
  return { glyph: glyphOf(kind, letter), top: kind === 'damaged' ? undefined : top }
}

function glyphOf(kind: SurveyKind, letter: string | undefined): string {
  switch (kind) {
    case 'leaf':
      return letter ?? 'L'
    case 'overflow':
      return (letter ?? 'L').toLowerCase()
    case 'ahead':
      return SIGNS.free
    default:
      return SIGNS[kind]
  }
}

/**
 * The most frequent page of a cell, of those in use. Damage and lost pages always show; a cell that
 * is free for the greater part has a sign of its own.
 */
function cellOf(survey: Survey, letters: readonly string[], first: number, end: number): Cell {
  if (end - first === 1) return pageCell(survey, letters, first)
  const counts = new Map<string, { readonly cell: Cell; count: number }>()
  for (let pgid = first; pgid < end; pgid++) {
    const cell = pageCell(survey, letters, pgid)
    const name = `${cell.glyph} ${cell.top}`
    const known = counts.get(name)
    if (known === undefined) counts.set(name, { cell, count: 1 })
    else known.count++
  }
  const found = [...counts.values()]
  for (const sign of [SIGNS.damaged, SIGNS.missing, SIGNS.unreached]) {
    const seen = found.find(({ cell }) => cell.glyph === sign)
    if (seen !== undefined) return seen.cell
  }
  const free = found.find(({ cell }) => cell.glyph === SIGNS.free)
  if (free !== undefined && found.length === 1) return free.cell
  if (free !== undefined && free.count * 2 > end - first) {
    return { glyph: SIGNS.mostlyFree, top: undefined }
  }
  const used = found.filter((each) => each !== free)
  const most = used.reduce((best, each) => (each.count > best.count ? each : best))
  return most.cell
}
