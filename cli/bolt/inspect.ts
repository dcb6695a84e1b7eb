/** `revbolt bolt inspect`: the picture of where the pages of a file went. */
import type { RawFile, Survey, SurveyKind } from '../../engine/index.ts'
import {
  alignRows,
  displayWidth,
  fit,
  formatBytes,
  formatCount,
  padEnd,
  padStart,
  plural,
} from '../format.ts'
import type { Screen, Style } from '../screen.ts'
import type { Call, Command, Setting } from './command.ts'
import { EXIT } from './command.ts'
import { chosenMeta, pathOf, withRawFile } from './opening.ts'
import { bar, heading, paragraph, percent, printJson } from './output.ts'
import type { Cell, PageMap } from './page-map.ts'
import { SIGNS, lettersOf, mapPages, pagesOfTops } from './page-map.ts'
import { nameOf, surveyFile } from './surveying.ts'
import type { JsonBytes } from './value-format.ts'
import { jsonBytes } from './value-format.ts'

/** Columns beside the cells of the map: the page's number and the frame. */
const MAP_MARGIN = 13
const BAR_WIDTH = 24
const BUCKETS_SHOWN = 20
const FILL_BINS = 10
const NAME_COLUMNS_MAX = 24

const PALETTE: readonly Style[] = ['cyan', 'green', 'yellow', 'magenta', 'blue']

/** Runs of neighbouring pages of one kind. */
interface Runs {
  readonly count: number
  readonly longest: number
}

export interface Picture {
  readonly survey: Survey
  readonly pagesByKind: Readonly<Record<SurveyKind, number>>
  readonly freeRuns: Runs
  /** Leaves by how full they are, in tenths. */
  readonly leafFill: readonly number[]
  readonly leafInuseBytes: number
  readonly leafBytes: number
  readonly treeInuseBytes: number
  readonly treeBytes: number
}

async function run(call: Call, setting: Setting): Promise<number> {
  return withRawFile(call, setting, async (file) => {
    const survey = await surveyFile(file, chosenMeta(call, file), { call, setting })
    const picture = pictureOf(survey)
    if (call.isJson) printJson(setting.screen, jsonPicture(file, picture))
    else print(call, file, picture, setting)
    const isWhole = survey.problems.length === 0 && survey.missingPages === 0
    return isWhole && survey.meta !== undefined ? EXIT.ok : EXIT.found
  })
}

function pictureOf(survey: Survey): Picture {
  const pagesByKind: Record<SurveyKind, number> = {
    unreached: 0,
    meta: 0,
    freelist: 0,
    branch: 0,
    leaf: 0,
    overflow: 0,
    free: 0,
    damaged: 0,
    ahead: 0,
  }
  const leafFill = new Array<number>(FILL_BINS).fill(0)
  let [leafInuseBytes, leafBytes, treeInuseBytes, treeBytes] = [0, 0, 0, 0]
  let [runs, longest, current] = [0, 0, 0]
  for (let pgid = 0; pgid < survey.pageCount; pgid++) {
    const kind = survey.kind(pgid)
    pagesByKind[kind]++
    if (kind === 'free') {
      if (current++ === 0) runs++
      longest = Math.max(longest, current)
    } else {
      current = 0
    }
    if ((kind !== 'leaf' && kind !== 'branch') || survey.isByHeaders) continue
    const bytes = (survey.overflow(pgid) + 1) * survey.pageSizeBytes
    const inuse = survey.inuse(pgid)
    treeBytes += bytes
    treeInuseBytes += inuse
    if (kind === 'branch') continue
    leafBytes += bytes
    leafInuseBytes += inuse
    const bin = Math.min(FILL_BINS - 1, Math.floor((inuse / bytes) * FILL_BINS))
    leafFill[bin] = (leafFill[bin] ?? 0) + 1
  }
  const freeRuns = { count: runs, longest }
  const sums = { leafInuseBytes, leafBytes, treeInuseBytes, treeBytes }
  return { survey, pagesByKind, freeRuns, leafFill, ...sums }
}

