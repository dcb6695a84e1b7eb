/** The record of durable commits as Markdown. */

import type { CommitAnswer } from './commit-protocol.ts'
import { CALLER_COUNTS } from './commit-protocol.ts'
import type {
  CommitCaseRecord,
  CommitRecord,
  CommitsPart,
  LatencyPart,
  ReplayPart,
} from './commit-record.ts'
import type { LatencyCase, LatencySample } from './latency-protocol.ts'
import { type Summary, median, summarize } from './statistics.ts'
import { formatCount, heading, table, verdict } from './tables.ts'

const MIB = 1024 * 1024

interface Target {
  readonly own: 'revbolt' | 'revbolt-sync'
  readonly callers: number
  /** One side, or several of which the fastest counts. */
  readonly peers: readonly string[]
  readonly ratio: number
}

/** What the project asks of itself. */
const TARGETS: readonly Target[] = [
  { own: 'revbolt-sync', callers: 1, peers: ['floor-blocking'], ratio: 0.8 },
  { own: 'revbolt', callers: 1, peers: ['floor-pool', 'floor-lane'], ratio: 0.8 },
  { own: 'revbolt', callers: 1, peers: ['bbolt'], ratio: 1.3 },
  { own: 'revbolt', callers: 1, peers: ['engine'], ratio: 0.7 },
  { own: 'revbolt', callers: 64, peers: ['engine'], ratio: 0.7 },
  { own: 'revbolt', callers: 1000, peers: ['engine'], ratio: 0.7 },
  { own: 'revbolt', callers: 64, peers: ['bbolt'], ratio: 3 },
  { own: 'revbolt', callers: 1000, peers: ['bbolt'], ratio: 2 },
]

function rate(sample: CommitAnswer): number {
  return (sample.count * 1e9) / sample.ns
}

function medianRate(one: CommitCaseRecord): number {
  return median(one.samples.map(rate))
}

/** The ratios within rounds, one for each: a round's runs were neighbours in time. */
function ratios(own: CommitCaseRecord, peer: CommitCaseRecord): Summary {
  return summarize(
    own.samples.map((sample, round) => {
      const other = peer.samples[round]
      return other === undefined ? Number.NaN : rate(sample) / rate(other)
    }),
  )
}

function formatUs(us: number): string {
  return us >= 10_000 ? `${(us / 1000).toFixed(1)} ms` : `${us.toFixed(0)} µs`
}

function formatRange({ median: middle, min, max }: Summary): string {
  return `${middle.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`
}

function syncCells({ counted }: CommitCaseRecord): string {
  if (counted === undefined) return '–'
  const total = Object.values(counted.syncs).reduce((sum, count) => sum + count, 0)
  return counted.commits === 0 ? '–' : ((total * 1000) / counted.commits).toPrecision(4)
}

function commitTable(part: CommitsPart, callers: number): string[] {
  const cases = part.cases.filter((one) => one.callers === callers)
  if (cases.length === 0) return []
  const own = cases.find(({ side }) => side === 'revbolt')
  const rows = cases.map((one) => {
    const across = (pick: (sample: CommitAnswer) => number): number => median(one.samples.map(pick))
    const speeds = summarize(one.samples.map(rate))
    return [
      one.label,
      formatCount(speeds.median),
      `${formatCount(speeds.min)}–${formatCount(speeds.max)}`,
      formatUs(across((sample) => sample.p50Us)),
      formatUs(across((sample) => sample.p99Us)),
      formatUs(Math.max(...one.samples.map((sample) => sample.maxUs))),
      syncCells(one),
      own === undefined || own === one ? '' : formatRange(ratios(own, one)),
    ]
  })
  const head = ['side', 'commits a second', 'min–max', 'p50', 'p99', 'max', 'syncs per 1000']
  const title = callers === 1 ? 'One commit at a time' : `${callers} commits at once`
  return [`### ${title}\n\n${table([...head, '`await put` / it'], rows)}\n`]
}

function targetRow(part: CommitsPart, target: Target): string[][] {
  const among = part.cases.filter(({ callers }) => callers === target.callers)
  const own = among.find(({ side }) => side === target.own)
  const peers = among.filter(({ side }) => target.peers.includes(side))
  const [peer] = peers.toSorted((a, b) => medianRate(b) - medianRate(a))
  if (own === undefined || peer === undefined || peers.length < target.peers.length) return []
  const ratio = ratios(own, peer)
  return [
    [
      `${target.callers} at once: ${own.label} / ${peer.label}`,
      formatRange(ratio),
      `≥ ${target.ratio}`,
      verdict(ratio.median >= target.ratio),
    ],
  ]
}

function commitsText(part: CommitsPart): string {
  const targets = TARGETS.flatMap((target) => targetRow(part, target))
  const parts = [
    `${heading(part)} ${part.rounds} rounds of ${part.durationMs} ms, ` +
      `${formatCount(part.keyCount)} keys before.\n`,
    ...CALLER_COUNTS.flatMap((callers) => commitTable(part, callers)),
  ]
  if (targets.length > 0) parts.push(`${table(['ratio', '', 'wanted', ''], targets)}\n`)
  return parts.join('\n')
}

const LATENCY_LABELS: Readonly<Record<LatencyCase, string>> = {
  idle: "none: what of the loop delay is the machine's",
  quiet: 'one at a time, quiet',
  hashes: 'one at a time, eight hashes always queued',
  checkpoint: '64 at once, while a checkpoint runs',
  writers: '64 at once',
  slow: '64 at once, a disk of 20 ms a sync',
}

interface Limit {
  readonly what: string
  /** NaN where nothing was measured that it could be judged by. */
  readonly value: number
  readonly limit: number
  readonly unit: string
}

