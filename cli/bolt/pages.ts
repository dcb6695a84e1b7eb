/** `revbolt bolt pages`: a table of the file's pages. */
import type { RawFile, Survey, SurveyKind } from '../../engine/index.ts'
import { readRawPage } from '../../engine/index.ts'
import { UsageError } from '../arguments.ts'
import { formatCount, padEnd, padStart, plural } from '../format.ts'
import type { Call, Command, Setting } from './command.ts'
import { EXIT } from './command.ts'
import { nearest } from './call.ts'
import { chosenMeta, withRawFile } from './opening.ts'
import { percent, printJson } from './output.ts'
import { bucketName, surveyFile } from './surveying.ts'
import { jsonBytes } from './value-format.ts'

const TYPES = ['meta', 'freelist', 'branch', 'leaf', 'free', 'unreached', 'damaged'] as const
type Type = (typeof TYPES)[number]

const ROWS_PER_TURN = 256

/** A run of pages: one with its overflow pages, or neighbours that are free. */
interface Row {
  readonly pgid: number
  readonly pages: number
  readonly type: Type
  readonly items: number | undefined
  readonly bucket: number | undefined
  readonly inuseBytes: number | undefined
  /** What the header of a page that nothing leads to says it is. */
  readonly header: string | undefined
}

async function run(call: Call, setting: Setting): Promise<number> {
  const type = readType(call)
  return withRawFile(call, setting, async (file) => {
    const survey = await surveyFile(file, chosenMeta(call, file), { call, setting })
    const { screen, signal } = setting
    if (!call.isJson) screen.print(screen.style('dim', HEAD))
    let count = 0
    let pages = 0
    for (const row of rowsOf(file, survey)) {
      if (type !== undefined && row.type !== type) continue
      count++
      pages += row.pages
      if (call.isJson) printJson(screen, jsonRow(survey, row))
      else screen.print(showRow(survey, row))
      if (count % ROWS_PER_TURN !== 0) continue
      await screen.catchUp(signal)
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (!call.isJson) screen.print(screen.style('dim', footer(survey, pages)))
    await screen.catchUp(signal)
    const isWhole = survey.problems.length === 0 && survey.missingPages === 0
    return isWhole && survey.meta !== undefined ? EXIT.ok : EXIT.found
  })
}

function readType(call: Call): Type | undefined {
  const text = call.text('type')
  if (call.flag('free')) {
    if (text !== undefined && text !== 'free') throw new UsageError('--free and --type differ')
    return 'free'
  }
  if (text === undefined) return undefined
  const found = TYPES.find((type) => type === text)
  if (found !== undefined) return found
  const near = nearest(text, TYPES)
  const meant = near === undefined ? '' : `; did you mean ${near}?`
  throw new UsageError(`--type: expected ${TYPES.join(', ')}; got ${text}${meant}`)
}

function* rowsOf(file: RawFile, survey: Survey): Generator<Row, void, void> {
  const { pageCount } = survey
  for (let pgid = 0; pgid < pageCount;) {
    const kind = survey.kind(pgid)
    if (kind === 'ahead') return
    const pages = runLength(survey, pgid, kind)
    const type = typeOf(kind)
    const hasItems = type === 'leaf' || type === 'branch' || type === 'freelist'
    yield {
      pgid,
      pages,
      type,
      items: hasItems ? survey.items(pgid) : undefined,
      bucket: survey.bucket(pgid),
      inuseBytes: hasItems && !survey.isByHeaders ? survey.inuse(pgid) : undefined,
      header: type === 'unreached' || type === 'damaged' ? headerOf(file, pgid) : undefined,
    }
    pgid += pages
  }
}

function typeOf(kind: SurveyKind): Type {
  // What is left of a run whose first page can't be read.
  if (kind === 'overflow' || kind === 'ahead') return 'unreached'
  return kind
}

function runLength(survey: Survey, pgid: number, kind: SurveyKind): number {
  if (kind === 'branch' || kind === 'leaf' || kind === 'freelist') {
    return Math.min(survey.overflow(pgid) + 1, survey.pageCount - pgid)
  }
  let end = pgid + 1
  if (kind !== 'free' && kind !== 'overflow') return 1
  while (end < survey.pageCount && survey.kind(end) === kind) end++
  return end - pgid
}

function headerOf(file: RawFile, pgid: number): string | undefined {
  const { type, id } = readRawPage(file, pgid)
  return id === BigInt(pgid) && type !== 'unknown' ? type : undefined
}

const WIDTHS = [9, 10, 8, 9, 7] as const
const HEAD = showCells(['ID', 'TYPE', 'ITEMS', 'OVERFLOW', 'FILL', 'BUCKET'])

function showCells(cells: readonly [string, string, string, string, string, string]): string {
  const [id, type, items, overflow, fill, rest] = cells
  const line = [
    padStart(id, WIDTHS[0]),
    padEnd(type, WIDTHS[1]),
    padStart(items, WIDTHS[2]),
    padStart(overflow, WIDTHS[3]),
    padStart(fill, WIDTHS[4]),
    rest,
  ]
  return line.join('  ').trimEnd()
}

function showRow(survey: Survey, row: Row): string {
  const { pgid, pages, type, items, inuseBytes, header } = row
  const fill = inuseBytes === undefined ? '' : percent(inuseBytes, pages * survey.pageSizeBytes)
  const isRange = (type === 'free' || type === 'unreached') && pages > 1
  return showCells([
    isRange ? `${pgid}-${pgid + pages - 1}` : String(pgid),
    type,
    items === undefined ? '' : formatCount(items),
    isRange || pages === 1 ? '' : formatCount(pages - 1),
    type === 'leaf' || type === 'branch' ? fill : '',
    describeRest(survey, row, { isRange, header }),
  ])
}

function describeRest(
  survey: Survey,
  { bucket, pages, pgid, type }: Row,
  { isRange, header }: { readonly isRange: boolean; readonly header: string | undefined },
): string {
  if (type === 'free') return isRange ? plural(pages, 'page') : ''
  const name = bucket === undefined ? '' : bucketName(survey.buckets[bucket]?.path ?? [])
  if (type === 'damaged') {
    const problem = survey.problems.find((each) => each.pgid === pgid)
    return `${name === '' ? '' : `${name}: `}${problem?.message ?? ''}`
  }
  if (type !== 'unreached') return name
  const says = header === undefined ? '' : ` (its header says ${header})`
  return `nothing leads here${says}`
}

function footer(survey: Survey, pages: number): string {
  const ahead = survey.meta === undefined ? 0 : survey.pageCount - survey.meta.highWaterMark
  const room = ahead > 0 ? `; ${plural(ahead, 'page')} more of room behind them` : ''
  const missing = survey.missingPages
  const lost = missing > 0 ? `; ${plural(missing, 'page')} are missing at the end` : ''
  const guess = survey.isByHeaders ? ', by their headers: no tree can be walked' : ''
  return `${plural(pages, 'page')}${guess}${room}${lost}`
}

function jsonRow(survey: Survey, row: Row): unknown {
  const { pgid, pages, type, items, bucket, inuseBytes, header } = row
  const path = bucket === undefined ? undefined : survey.buckets[bucket]?.path
  const problems = survey.problems.filter((each) => each.pgid === pgid)
  return {
    id: pgid,
    type,
    pages,
    offset: pgid * survey.pageSizeBytes,
    items,
    inuseBytes,
    bucket: path?.map(jsonBytes),
    header,
    problems:
      problems.length === 0 ? undefined : problems.map(({ code, message }) => ({ code, message })),
  }
}

export const pages: Command = {
  name: 'pages',
  positionals: 'FILE',
  counts: [1, 1],
  summary: 'a table of pages: type, items, overflow, fill, bucket',
  details:
    'One line a page with its overflow pages; free neighbours together. "unreached": nothing ' +
    'leads there and it is not free. Without a good meta, pages are what their headers say. ' +
    'Exits with 1 where damage was found.',
  options: {
    free: { type: 'boolean', help: 'free pages only' },
    type: { type: 'string', value: 'TYPE', help: `pages of one type only: ${TYPES.join(', ')}` },
  },
  run,
}
