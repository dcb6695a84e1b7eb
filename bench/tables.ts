/** A record as Markdown: a table for each case, the growth as curves, the memory phases. */

import { type Case, findCase } from './cases.ts'
import type { BenchRecord, CaseRecord, MemoryRecord, Occasion, SideRecord } from './record.ts'
import { median, speedRatios, summarize } from './statistics.ts'

const MIB = 1024 * 1024
const CURVE_WIDTH = 40
const MEMORY_TARGET_MIB = 200

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'))
  return [head, rule, ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

/** 12,345,678 → 12.3 M. */
export function formatCount(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toPrecision(3)} M`
  if (value >= 1e3) return `${(value / 1e3).toPrecision(3)} k`
  return value.toPrecision(3)
}

/** Nanoseconds of one operation, in the unit that suits them. */
function formatTime(ns: number): string {
  if (ns >= 1e6) return `${(ns / 1e6).toPrecision(3)} ms`
  if (ns >= 1e3) return `${(ns / 1e3).toPrecision(3)} µs`
  return `${ns.toPrecision(3)} ns`
}

function each(record: CaseRecord, side: SideRecord): number[] {
  return side.samplesNs.map((ns) => ns / record.operations)
}

export function verdict(isMet: boolean): string {
  return isMet ? 'met' : '**missed**'
}

function ratioCells(record: CaseRecord, one: Case | undefined, side: SideRecord): string[] {
  const own = record.sides.find((other) => other.side === 'revbolt')
  if (own === undefined) return ['', '']
  if (side === own) {
    const limit = one?.targetMs
    if (limit === undefined) return ['', '']
    const isMet = median(each(record, own)) <= limit * 1e6
    return ['', `≤ ${limit} ms: ${verdict(isMet)}`]
  }
  const ratio = summarize(speedRatios(own.samplesNs, side.samplesNs))
  const target = one?.targets.find((other) => other.peer === side.side)
  const goal =
    target === undefined ? '' : `≥ ${target.ratio}: ${verdict(ratio.median >= target.ratio)}`
  const range = `${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)}`
  return [`${ratio.median.toFixed(2)} (${range})`, goal]
}

function caseTable(record: CaseRecord): string {
  const one = findCase(record.name)
  const rows = record.sides.map((side) => {
    const time = summarize(each(record, side))
    const size = side.fileBytes === undefined ? '' : `${(side.fileBytes / MIB).toFixed(0)}`
    return [
      side.side,
      formatCount(1e9 / time.median),
      formatTime(time.median),
      `${formatTime(time.min)}–${formatTime(time.max)}`,
      `${(time.spread * 100).toFixed(0)} %`,
      size,
      ...ratioCells(record, one, side),
    ]
  })
  const head = ['side', 'a second', 'each', 'min–max', 'spread', 'file, MiB', 'ours / it', 'target']
  const contract = one === undefined || one.contract === 'none' ? '' : ` (${one.contract})`
  const what = one === undefined ? '' : `${one.what}${contract}; `
  return (
    `### ${record.name}, ${formatCount(record.keyCount)} keys\n\n` +
    `${what}${record.operations} operations a round.\n\n${table(head, rows)}\n`
  )
}

function curve(values: readonly number[], labels: readonly string[]): string {
  const highest = Math.max(...values)
  return values
    .map((value, i) => {
      const bar = '█'.repeat(Math.max(1, Math.round((value / highest) * CURVE_WIDTH)))
      return `${(labels[i] ?? '').padStart(10)} ${bar} ${formatTime(value)}`
    })
    .join('\n')
}

/** Each case that was measured at several key counts, as one table and a bar for each cost. */
function growthTables(cases: readonly CaseRecord[]): string[] {
  const names = new Set(cases.map((one) => one.name))
  return [...names].flatMap((name) => {
    const steps = cases.filter((one) => one.name === name)
    if (steps.length < 2) return []
    const sides = steps[0]?.sides.map((side) => side.side) ?? []
    const costs = sides.map((side) =>
      steps.map((step) => {
        const found = step.sides.find((other) => other.side === side)
        return found === undefined ? Number.NaN : median(each(step, found))
      }),
    )
    const labels = steps.map((step) => formatCount(step.keyCount))
    const rows = sides.map((side, i) => [side, ...(costs[i] ?? []).map(formatTime)])
    const curves = sides.map((side, i) => `${side}\n${curve(costs[i] ?? [], labels)}`)
    return [
      `### ${name} as the file grows\n\n${table(['side', ...labels], rows)}\n\n` +
        `\`\`\`text\n${curves.join('\n')}\n\`\`\`\n`,
    ]
  })
}

function memoryTable(memory: MemoryRecord): string {
  const rows = memory.phases.map((phase) => [
    phase.name,
    formatCount((phase.operations * 1e9) / phase.ns),
    (phase.maxResidentBytes / MIB).toFixed(0),
  ])
  const highest = Math.max(...memory.phases.map((phase) => phase.maxResidentBytes)) / MIB
  return (
    `### Memory\n\nA file of ${(memory.fileBytes / MIB).toFixed(0)} MiB, ` +
    `${formatCount(memory.keyCount)} keys, page budget ${memory.cacheBytes / MIB} MiB; ` +
    `resident with nothing open ${(memory.baseResidentBytes / MIB).toFixed(0)} MiB. ` +
    `Highest: ${highest.toFixed(0)} MiB, target ≤ ${MEMORY_TARGET_MIB}: ` +
    `${verdict(highest <= MEMORY_TARGET_MIB)}.\n\n` +
    `${table(['phase', 'a second', 'highest resident, MiB'], rows)}\n`
  )
}

/** The machine, the versions, the commit and the day. */
export function heading(occasion: Occasion): string {
  const { machine, versions, commit, startedAt, loadBefore } = occasion
  const gib = machine.memoryBytes / MIB / 1024
  const listed = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return (
    `${machine.cpu}, ${machine.cores} cores, ${gib.toFixed(0)} GiB, ` +
    `${machine.kernel}, ${machine.fileSystem}. ${listed.join(', ')}. ` +
    `Commit ${commit.slice(0, 12)}, ${startedAt.slice(0, 10)}.` +
    (loadBefore === undefined ? '' : ` Load before: ${loadBefore.toFixed(1)}.`)
  )
}

/** The whole record as Markdown. */
export function formatRecord(record: BenchRecord): string {
  const head = `${heading(record)} ${record.rounds} rounds, seed ${record.seed}.\n`
  const parts = [head, ...record.cases.map(caseTable), ...growthTables(record.cases)]
  if (record.memory !== undefined) parts.push(memoryTable(record.memory))
  return parts.join('\n')
}
