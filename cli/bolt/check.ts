/** `revbolt bolt check`: what is wrong with a file, in plain words, and what can still be read. */
import type { CheckReport, Finding, FindingCode, RawFile, Survey } from '../../engine/index.ts'
import { isKvError, openEngine } from '../../engine/index.ts'
import { formatBytes, formatCount, plural } from '../format.ts'
import { Progress } from '../progress.ts'
import type { Call, Command, Setting } from './command.ts'
import { EXIT } from './command.ts'
import { chosenMeta, fullPathOf, pathOf, withRawFile } from './opening.ts'
import { heading, labelled, paragraph, printJson } from './output.ts'
import { nameOf, surveyFile } from './surveying.ts'
import { jsonBytes } from './value-format.ts'

/** Findings that are printed one by one. */
const FINDINGS_SHOWN = 20
const BUCKETS_SHOWN = 12

/** What a finding means for whoever owns the file. docs/check-report.md says more. */
const MEANINGS: Readonly<Record<FindingCode, string>> = {
  'page-damaged': 'the page can’t be read, and nothing that lies below it',
  'page-type': 'the page is of another kind than its place asks for',
  'page-count': 'the page says it holds more than fits in it',
  'page-packing': 'keys and values overlap, or leave gaps: bytes of the page have changed',
  'page-element': 'an entry of the page is impossible',
  'page-order': 'keys are out of order, so lookups miss some of them',
  'page-seal': 'some byte of the page has changed since it was written',
  'branch-children': 'a branch with one child: bbolt panics at a later delete',
  separator: 'the key that leads here is not the first key here: bbolt loses a page at a later put',
  bound: 'keys lie in their neighbour’s range, so lookups miss them',
  'empty-leaf': 'an empty page in a tree: bbolt duplicates its entry at a later put',
  depth: 'the tree never ends: a page leads back to one above it',
  'bucket-damaged': 'the small bucket that stands inside this page can’t be read',
  'page-reached-twice': 'two places share the page: changing it through one ruins the other',
  'page-reached-free': 'the page is in use, but the next commit may overwrite it: don’t write',
  'page-lost': 'wasted space, no danger',
  'freelist-damaged': 'nothing says which pages are free: bbolt will not open it for writing',
  'freelist-memory': 'a bug of revbolt’s, please report it',
}

/** Findings on pages that `--lenient` reads. */
const READABLE: ReadonlySet<FindingCode> = new Set<FindingCode>([
  'page-packing',
  'page-seal',
  'branch-children',
  'empty-leaf',
])

interface Verdict {
  readonly txid: number | undefined
  /** undefined where the generation could not be opened. */
  readonly report: CheckReport | undefined
  /** Why it could not. */
  readonly refusal: string | undefined
  /** Metas that can't be used, and what of it. */
  readonly notices: readonly string[]
}

async function run(call: Call, setting: Setting): Promise<number> {
  return withRawFile(call, setting, async (file) => {
    const isPrevious = call.text('generation') === 'previous'
    // Refuses early where there is no such generation.
    chosenMeta(call, file)
    const verdict = await checkGeneration(call, setting, isPrevious ? 'previous' : 'newest')
    const isClean = verdict.report?.isClean === true
    const rest = isClean ? undefined : await survivors(file, call, setting)
    const previous = isClean || isPrevious ? undefined : await tryPrevious(file, call, setting)
    if (call.isJson) {
      printJson(setting.screen, jsonVerdict(file, verdict, { rest, previous }))
    } else {
      printVerdict(file, { call, setting, verdict })
      if (rest !== undefined) printSurvivors(rest, setting)
      if (!isClean) printAdvice(call, setting, { verdict, previous })
    }
    return isClean ? EXIT.ok : EXIT.found
  })
}

async function checkGeneration(
  call: Call,
  setting: Setting,
  generation: 'newest' | 'previous',
): Promise<Verdict> {
  const { complaints, now, signal } = setting
  const path = fullPathOf(call, setting)
  const open = { readOnly: true, lock: 'none', generation } as const
  let progress: Progress | undefined
  try {
    // The lock is held already, through the raw file.
    const engine = await openEngine(path, open)
    try {
      const report = await engine.checkAsync({
        signal,
        onProgress: (pages, total) => {
          progress ??= new Progress(complaints, { total, noun: 'pages', now })
          progress.update(pages)
        },
      })
      const { fallback } = engine.report
      const isForced = generation === 'previous'
      const notices =
        fallback === undefined || isForced
          ? []
          : [
              `meta ${fallback.slot} is passed over: ${fallback.reason}. If it held the newest ` +
                'commit, that one is lost; if a power cut tore it, it was never acknowledged',
            ]
      return { txid: report.txid, report, refusal: undefined, notices }
    } finally {
      progress?.clear()
      await engine.close()
    }
  } catch (error) {
    if (!isKvError(error)) throw error
    return { txid: undefined, report: undefined, refusal: error.message, notices: [] }
  }
}

