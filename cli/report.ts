/** Prints what a run found, within 80 columns. */
import type { Source } from './source.ts'
import {
  alignRows,
  fit,
  fitEnd,
  formatBytes,
  formatCount,
  formatDate,
  formatDuration,
  percentile,
  plural,
  printable,
} from './format.ts'
import type { DiffLine } from './line-diff.ts'
import type { CommitRate } from './commit-rates.ts'
import type { LoadResult } from './load.ts'
import { WINDOW } from './load.ts'
import type { Screen, Style } from './screen.ts'
import type { Commit } from './timeline.ts'
import type { ChangeTour, FileTour, ReadTimes } from './tour.ts'
import { linesOf, pathText } from './tour.ts'

/** Versions of the file that are listed. */
export const VERSIONS_SHOWN = 5
const LINES_SHOWN = 3
const FILES_SHOWN = 6
const DIFF_LINES_SHOWN = 8
/** Unchanged lines around a change. */
const DIFF_CONTEXT = 1
const HASH_DIGITS = 7

const INDENT = '  '

function heading(screen: Screen, text: string): void {
  screen.print()
  screen.print(screen.style('bold', fit(text, screen.width)))
}

function labelled(screen: Screen, rows: readonly (readonly [label: string, text: string])[]): void {
  const cells = alignRows(rows, ['left', 'left'])
  const labelWidth = Math.max(...rows.map(([label]) => label.length))
  for (const row of cells) {
    const label = screen.style('dim', row.slice(0, labelWidth))
    screen.print(fit(`${INDENT}${row}`, screen.width).replace(row.slice(0, labelWidth), label))
  }
}

export function reportSource(
  screen: Screen,
  facts: {
    readonly version: string
    readonly source: Source
    readonly dataPath: string
    readonly isKept: boolean
  },
): void {
  const { source, dataPath, isKept } = facts
  const { history, bundledBecause } = source
  screen.print(screen.style('bold', `revbolt ${facts.version}: a git history in a versioned store`))
  const where = bundledBecause === undefined ? '' : ' (the export that comes along)'
  const rows: [string, string][] = [
    ['from', `${printable(history.title)}${where}, ${plural(history.commitCount, 'commit')}`],
    ['into', `${dataPath}${isKept ? '' : ' (removed at the end)'}`],
  ]
  if (bundledBecause !== undefined) rows.splice(1, 0, ['why', printable(bundledBecause)])
  labelled(screen, rows)
}

export function reportLoad(screen: Screen, load: LoadResult): void {
  const { commits, transactions, puts, deletes, contentBytes, omitted } = load
  heading(screen, `Loaded ${plural(commits, 'commit')} in ${formatDuration(load.elapsedMs)}`)
  const cut = transactions === commits ? '' : ', as some were cut'
  const rows: [string, string][] = [
    [
      'wrote',
      `${plural(transactions, 'transaction')}${cut}: ${filesText(puts, deletes, contentBytes)}`,
    ],
  ]
  const notes = [
    omitted.large > 0 ? `${plural(omitted.large, 'file')} too large` : '',
    omitted.submodule > 0 ? `${plural(omitted.submodule, 'submodule')}` : '',
    omitted.missing > 0 ? `${plural(omitted.missing, 'file')} not in this clone` : '',
  ].filter((text) => text !== '')
  if (notes.length > 0) rows.push(['as notes', `${notes.join(', ')}`])
  labelled(screen, rows)
}

function filesText(puts: number, deletes: number, bytes: number): string {
  return `${plural(puts, 'file')} put, ${formatCount(deletes)} deleted, ${formatBytes(bytes)}`
}

export function reportFile(screen: Screen, tour: FileTour): void {
  const { newest, version } = tour
  const shown = fitEnd(printable(tour.path), screen.width - 40)
  heading(screen, `${shown}: put ${plural(version, 'time')}, newest first`)
  const rows = newest.map(({ revision, sizeBytes, commit }) => [
    `revision ${formatCount(revision)}`,
    formatBytes(sizeBytes),
    commit === undefined ? '' : formatDate(commit.authorDate),
    commit === undefined ? '' : shortHash(commit),
    commit === undefined ? '' : printable(commit.subject),
  ])
  for (const row of alignRows(rows, ['right', 'right', 'left', 'left', 'left'])) {
    screen.print(fit(`${INDENT}${row}`, screen.width))
  }
  reportThenAndNow(screen, tour)
}

