/** `revbolt wal verify`: whether the log is whole, and what opening the store would do with it. */
import { CorruptionError } from '../../wal/index.ts'
import type { LogInspection, LogVerdict, SegmentReport } from '../../wal/index.ts'
import type { Call, Command, Setting } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { paragraph, printJson, table } from '../bolt/output.ts'
import { formatBytes, formatCount, plural } from '../format.ts'
import { jsonSegment } from './dump.ts'
import { endText, isDamage, openLog, taken, txidsOf } from './opening.ts'

/** How often a log that changes is judged anew before a refusal counts. */
const JUDGEMENTS_MAX = 10

async function run(call: Call, setting: Setting): Promise<number> {
  let log = await openLog(call, setting)
  const segments: SegmentReport[] = []
  for await (const event of taken(log.walk(), setting)) {
    if (event.kind === 'segment') segments.push(event.segment)
  }
  let verdict = await judged(log, setting)
  // A store that is open may have written or dropped what was looked at. Damage stays where it is.
  for (let count = 1, place = ''; count < JUDGEMENTS_MAX; count++) {
    if (verdict.kind === 'sound' || placeOf(verdict.error) === place) break
    place = placeOf(verdict.error)
    log = await openLog(call, setting)
    verdict = await judged(log, setting)
  }
  if (call.isJson) printJson(setting.screen, jsonVerdict(log, segments, verdict))
  else print(setting, log, segments, verdict)
  return verdict.kind === 'sound' ? EXIT.ok : EXIT.found
}

function placeOf(error: Error): string {
  const isPlaced = error instanceof CorruptionError && error.offset !== undefined
  return isPlaced ? `${error.file} ${error.offset}` : error.message
}

async function judged(log: LogInspection, setting: Setting): Promise<LogVerdict> {
  let verdict: LogVerdict | undefined
  const steps = log.judge()
  const walk = {
    *[Symbol.iterator](): Generator<void, void, void> {
      verdict = yield* steps
    },
  }
  const turns = taken(walk, setting)
  while ((await turns.next()).done !== true);
  if (verdict === undefined) throw new Error('the log was not judged to its end')
  return verdict
}

function print(
  { screen }: Setting,
  log: LogInspection,
  segments: readonly SegmentReport[],
  verdict: LogVerdict,
): void {
  const columns = [
    { title: 'segment', align: 'left' },
    { title: 'groups', align: 'right' },
    { title: 'txids', align: 'right' },
    { title: 'used', align: 'right' },
    { title: 'of', align: 'right' },
    { title: 'how it ends', align: 'left' },
  ] as const
  const rows = segments.map((segment) => {
    const { name, groups, usedBytes, header, end } = segment
    const size = header === undefined ? '–' : formatBytes(header.sizeBytes)
    const used = formatBytes(usedBytes)
    return [name, formatCount(groups), txidsOf(segment), used, size, endText(end)]
  })
  table(screen, columns, rows)
  screen.print()
  const isFine = verdict.kind === 'sound'
  const word = isFine ? screen.style('green', 'sound') : screen.style('red', 'damaged')
  screen.print(`${word}: ${verdictText(log, verdict)}`)
  const damaged = segments.filter(({ end }) => isDamage(end))
  if (isFine && damaged.length > 0) {
    const names = damaged.map(({ name }) => name).join(', ')
    paragraph(screen, `Not needed any more, and damaged: ${names}`, '')
  }
}

function verdictText({ fromTxid }: LogInspection, verdict: LogVerdict): string {
  if (verdict.kind === 'refused') return `opening would refuse it: ${verdict.error.message}`
  const { lastTxid, unsyncedGroups, torn } = verdict
  const steps: string[] = []
  const missing = lastTxid - fromTxid
  if (missing > 0) steps.push(`do ${plural(missing, 'group')} again, up to ${lastTxid}`)
  if (unsyncedGroups > 0) steps.push(`write ${plural(unsyncedGroups, 'group')} once more`)
  if (torn !== undefined) steps.push(`cut off a torn tail of ${formatBytes(torn.sizeBytes)}`)
  return steps.length === 0 ? 'opening has nothing to do' : `opening would ${steps.join('; ')}`
}

function jsonVerdict(
  { fromTxid }: LogInspection,
  segments: readonly SegmentReport[],
  verdict: LogVerdict,
): unknown {
  return { segments: segments.map(jsonSegment), fromTxid, verdict: jsonOf(verdict) }
}

function jsonOf(verdict: LogVerdict): unknown {
  if (verdict.kind === 'sound') return verdict
  const { code, message } = verdict.error
  return { kind: verdict.kind, error: { code, message } }
}

export const verify: Command = {
  name: 'verify',
  positionals: 'PATH',
  counts: [1, 1],
  summary: 'whether the log is whole, and what opening would do with it',
  details:
    'Reads every frame and prints a line for each segment and a verdict. Groups that no later ' +
    'frame calls synced are written once more when the store is opened: a clean end of the ' +
    'machine leaves some as well as a power cut. Exits with 1 where opening would refuse the log.',
  options: {},
  run,
}