/** Whether the generation before the newest is whole; undefined where there is none. */
async function tryPrevious(
  file: RawFile,
  call: Call,
  setting: Setting,
): Promise<Verdict | undefined> {
  if (file.usableMetas.length < 2) return undefined
  return checkGeneration(call, setting, 'previous')
}

/** A top-level bucket, and how much of it is damaged. */
interface Survivor {
  readonly name: Uint8Array
  readonly keys: number
  readonly pages: number
  readonly damagedPages: number
}

interface Survivors {
  readonly survey: Survey
  readonly buckets: readonly Survivor[]
}

async function survivors(
  file: RawFile,
  call: Call,
  setting: Setting,
): Promise<Survivors | undefined> {
  if (file.pageSizeBytes === undefined) return undefined
  const survey = await surveyFile(file, chosenMeta(call, file), { call, setting })
  const found = survey.tops.slice(1).map((top) => ({
    name: survey.buckets[top.bucket]?.path[0] ?? new Uint8Array(),
    keys: top.keys,
    pages: top.branchPages + top.leafPages + top.overflowPages,
    damagedPages: top.damagedPages + problemsWithin(survey, top.bucket),
  }))
  return { survey, buckets: found }
}

/** Damage inside pages of the root that makes an inline bucket unreadable. */
function problemsWithin(survey: Survey, bucket: number): number {
  const found = survey.problems.filter(
    (problem) => problem.bucket === bucket && problem.code === 'bucket-damaged',
  )
  return found.length
}

interface Printing {
  readonly call: Call
  readonly setting: Setting
  readonly verdict: Verdict
}

function printVerdict(file: RawFile, { call, setting, verdict }: Printing): void {
  const { screen } = setting
  const { report, refusal } = verdict
  const name = pathOf(call)
  if (report === undefined) {
    screen.print(screen.style(['bold', 'red'], `${name} is damaged: it can’t be opened`))
    paragraph(screen, withoutPath(refusal ?? '', file.path))
    for (const meta of file.metas) {
      if (meta?.fault !== undefined) paragraph(screen, `meta ${meta.slot}: ${meta.fault}`)
    }
    return
  }
  const count = report.findings.length + report.findingsOmitted
  const isFallback = verdict.notices.length > 0
  const title = report.isClean
    ? screen.style(
        ['bold', isFallback ? 'yellow' : 'green'],
        `${name} is sound${isFallback ? ', save for one of its metas' : ''}`,
      )
    : screen.style(['bold', 'red'], `${name} is damaged: ${plural(count, 'finding')}`)
  screen.print(title)
  const { pages } = report
  labelled(screen, [
    ['generation', `transaction ${formatCount(report.txid)}`],
    ['holds', `${plural(report.buckets, 'bucket')}, ${plural(report.keys, 'entry', 'entries')}`],
    [
      'pages',
      `${formatCount(pages.branch)} branch, ${formatCount(pages.leaf)} leaf, ` +
        `${formatCount(pages.overflow)} overflow, ${formatCount(pages.freelist)} freelist, ` +
        `${formatCount(pages.free)} free`,
    ],
    ['checksums', checksumsOf(report)],
  ])
  for (const notice of isFallback ? verdict.notices : report.notices) {
    paragraph(screen, `Note: ${notice}.`)
  }
  printFindings(file, report, setting)
}

function checksumsOf({ pages, findings }: CheckReport): string {
  if (pages.sealed === 0) return 'no page has one, so changed bytes of a value can not be seen'
  const wrong = findings.filter(({ code }) => code === 'page-seal').length
  const verdict = wrong === 0 ? 'and it is right' : `wrong in ${plural(wrong, 'page')}`
  return `${formatCount(pages.sealed)} of the pages have one, ${verdict}`
}

function withoutPath(message: string, path: string): string {
  return message.startsWith(`${path}: `) ? message.slice(path.length + 2) : message
}

function printFindings(file: RawFile, report: CheckReport, { screen }: Setting): void {
  const shown = report.findings.slice(0, FINDINGS_SHOWN)
  for (const finding of shown) {
    const { pgid, bucketPath, message, code } = finding
    const where = pgid < 0 ? 'the file' : `page ${pgid}, at offset ${offsetOf(file, finding)}`
    const bucket = bucketPath === '' ? '' : `, bucket ${bucketPath}`
    screen.print()
    screen.print(`  ${screen.style('red', code)}  ${where}${bucket}`)
    paragraph(screen, message, '    ')
    paragraph(screen, `That means: ${MEANINGS[code]}.`, '    ')
  }
  const omitted = report.findings.length - shown.length + report.findingsOmitted
  if (omitted > 0) {
    screen.print()
    screen.print(`  … and ${plural(omitted, 'finding')} more; --json lists up to 1,000`)
  }
}

function offsetOf(file: RawFile, { pgid }: Finding): number {
  return pgid * (file.pageSizeBytes ?? 0)
}

