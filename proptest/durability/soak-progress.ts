/**
 * Where a soak stands: which workloads are done and what they met. Workloads end in any order where
 * several run side by side, so beside the first one not done there are those done ahead of it.
 */

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { newTally } from './power-cut.ts'
import type { Tally } from './power-cut.ts'

/** What became of a workload. */
export type Outcome =
  | { readonly seed: number; readonly tally: Tally }
  | { readonly seed: number; readonly failure: string }

export interface Progress {
  readonly firstSeed: number
  /** Every workload before this one is done. */
  nextSeed: number
  /** Done beyond it, in no order. */
  ahead: number[]
  failed: number
  readonly failures: string[]
  /** Of whole workloads only. */
  readonly tally: Tally
}

export function newProgress(firstSeed: number): Progress {
  return { firstSeed, nextSeed: firstSeed, ahead: [], failed: 0, failures: [], tally: newTally() }
}

export function note(progress: Progress, outcome: Outcome): void {
  const ahead = new Set([...progress.ahead, outcome.seed])
  while (ahead.delete(progress.nextSeed)) progress.nextSeed++
  progress.ahead = [...ahead]
  if ('tally' in outcome) {
    addTally(progress.tally, outcome.tally)
    return
  }
  progress.failed++
  progress.failures.push(outcome.failure)
}

/** The workload to begin next, when those in `begun` are under way. */
export function nextFree(progress: Progress, begun: ReadonlySet<number>): number {
  let seed = progress.nextSeed
  while (begun.has(seed) || progress.ahead.includes(seed)) seed++
  return seed
}

function addTally(to: Tally, from: Tally): void {
  for (const name of tallyNames()) to[name] += from[name]
}

function tallyNames(): (keyof Tally)[] {
  const isName = (name: string): name is keyof Tally => name in tally
  const tally = newTally()
  return Object.keys(tally).filter(isName)
}

/** Where an earlier run ended; undefined where there is none. */
export function readProgress(path: string): Progress | undefined {
  if (!existsSync(path)) return undefined
  const found: unknown = JSON.parse(readFileSync(path, 'utf8'))
  const field = (name: string): unknown => fieldOf(found, name)
  const progress = newProgress(countOf(field('firstSeed'), `${path}: firstSeed`))
  progress.nextSeed = countOf(field('nextSeed'), `${path}: nextSeed`)
  progress.failed = countOf(field('failed'), `${path}: failed`)
  for (const failure of listOf(field('failures'))) progress.failures.push(String(failure))
  // Runs of one process alone have no such field.
  progress.ahead = listOf(field('ahead')).map((seed) => countOf(seed, `${path}: ahead`))
  for (const name of tallyNames()) {
    progress.tally[name] = countOf(fieldOf(field('tally'), name) ?? 0, `${path}: tally.${name}`)
  }
  return progress
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.entries(value).find(([key]) => key === name)?.[1]
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function countOf(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new RangeError(`${name}: expected an integer from 0 on, got ${JSON.stringify(value)}`)
}

/** All or nothing, whenever the process ends. */
export function writeProgress(path: string, progress: Progress): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, `${JSON.stringify(progress, undefined, 2)}\n`)
  renameSync(`${path}.new`, path)
}