function print(call: Call, file: RawFile, picture: Picture, { screen }: Setting): void {
  const { survey } = picture
  const { meta, pageSizeBytes } = survey
  const map = mapPages(survey, screen.width - MAP_MARGIN)
  const facts = [
    formatBytes(file.sizeBytes),
    `${plural(map.pages, 'page')} of ${formatBytes(pageSizeBytes)}`,
    meta === undefined ? 'no meta can be used' : `transaction ${formatCount(meta.txid)}`,
  ]
  screen.print(`${screen.style('bold', pathOf(call))}  ${facts.join('  ·  ')}`)
  screen.print()
  printMap(screen, map)
  printLegend(screen, map, survey)
  if (!survey.isByHeaders) printBuckets(screen, picture, map.letters)
  printKinds(screen, picture)
  if (!survey.isByHeaders) printFree(screen, picture, file)
  if (!survey.isByHeaders) printFill(screen, picture)
  printProblems(call, screen, survey)
}

function printMap(screen: Screen, map: PageMap): void {
  const { cells, cellsPerRow, pagesPerCell } = map
  const width = Math.min(cellsPerRow, cells.length)
  const frame = (left: string, right: string): string =>
    screen.style('dim', `${' '.repeat(10)}${left}${'─'.repeat(width)}${right}`)
  screen.print(frame('┌', '┐'))
  for (let at = 0; at < cells.length; at += cellsPerRow) {
    const row = cells.slice(at, at + cellsPerRow)
    const number = padStart(String(at * pagesPerCell), 9)
    const edge = screen.style('dim', '│')
    const rest = ' '.repeat(width - row.length)
    screen.print(`${screen.style('dim', number)} ${edge}${showCells(screen, row)}${rest}${edge}`)
  }
  screen.print(frame('└', '┘'))
}

/** Neighbours that look alike are styled together. */
function showCells(screen: Screen, cells: readonly Cell[]): string {
  let line = ''
  let pending = ''
  let style: readonly Style[] = []
  for (const cell of cells) {
    const next = styleOf(cell)
    if (next.join() !== style.join()) {
      line += pending === '' ? '' : screen.style(style, pending)
      pending = ''
      style = next
    }
    pending += cell.glyph
  }
  return line + screen.style(style, pending)
}

function styleOf({ glyph, top }: Cell): readonly Style[] {
  if (top !== undefined && top > 0) return [colourOf(top), 'inverse']
  switch (glyph) {
    case SIGNS.damaged:
    case SIGNS.missing:
      return ['red', 'inverse', 'bold']
    case SIGNS.unreached:
      return ['red', 'bold']
    case SIGNS.free:
    case SIGNS.mostlyFree:
      return ['dim']
    default:
      return ['bold']
  }
}

function colourOf(top: number): Style {
  return PALETTE[(top - 1) % PALETTE.length] ?? 'cyan'
}

const SIGN_NAMES: readonly (readonly [sign: string, name: string])[] = [
  [SIGNS.meta, 'meta'],
  [SIGNS.freelist, 'freelist'],
  ['@', 'root'],
  [SIGNS.branch, 'branch'],
  [SIGNS.free, 'free'],
  [SIGNS.mostlyFree, 'mostly free'],
  ['#', 'a smaller bucket'],
  [SIGNS.unreached, 'nothing leads there'],
  [SIGNS.damaged, 'damaged'],
  [SIGNS.missing, 'beyond the file’s end'],
]

function printLegend(screen: Screen, map: PageMap, survey: Survey): void {
  const { cells, pagesPerCell } = map
  const seen = new Set(cells.map(({ glyph }) => glyph))
  const scale =
    pagesPerCell === 1
      ? 'each sign one page'
      : `each sign ${pagesPerCell} pages, ${formatBytes(pagesPerCell * survey.pageSizeBytes)}`
  const shown = SIGN_NAMES.filter(([sign]) => seen.has(sign)).map(
    ([sign, name]) => `${sign} ${name}`,
  )
  const letters = cells.filter(({ glyph }) => /^[A-Za-z]$/.test(glyph))
  const upper = letters.find(({ glyph }) => glyph === glyph.toUpperCase())?.glyph
  const lower = letters.find(({ glyph }) => glyph !== glyph.toUpperCase())?.glyph
  if (upper !== undefined) shown.push(`${upper} leaf`)
  if (lower !== undefined) shown.push(`${lower} overflow`)
  const indent = ' '.repeat(10)
  let line = scale
  for (const word of shown) {
    if (indent.length + line.length + 3 + word.length > screen.width) {
      screen.print(screen.style('dim', indent + line))
      line = word
    } else {
      line += `   ${word}`
    }
  }
  screen.print(screen.style('dim', indent + line))
}

