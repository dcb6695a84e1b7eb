/**
 * `--memory`: what a file of 1 GiB costs in memory when the page budget is 64 MiB.
 *
 * A child process does the work, so that nothing of the harness counts; it runs memory-worker.mjs,
 * plain JavaScript, since a transpiler's own memory would count too. Here is what starts it.
 */

import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { MemoryPhase, MemoryRecord } from './record.ts'
import { join } from 'node:path'

const WORKER = fileURLToPath(new URL('./memory-worker.mjs', import.meta.url))
const FILE_BYTES = 1024 ** 3
const CACHE_BYTES = 64 * 1024 * 1024
const READS = 500_000
const REWRITES = 200_000

type Line =
  | { readonly kind: 'progress'; readonly text: string }
  | { readonly kind: 'phase'; readonly phase: MemoryPhase }
  | { readonly kind: 'file'; readonly file: Omit<MemoryRecord, 'phases' | 'cacheBytes'> }

async function runWorker(
  work: Readonly<Record<string, number | string>>,
  take: (line: Line) => void,
): Promise<void> {
  const environment = { ...process.env }
  delete environment['KV_VERIFY']
  const child = spawn(process.execPath, [WORKER, JSON.stringify(work)], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  for await (const line of createInterface({ input: child.stdout })) take(JSON.parse(line) as Line)
  const [status] = (await ended) as [number | null]
  if (status !== 0) throw new Error(`memory-worker.mjs ended with ${status}`)
}

/** Makes the file where there is none, then measures in a process of its own. */
export async function measureMemory(
  folder: string,
  say: (text: string) => void,
): Promise<MemoryRecord> {
  const path = join(folder, 'memory.db')
  const phases: MemoryPhase[] = []
  let file: Omit<MemoryRecord, 'phases' | 'cacheBytes'> | undefined
  const take = (line: Line): void => {
    if (line.kind === 'progress') say(line.text)
    else if (line.kind === 'phase') phases.push(line.phase)
    else file = line.file
  }
  await runWorker({ task: 'make', path, fileBytes: FILE_BYTES }, take)
  const counts = { reads: READS, rewrites: REWRITES }
  await runWorker({ task: 'measure', path, cacheBytes: CACHE_BYTES, ...counts }, take)
  if (file === undefined) throw new Error('memory-worker.mjs did not say what it measured')
  return { ...file, cacheBytes: CACHE_BYTES, phases }
}
