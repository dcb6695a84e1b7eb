/**
 * Counts the syncs of a process by strace(1), which needs no special rights and sees every side
 * alike: fsync, fdatasync, sync_file_range, msync with MS_SYNC, and writes that are syncs
 * themselves, through a descriptor opened with O_DSYNC or O_SYNC or with RWF_DSYNC or RWF_SYNC.
 *
 * Only what lies between two marks is counted: failing looks at paths that nothing else looks at.
 * A descriptor is told by number and path together, so that other processes' can't be taken for it.
 */

import { spawnSync } from 'node:child_process'

const WRITES = ['write', 'pwrite64', 'writev', 'pwritev', 'pwritev2']
const SYNCS = ['fsync', 'fdatasync', 'msync', 'sync_file_range']
const MARKS = ['access', 'faccessat', 'faccessat2', 'stat', 'newfstatat', 'statx']
/** Those that the processor's architecture lacks are left out: `?`. */
const TRACED = [...SYNCS, ...WRITES, ...MARKS, 'open', 'openat'].map((name) => `?${name}`).join(',')

/** What to put before a command so that its calls are written to a file; undefined: no strace. */
export function tracing(outputPath: string): readonly string[] | undefined {
  const probe = spawnSync('strace', ['-f', '--seccomp-bpf', '-e', 'trace=fsync', 'true'])
  if (probe.error !== undefined || probe.status !== 0) return undefined
  return ['strace', '-f', '--seccomp-bpf', '-y', '-qq', '-s', '64', '-o', outputPath].concat([
    '-e',
    `trace=${TRACED}`,
  ])
}

/** Counts per call; `synced write` for writes that are syncs themselves. */
export type SyncCounts = Readonly<Record<string, number>>

export interface Marks {
  readonly begin: string
  readonly end: string
}

/** A call as strace writes it: where others come between, only how it began. */
const CALL = /^(\d+)\s+(\w+)\((.*)$/
const RESUMED = /^(\d+)\s+<\.\.\. (\w+) resumed>(.*)$/
const OPENED = /= (\d+<[^>]*>)/
const DESCRIPTOR = /^(\d+<[^>]*>)/

class Counter {
  readonly #counts = new Map<string, number>()
  /** Descriptors whose writes are syncs. */
  readonly #synced = new Set<string>()
  /** Processes and threads that are opening such a file. */
  readonly #opening = new Set<string>()
  readonly #marks: Marks
  #isWithin = false

  constructor(marks: Marks) {
    this.#marks = marks
  }

  get counts(): SyncCounts {
    return Object.fromEntries(this.#counts)
  }

  take(line: string): void {
    const resumed = RESUMED.exec(line)
    if (resumed !== null) {
      const [, thread = '', , rest = ''] = resumed
      if (this.#opening.delete(thread)) this.#opened(rest)
      return
    }
    const [, thread = '', name = '', rest = ''] = CALL.exec(line) ?? []
    if (name === 'open' || name === 'openat') this.#open(thread, rest)
    else if (MARKS.includes(name)) this.#look(rest)
    else if (SYNCS.includes(name)) this.#sync(name, rest)
    else if (WRITES.includes(name)) this.#write(rest)
  }

  #open(thread: string, rest: string): void {
    if (!/\bO_D?SYNC\b/.test(rest)) {
      // The number and path may have been those of a file that was opened so and closed since.
      this.#synced.delete(OPENED.exec(rest)?.[1] ?? '')
    } else if (rest.includes('<unfinished')) this.#opening.add(thread)
    else this.#opened(rest)
  }

  #opened(rest: string): void {
    const [, descriptor] = OPENED.exec(rest) ?? []
    if (descriptor !== undefined) this.#synced.add(descriptor)
  }

  #look(rest: string): void {
    if (rest.includes(`"${this.#marks.begin}"`)) this.#isWithin = true
    if (rest.includes(`"${this.#marks.end}"`)) this.#isWithin = false
  }

  #sync(name: string, rest: string): void {
    if (name !== 'msync' || /\bMS_SYNC\b/.test(rest)) this.#count(name)
  }

  #write(rest: string): void {
    const [, descriptor = ''] = DESCRIPTOR.exec(rest) ?? []
    if (this.#synced.has(descriptor) || /\bRWF_D?SYNC\b/.test(rest)) this.#count('synced write')
  }

  #count(name: string): void {
    if (this.#isWithin) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1)
  }
}

/** The syncs between the marks in what strace wrote. */
export function countSyncs(trace: string, marks: Marks): SyncCounts {
  const counter = new Counter(marks)
  for (const line of trace.split('\n')) counter.take(line)
  return counter.counts
}