interface Line {
  readonly label: string
  readonly style: readonly Style[]
  readonly cells: readonly string[]
  readonly share: number
}

/** Rows of a label, a bar, and numbers. */
function printBars(screen: Screen, lines: readonly Line[]): void {
  const columns = Math.max(0, ...lines.map(({ cells }) => cells.length))
  const widest = Math.max(0, ...lines.map(({ label }) => displayWidth(label)))
  const nameWidth = Math.min(NAME_COLUMNS_MAX, widest)
  const rows = alignRows(
    lines.map(({ cells }) => cells),
    new Array<'right'>(columns).fill('right'),
  )
  lines.forEach(({ label, style, share }, index) => {
    const name = padEnd(fit(label, nameWidth), nameWidth)
    const numbers = rows[index] ?? ''
    const width = Math.max(8, Math.min(BAR_WIDTH, screen.width - nameWidth - numbers.length - 6))
    const shown = bar(screen, share, width)
    screen.print(`  ${screen.style(style, name)}  ${shown}  ${numbers}`.trimEnd())
  })
}

function printBuckets(screen: Screen, { survey }: Picture, letters: readonly string[]): void {
  const sizes = pagesOfTops(survey)
  const order = sizes.map((_, top) => top).slice(1)
  order.sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0) || a - b)
  const isInline = (top: number): boolean => sizes[top] === 0
  const withPages = order.filter((top) => !isInline(top))
  const inline = order.filter(isInline).map((top) => nameAt(survey, top))
  if (order.length === 0) return
  heading(screen, 'Buckets')
  const mark = survey.meta?.highWaterMark ?? 1
  const lines = withPages.slice(0, BUCKETS_SHOWN).map((top) => {
    const tally = survey.tops[top]
    const pages = sizes[top] ?? 0
    const bytes = pages * survey.pageSizeBytes
    return {
      label: `${letters[top] ?? ''} ${nameAt(survey, top)}`,
      style: [colourOf(top)],
      share: pages / mark,
      cells: [
        formatBytes(bytes),
        percent(pages, mark),
        plural(tally?.keys ?? 0, 'key'),
        `${percent(tally?.inuseBytes ?? 0, bytes)} full`,
      ],
    }
  })
  printBars(screen, lines)
  const more = withPages.length - lines.length
  if (more > 0) screen.print(`  … and ${plural(more, 'smaller bucket')}`)
  if (inline.length === 0) return
  const shown = inline.slice(0, BUCKETS_SHOWN).join(', ')
  const rest = inline.length > BUCKETS_SHOWN ? `, … (${inline.length} in all)` : ''
  paragraph(screen, `inside the root’s pages: ${shown}${rest}`)
}

function nameAt(survey: Survey, top: number): string {
  const bucket = survey.tops[top]?.bucket ?? 0
  return nameOf(survey.buckets[bucket]?.path[0] ?? new Uint8Array())
}

const KIND_NAMES: readonly (readonly [kind: SurveyKind, name: string])[] = [
  ['leaf', 'leaf'],
  ['overflow', 'overflow'],
  ['branch', 'branch'],
  ['freelist', 'freelist'],
  ['meta', 'meta'],
  ['free', 'free'],
  ['unreached', 'nothing leads there'],
  ['damaged', 'damaged'],
]

function printKinds(screen: Screen, { survey, pagesByKind }: Picture): void {
  heading(screen, 'Pages')
  const mark = survey.meta?.highWaterMark ?? survey.pageCount
  const lines: Line[] = []
  for (const [kind, name] of KIND_NAMES) {
    const pages = pagesByKind[kind]
    if (pages === 0) continue
    const isBad = kind === 'damaged' || kind === 'unreached'
    lines.push({
      label: name,
      style: isBad ? ['red'] : [],
      share: pages / mark,
      cells: [formatBytes(pages * survey.pageSizeBytes), percent(pages, mark), formatCount(pages)],
    })
  }
  if (survey.missingPages > 0) {
    const { missingPages } = survey
    const bytes = formatBytes(missingPages * survey.pageSizeBytes)
    const cells = [bytes, percent(missingPages, mark), formatCount(missingPages)]
    const label = 'beyond the file’s end'
    lines.push({ label, style: ['red'], share: missingPages / mark, cells })
  }
  printBars(screen, lines)
}

