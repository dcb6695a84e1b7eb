/**
 * The record of `npm run versioned`: raw figures of each round. Fields are added, never changed; a
 * change of meaning raises the version. Cases that a run leaves out stay as they were.
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Occasion } from './record.ts'
import { summarize } from './statistics.ts'
import { table } from './tables.ts'
import type { Figure, VersionedCase } from './versioned-protocol.ts'

const VERSIONED_FORMAT = 'revbolt-versioned'
const VERSIONED_VERSION = 1
const BAR_COLUMNS = 50

export interface VersionedPart extends Occasion {
  readonly scale: number
  /** The figures of each round. */
  readonly rounds: readonly (readonly Figure[])[]
}

export interface VersionedRecord {
  readonly format: typeof VERSIONED_FORMAT
  readonly version: typeof VERSIONED_VERSION
  readonly cases: Readonly<Partial<Record<VersionedCase, VersionedPart>>>
}

export type VersionedParts = VersionedRecord['cases']

export function writeVersionedParts(path: string, parts: VersionedParts): void {
  let earlier: VersionedParts = {}
  if (existsSync(path)) {
    const record = JSON.parse(readFileSync(path, 'utf8')) as VersionedRecord
    if (record.format !== VERSIONED_FORMAT || record.version !== VERSIONED_VERSION) {
      throw new Error(`${path}: it is no record of \`npm run versioned\`, or of another version`)
    }
    earlier = record.cases
  }
  const record: VersionedRecord = {
    format: VERSIONED_FORMAT,
    version: VERSIONED_VERSION,
    cases: { ...earlier, ...parts },
  }
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(record, undefined, 1)}\n`)
}

interface Summarized {
  readonly figure: Figure
  readonly median: number
  readonly spread: string
}

/** The figures of one case, medians of its rounds. */
export function formatPart(name: string, { rounds }: VersionedPart): string {
  const [first = []] = rounds
  const all: Summarized[] = first.map((figure, i) => {
    const values = rounds.map((round) => round[i]?.value ?? Number.NaN)
    const { median, min, max } = summarize(values)
    const spread = values.length > 1 ? ` (${formatValue(min)}–${formatValue(max)})` : ''
    return { figure, median, spread }
  })
  const rows = all
    .filter(({ figure }) => figure.curve === undefined)
    .map(({ figure, median, spread }) => [
      figure.name,
      `${formatValue(median)}${spread} ${figure.unit}`,
      wantedOf(figure, median),
    ])
  const text = `### ${name}\n\n${table(['what', 'measured', 'wanted'], rows)}\n`
  return text + formatCurves(all)
}

/** Bars below each other, from 0 to the largest. */
function formatCurves(all: readonly Summarized[]): string {
  let text = ''
  for (const curve of new Set(all.map(({ figure }) => figure.curve))) {
    if (curve === undefined) continue
    const points = all.filter(({ figure }) => figure.curve === curve)
    const most = Math.max(...points.map(({ median }) => median))
    const width = Math.max(...points.map(({ figure }) => figure.name.length))
    const lines = points.map(({ figure, median }) => {
      const bar = '█'.repeat(Math.round((BAR_COLUMNS * median) / most))
      return `${figure.name.padStart(width)} ${bar} ${formatValue(median)}`
    })
    text += `\n\`\`\`\n${curve}\n${lines.join('\n')}\n\`\`\`\n`
  }
  return text
}

function wantedOf({ atLeast, atMost }: Figure, value: number): string {
  if (atLeast !== undefined) return `≥ ${formatValue(atLeast)}${value >= atLeast ? '' : ', missed'}`
  if (atMost !== undefined) return `≤ ${formatValue(atMost)}${value <= atMost ? '' : ', missed'}`
  return ''
}

function formatValue(value: number): string {
  if (Math.abs(value) >= 10_000)
    return Math.round(value).toLocaleString('en-GB').replaceAll(',', ' ')
  return Number.isInteger(value) ? String(value) : value.toPrecision(3)
}