function highest(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : Math.max(...values)
}

function limits(samples: readonly LatencySample[]): Limit[] {
  const of = (name: LatencyCase): readonly LatencySample[] =>
    samples.filter((sample) => sample.name === name)
  // A run in which no sync was slow, or no checkpoint came, would keep to every limit.
  const slow = of('slow').filter(({ slowedSyncs = 0 }) => slowedSyncs > 0)
  const checkpoint = of('checkpoint').filter(({ checkpoints = 0 }) => checkpoints > 0)
  const quiet = of('quiet')
  const ratio = of('hashes').map(({ latency }, i) => latency.p99Us / (quiet[i]?.latency.p99Us ?? 0))
  const longest = highest(checkpoint.map(({ latency }) => latency.maxUs)) / 1000
  const loop = (some: readonly LatencySample[]): number =>
    highest(some.map((one) => one.loop.maxMs))
  const ms = ' ms'
  return [
    { what: 'event loop, slow disk, highest delay', value: loop(slow), limit: 10, unit: ms },
    {
      what: 'p99 beside hashes / quiet p99',
      value: ratio.length === 0 ? Number.NaN : median(ratio),
      limit: 3,
      unit: '',
    },
    { what: 'commit in a checkpoint, longest', value: longest, limit: 50, unit: ms },
    {
      what: 'event loop in a checkpoint, highest delay',
      value: loop(checkpoint),
      limit: 50,
      unit: ms,
    },
  ]
}

function limitRow({ what, value, limit, unit }: Limit): string[] {
  const isMeasured = Number.isFinite(value)
  return [
    what,
    isMeasured ? `${value.toFixed(1)}${unit}` : '–',
    `< ${limit}${unit}`,
    isMeasured ? verdict(value < limit) : '**not measured**',
  ]
}

/** What a sample says besides. */
function noteOf(sample: LatencySample): string[] {
  const { checkpoints, checkpointMs = 0, putBytes = 0, otherLoop } = sample
  const { slowedSyncs, blockedSyncs = 0 } = sample
  if (slowedSyncs !== undefined) {
    return [`${slowedSyncs} syncs were slowed down, ${blockedSyncs} of them blocked.`]
  }
  if (checkpoints === undefined || otherLoop === undefined) return []
  return [
    `${checkpoints} checkpoints changed the data file for ${checkpointMs.toFixed(0)} ms, ` +
      `${(putBytes / MIB).toFixed(0)} MiB were put; ` +
      `loop delay outside of them at most ${otherLoop.maxMs.toFixed(1)} ms.`,
  ]
}

function latencyText(part: LatencyPart): string {
  const samples = new Map<LatencyCase, LatencySample[]>()
  for (const sample of part.samples) {
    samples.set(sample.name, [...(samples.get(sample.name) ?? []), sample])
  }
  const rows = [...samples].map(([name, all]) => {
    const middle = (pick: (sample: LatencySample) => number): number => median(all.map(pick))
    const highest = (pick: (sample: LatencySample) => number): number => Math.max(...all.map(pick))
    const times = [
      formatCount(middle(({ latency }) => latency.count)),
      formatUs(middle(({ latency }) => latency.p50Us)),
      formatUs(middle(({ latency }) => latency.p99Us)),
      formatUs(highest(({ latency }) => latency.maxUs)),
    ]
    return [
      LATENCY_LABELS[name],
      ...(name === 'idle' ? times.map(() => '–') : times),
      `${middle(({ loop }) => loop.p99Ms).toFixed(1)} ms`,
      `${highest(({ loop }) => loop.maxMs).toFixed(1)} ms`,
    ]
  })
  const head = ['commits', 'how many', 'p50', 'p99', 'max', 'loop delay p99', 'loop delay max']
  const judged = limits(part.samples).map(limitRow)
  const noted = part.samples.flatMap(noteOf)
  return (
    `${heading(part)}\n\n### Latency of a commit\n\n${table(head, rows)}\n\n` +
    `${table(['limit', '', 'wanted', ''], judged)}\n\n${noted.join(' ')}\n`
  )
}

const RECORDS_WANTED = 300_000

function replayText(part: ReplayPart): string {
  const rows = part.samples.map((sample) => {
    const { records, logBytes, openMs, readMs, databaseMs, indexMs } = sample
    const ms = (value: number): string => `${value.toFixed(0)} ms`
    return [
      formatCount(records),
      (logBytes / MIB).toFixed(0),
      ms(openMs),
      formatCount((records * 1000) / openMs),
      ((logBytes / MIB / openMs) * 1000).toFixed(0),
      ms(readMs),
      ms(databaseMs - readMs),
      ms(indexMs),
    ]
  })
  const head = ['records', 'log, MiB', 'opening', 'records a second', 'MiB a second']
  const speed = median(part.samples.map(({ records, openMs }) => (records * 1000) / openMs))
  return (
    `${heading(part)}\n\n### Replay\n\n` +
    `${table([...head, 'reading the log', 'in the engine', 'key index'], rows)}\n\n` +
    `Wanted: ≥ ${formatCount(RECORDS_WANTED)} records a second; ${formatCount(speed)}: ` +
    `${verdict(speed >= RECORDS_WANTED)}.\n`
  )
}

/** The whole record as Markdown. */
export function formatCommitRecord({ commits, latency, replay }: CommitRecord): string {
  const parts: string[] = []
  if (commits !== undefined) parts.push(commitsText(commits))
  if (latency !== undefined) parts.push(latencyText(latency))
  if (replay !== undefined) parts.push(replayText(replay))
  return parts.join('\n')
}