function reportThenAndNow(screen: Screen, { past, present }: FileTour): void {
  const before = linesOf(past.content)
  const after = linesOf(present)
  const sameCount = sameLines(before, after)
  const isSame = sameCount === before.length && sameCount === after.length
  const from = isSame ? 0 : Math.max(0, sameCount - 1)
  const ago = `${plural(past.commitsAgo, 'commit')} ago`
  const where = isSame ? 'unchanged' : `from line ${formatCount(from + 1)}, where they part`
  heading(screen, `The same file ${ago} and now, ${where}`)
  const { commit, content } = past
  const title = `${ago}: ${shortHash(commit)}, revision ${formatCount(commit.revision)}`
  excerpt(screen, `${title}, ${formatBytes(content.length)}`, { lines: before, from })
  excerpt(screen, `now: ${formatBytes(present.length)}`, { lines: after, from })
}

/** How many lines two texts begin with in common. */
function sameLines(before: readonly string[], after: readonly string[]): number {
  const parting = before.findIndex((line, index) => line !== after[index])
  return parting === -1 ? before.length : parting
}

function shortHash(commit: Commit): string {
  return commit.hash.slice(0, HASH_DIGITS)
}

function excerpt(
  screen: Screen,
  title: string,
  text: { readonly lines: readonly string[]; readonly from: number },
): void {
  screen.print(`${INDENT}${screen.style('cyan', fit(title, screen.width - INDENT.length))}`)
  const shown = text.lines.slice(text.from, text.from + LINES_SHOWN)
  const width = String(text.from + LINES_SHOWN).length
  shown.forEach((line, index) => {
    const number = String(text.from + index + 1).padStart(width)
    const rest = fit(printable(line), screen.width - width - 6)
    screen.print(`${INDENT}${INDENT}${screen.style('dim', number)}  ${rest}`.trimEnd())
  })
  if (shown.length === 0) screen.print(`${INDENT}${INDENT}${screen.style('dim', '(ends here)')}`)
}

export function reportChanges(screen: Screen, tour: ChangeTour): void {
  const { older, newer, difference } = tour
  const { added, changed, deleted } = difference
  const span = `from revision ${formatCount(older.revision)} to ${formatCount(newer.revision)}`
  heading(screen, `What the last ${plural(newer.number - older.number, 'commit')} changed, ${span}`)
  const counts = [
    `${plural(added.length, 'file')} added`,
    `${formatCount(changed.length)} changed`,
    `${formatCount(deleted.length)} deleted`,
  ]
  screen.print(`${INDENT}${counts.join(', ')}`)
  const shown = fairShare<ShownFile>([
    added.map((key) => ({ key, sign: '+', style: 'green' })),
    changed.map((key) => ({ key, sign: '~', style: 'yellow' })),
    deleted.map((key) => ({ key, sign: '-', style: 'red' })),
  ])
  const hiddenCount = added.length + changed.length + deleted.length - shown.length
  for (const { key, sign, style } of shown) {
    const path = fitEnd(printable(pathText(key)), screen.width - 6)
    screen.print(`${INDENT}${screen.style(style, sign)} ${path}`)
  }
  if (hiddenCount > 0) {
    screen.print(screen.style('dim', `${INDENT}… and ${formatCount(hiddenCount)} more`))
  }
  if (tour.example !== undefined) reportDiff(screen, tour.example)
}

interface ShownFile {
  readonly key: Uint8Array
  readonly sign: string
  readonly style: Style
}

/** Some of each list, the first ones of each, `FILES_SHOWN` together where there are as many. */
function fairShare<T>(lists: readonly (readonly T[])[]): readonly T[] {
  const counts = lists.map(() => 0)
  for (let left = FILES_SHOWN; left > 0;) {
    const before = left
    lists.forEach((list, index) => {
      const count = counts[index] ?? 0
      if (left === 0 || count === list.length) return
      counts[index] = count + 1
      left--
    })
    if (left === before) break
  }
  return lists.flatMap((list, index) => list.slice(0, counts[index]))
}