function printSurvivors({ survey, buckets }: Survivors, { screen }: Setting): void {
  heading(screen, 'What can still be read')
  const { meta, missingPages, pageSizeBytes } = survey
  if (missingPages > 0) {
    const bytes = formatBytes(missingPages * pageSizeBytes)
    paragraph(
      screen,
      `The file ends early: ${plural(missingPages, 'page')} (${bytes}) are missing.`,
    )
  }
  if (survey.isByHeaders) {
    const counts = new Map<string, number>()
    for (let pgid = 0; pgid < survey.pageCount; pgid++) {
      const kind = survey.kind(pgid)
      counts.set(kind, (counts.get(kind) ?? 0) + 1)
    }
    const list = ['branch', 'leaf', 'overflow', 'freelist']
      .map((kind) => `${formatCount(counts.get(kind) ?? 0)} ${kind}`)
      .join(', ')
    const why =
      meta === undefined ? 'No meta says where the tree begins' : 'The root page can’t be read'
    paragraph(screen, `${why}. By their headers there are, old ones among them: ${list}.`)
    paragraph(screen, '`pages` lists them, `page FILE ID` shows the keys of one.')
    return
  }
  const damaged = buckets.filter(({ damagedPages }) => damagedPages > 0)
  const whole = buckets.filter(({ damagedPages }) => damagedPages === 0)
  const list = [...damaged, ...whole].slice(0, BUCKETS_SHOWN)
  for (const { name, keys, damagedPages } of list) {
    const state =
      damagedPages === 0
        ? `${screen.style('green', 'whole')}, ${plural(keys, 'key')}`
        : `${screen.style('red', 'damaged')} in ${plural(damagedPages, 'page')}; ` +
          `${plural(keys, 'key')} left`
    screen.print(`  ${nameOf(name)}: ${state}`)
  }
  const more = buckets.length - list.length
  if (more > 0) screen.print(`  … and ${plural(more, 'bucket')} more, whole`)
}

function printAdvice(
  call: Call,
  { screen }: Setting,
  { verdict, previous }: { readonly verdict: Verdict; readonly previous: Verdict | undefined },
): void {
  const name = pathOf(call)
  heading(screen, 'What to do')
  const findings = verdict.report?.findings ?? []
  if (findings.length > 0 && findings.every(({ code }) => code === 'page-lost')) {
    paragraph(screen, `Only space is wasted: \`revbolt bolt compact ${name} TARGET\` saves it.`)
    return
  }
  if (call.flag('no-lock')) {
    paragraph(
      screen,
      'It was looked at without a lock. If somebody wrote meanwhile, what looks damaged may ' +
        'be none. Check again with --wait, or when it is closed.',
    )
  }
  const steps = ['Copy the file before anything else, and don’t write to it.']
  if (previous?.report?.isClean === true) {
    steps.push(
      `The generation before, transaction ${formatCount(previous.report.txid)}, is whole: ` +
        `\`revbolt bolt copy --generation previous ${name} TARGET\` saves it. ` +
        'It lacks the last commit only.',
    )
  } else if (previous !== undefined) {
    steps.push('The generation before is damaged, too.')
  }
  if (findings.length > 0 && findings.every(({ code }) => READABLE.has(code))) {
    steps.push(
      `What is wrong can still be read: \`revbolt bolt compact --lenient ${name} TARGET\` ` +
        'writes a proper file. A byte that has changed stays changed in it.',
    )
  }
  const buckets = 'Buckets that are whole can be read with `keys` and `get`, pages'
  steps.push(
    `${verdict.report === undefined ? 'Pages that are there can be read' : buckets} with ` +
      '`page` and `dump`; `inspect` shows where the damage lies.',
    'Restore a backup for the rest.',
  )
  steps.forEach((step, index) => paragraph(screen, `${index + 1}. ${step}`))
}

function jsonVerdict(
  file: RawFile,
  { txid, report, refusal, notices }: Verdict,
  more: { readonly rest: Survivors | undefined; readonly previous: Verdict | undefined },
): unknown {
  const { rest, previous } = more
  const findings = report?.findings.map((finding) => ({
    ...finding,
    offset: finding.pgid < 0 ? null : offsetOf(file, finding),
    meaning: MEANINGS[finding.code],
  }))
  return {
    isClean: report?.isClean ?? false,
    txid: txid ?? null,
    refusal,
    notices: notices.length > 0 ? notices : (report?.notices ?? []),
    findings: findings ?? [],
    findingsOmitted: report?.findingsOmitted ?? 0,
    pages: report?.pages,
    keys: report?.keys,
    buckets: report?.buckets,
    previous: previous === undefined ? undefined : { isClean: previous.report?.isClean === true },
    survivors: rest?.buckets.map(({ name, ...counts }) => ({ name: jsonBytes(name), ...counts })),
  }
}

export const check: Command = {
  name: 'check',
  positionals: 'FILE',
  counts: [1, 1],
  summary: 'what is wrong with the file, and what can still be read',
  details:
    'Reads every page of one generation and says what is wrong, where, and what it means: all ' +
    'that bbolt’s own check finds, and more. Exits with 1 where damage was found.',
  options: {},
  run,
}