function printFree(screen: Screen, picture: Picture, file: RawFile): void {
  const { survey, pagesByKind, freeRuns, treeBytes, treeInuseBytes } = picture
  heading(screen, 'Free space')
  const size = (pages: number): string => formatBytes(pages * survey.pageSizeBytes)
  const { free, ahead } = pagesByKind
  const lines = []
  if (free === 0) lines.push('no free page')
  else {
    lines.push(
      `${plural(free, 'free page')} in ${plural(freeRuns.count, 'run')}, ` +
        `the longest of ${plural(freeRuns.longest, 'page')} (${size(freeRuns.longest)})`,
    )
  }
  if (treeBytes > treeInuseBytes) {
    const slack = treeBytes - treeInuseBytes
    lines.push(`${formatBytes(slack)} inside branch and leaf pages (${percent(slack, treeBytes)})`)
  }
  if (ahead > 0) lines.push(`${size(ahead)} of room at the file’s end, for growth`)
  const wasted = free * survey.pageSizeBytes
  if (wasted > file.sizeBytes / 2) lines.push('`compact` would more than halve the file')
  for (const line of lines) screen.print(`  ${line}`)
}

function printFill(screen: Screen, { leafFill, leafBytes, leafInuseBytes }: Picture): void {
  const leaves = leafFill.reduce((sum, count) => sum + count, 0)
  if (leaves === 0) return
  heading(screen, `How full the leaves are: ${percent(leafInuseBytes, leafBytes)} on average`)
  const most = Math.max(...leafFill)
  const lines = leafFill.map((count, bin) => {
    const [from, to] = [(bin * 100) / FILL_BINS, ((bin + 1) * 100) / FILL_BINS]
    const label = `${padStart(String(from), 3)} to ${padStart(String(to), 3)} %`
    const shown = count === 0 ? '' : formatCount(count)
    return `${label}  ${bar(screen, count / most, BAR_WIDTH)}  ${shown}`
  })
  for (const line of lines) screen.print(`  ${line}`.trimEnd())
}

function printProblems(call: Call, screen: Screen, survey: Survey): void {
  const count = survey.problems.length + survey.problemsOmitted
  if (count === 0 && survey.missingPages === 0 && survey.meta !== undefined) return
  const what =
    count === 0 ? 'The file is damaged' : `The file is damaged in ${plural(count, 'place')}`
  screen.print()
  screen.print(
    `${screen.style('red', `${what}:`)} \`revbolt bolt check ${pathOf(call)}\` explains it.`,
  )
}

interface JsonTop {
  readonly name: JsonBytes
  readonly letter: string
  readonly pages: number
  readonly bytes: number
  readonly keys: number
}

function jsonPicture(file: RawFile, picture: Picture): unknown {
  const { survey, pagesByKind, freeRuns, leafFill, treeBytes, treeInuseBytes } = picture
  const letters = lettersOf(survey)
  const sizes = pagesOfTops(survey)
  const buckets = survey.tops.slice(1).map((tally, index): JsonTop & Record<string, unknown> => {
    const pages = sizes[index + 1] ?? 0
    const { bucket, ...counts } = tally
    return {
      name: jsonBytes(survey.buckets[bucket]?.path[0] ?? new Uint8Array()),
      letter: letters[index + 1] ?? '',
      pages,
      bytes: pages * survey.pageSizeBytes,
      ...counts,
    }
  })
  return {
    sizeBytes: file.sizeBytes,
    pageSizeBytes: survey.pageSizeBytes,
    txid: survey.meta?.txid ?? null,
    highWaterMark: survey.meta?.highWaterMark ?? null,
    pages: { ...pagesByKind, missing: survey.missingPages },
    freeRuns,
    leafFill,
    treeBytes,
    treeInuseBytes,
    buckets,
    problems: survey.problems.map(({ code, pgid, offset, message }) => ({
      code,
      pgid,
      offset,
      message,
    })),
    problemsOmitted: survey.problemsOmitted,
  }
}

export const inspect: Command = {
  name: 'inspect',
  positionals: 'FILE',
  counts: [1, 1],
  summary: 'a picture of where the pages of the file went',
  details:
    'A map of the pages as wide as the terminal, a letter for each top-level bucket, and below ' +
    'it where the bytes are: by bucket, by type of page, free. Works without colours (NO_COLOR), ' +
    'in a pipe, and on damaged files, with exit code 1.',
  options: {},
  run,
}