function reportDiff(
  screen: Screen,
  example: { readonly path: string; readonly lines: readonly DiffLine[] },
): void {
  const { lines } = example
  const count = (kind: DiffLine['kind']): string =>
    formatCount(lines.filter((line) => line.kind === kind).length)
  const path = fitEnd(printable(example.path), screen.width - 36)
  const title = `${path}: +${count('+')} -${count('-')} lines, beginning with`
  screen.print(`${INDENT}${screen.style('cyan', title)}`)
  const shown = excerptOf(lines).slice(0, DIFF_LINES_SHOWN)
  const width = Math.max(...shown.map((line) => String(line?.number ?? '').length))
  for (const line of shown) {
    if (line === undefined) {
      screen.print(screen.style('dim', `${INDENT}${INDENT}${'⋯'.padStart(width)}`))
      continue
    }
    const { kind, number, text } = line
    const cut = fit(`${kind} ${printable(text)}`.trimEnd(), screen.width - width - 5)
    const styled = kind === ' ' ? cut : screen.style(kind === '+' ? 'green' : 'red', cut)
    const gutter = screen.style('dim', String(number).padStart(width))
    screen.print(`${INDENT}${INDENT}${gutter} ${styled}`.trimEnd())
  }
}

/** The changes with the lines around them; undefined stands for lines left out in between. */
function excerptOf(lines: readonly DiffLine[]): readonly (DiffLine | undefined)[] {
  const shown: (DiffLine | undefined)[] = []
  lines.forEach((line, index) => {
    const near = lines.slice(Math.max(0, index - DIFF_CONTEXT), index + DIFF_CONTEXT + 1)
    if (near.some((each) => each.kind !== ' ')) shown.push(line)
    else if (shown.at(-1) !== undefined) shown.push(undefined)
  })
  return shown
}

export interface Measures {
  readonly load: LoadResult
  readonly revision: number
  readonly files: number
  readonly sizeBytes: number
  readonly sizeInUseBytes: number
  readonly readsNow: ReadTimes
  readonly readsPast: ReadTimes
  readonly reopenMs: number
  readonly check: { readonly pages: number; readonly keys: number; readonly ms: number }
  readonly peakBytes: number
}

export function reportMeasures(screen: Screen, measures: Measures): void {
  const { load, readsNow, readsPast, check, sizeBytes } = measures
  const seconds = load.elapsedMs / 1000
  const writes = load.transactions
  heading(screen, 'Measured')
  labelled(screen, [
    [
      'holds',
      `${plural(measures.revision - 1, 'revision')}, all readable; ` +
        `${plural(measures.files, 'file')} now`,
    ],
    [
      'size',
      `${formatBytes(sizeBytes)} on disk (${formatBytes(measures.sizeInUseBytes)} in use), ` +
        `${formatBytes(writes === 0 ? 0 : sizeBytes / writes)} a revision`,
    ],
    [
      'load',
      `${formatCount(load.commits / seconds)} commits/s, ` +
        `${formatBytes(load.contentBytes / seconds)}/s, git's reading included`,
    ],
    ['durable', `${spread(load.latenciesMs)} after the call, ${WINDOW} calls under way`],
    ['get now', `${spread(readsNow.samplesMs)}, ${plural(readsNow.samplesMs.length, 'read')}`],
    ['get past', `${spread(readsPast.samplesMs)}, over ${plural(readsPast.revisions, 'revision')}`],
    ['reopen', `${formatDuration(measures.reopenMs)}; same revision, and the past reads the same`],
    [
      'check',
      `no damage in ${plural(check.pages, 'page')}, ${plural(check.keys, 'entry', 'entries')}, ` +
        `in ${formatDuration(check.ms)}`,
    ],
    ['memory', `${formatBytes(measures.peakBytes)} at most`],
  ])
}

/** Rates of durable writes, one way beside the other. */
export function reportCommits(screen: Screen, rates: readonly CommitRate[]): void {
  heading(screen, 'Durable writes of 100 bytes: power may fail when they return')
  const rows = rates.map(({ way, perSecond, samplesMs }) => [
    way,
    `${formatCount(perSecond)}/s`,
    spread(samplesMs),
  ])
  for (const row of alignRows(rows, ['left', 'right', 'left'])) {
    screen.print(fit(`${INDENT}${row}`, screen.width))
  }
}

function spread(samplesMs: readonly number[]): string {
  const [half, most] = [percentile(samplesMs, 0.5), percentile(samplesMs, 0.99)]
  return `p50 ${formatDuration(half)}, p99 ${formatDuration(most)}`
}
