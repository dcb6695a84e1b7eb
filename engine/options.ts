/** What `openEngine` can be asked for, and the check of it. */

import { describeType } from '../base/text.ts'
import type { Disk, LockMethod } from '../disk/disk.ts'
import { isPageSize } from './format.ts'

export const CACHE_BYTES_DEFAULT: number = 256 * 1024 * 1024
const CACHE_BYTES_MIN = 16 * 1024

/** What `openEngine` takes. */
export interface EngineOptions {
  /** Where the file is. Default: the machine's disk. */
  readonly disk?: Disk
  /** Take a shared lock and write nothing. Default false. */
  readonly readOnly?: boolean
  /**
   * Page size of a file that is made, 1024 to 65536. Default 4096. An existing file keeps its own.
   */
  readonly pageSizeBytes?: number
  /**
   * How long to wait for another holder of the file, in ms. Default 0: not at all. Infinity: for
   * ever.
   */
  readonly lockTimeoutMs?: number
  /** `auto`: flock(2), as bbolt; `file`: a lock file beside it; `none`: no lock. Default `auto`. */
  readonly lock?: LockMethod | 'none'
  /**
   * `sync`: commits write the freelist; `scan`: they don't, and opening walks the file. Default
   * `sync`.
   */
  readonly freelist?: 'sync' | 'scan'
  /**
   * `previous`: stand at the generation before the newest one, which the first commit drops.
   * Default `newest`.
   */
  readonly generation?: 'newest' | 'previous'
  /**
   * Memory for pages, in bytes, 16 KiB at least: as much for those that are read, and as much again
   * for those that a write transaction has changed; a larger transaction writes some of them before
   * it commits. Default 256 MiB.
   */
  readonly cacheBytes?: number
  /**
   * `bounds`: read pages that are safe to read though bbolt would not have written them so. Default
   * `strict`.
   */
  readonly pageRules?: 'strict' | 'bounds'
  /** Gives up waiting for the lock. */
  readonly signal?: AbortSignal
}

const OPTION_CHECKS: Readonly<Record<keyof EngineOptions, (value: unknown) => string | undefined>> =
  {
    disk: (v) => (typeof v === 'object' && v !== null ? undefined : 'expected a disk'),
    readOnly: isBoolean,
    pageSizeBytes: (v) => {
      if (typeof v !== 'number') return 'expected a number'
      return isPageSize(v) ? undefined : 'range: expected a power of two from 1024 to 65536'
    },
    lockTimeoutMs: (v) => {
      if (typeof v !== 'number') return 'expected a number'
      return v >= 0 ? undefined : 'range: expected 0 or more'
    },
    lock: oneOf('auto', 'file', 'none'),
    freelist: oneOf('sync', 'scan'),
    generation: oneOf('newest', 'previous'),
    cacheBytes: (v) => {
      if (typeof v !== 'number') return 'expected a number'
      return v >= CACHE_BYTES_MIN ? undefined : `range: expected ${CACHE_BYTES_MIN} or more`
    },
    pageRules: oneOf('strict', 'bounds'),
    signal: (v) => (v instanceof AbortSignal ? undefined : 'expected an AbortSignal'),
  }

function isBoolean(value: unknown): string | undefined {
  return typeof value === 'boolean' ? undefined : 'expected a boolean'
}

function oneOf(...names: readonly string[]): (value: unknown) => string | undefined {
  return (value) =>
    names.some((name) => name === value) ? undefined : `expected one of ${names.join(', ')}`
}

/** Throws a TypeError or RangeError that begins with the name of what is wrong. */
export function checkOptions(path: unknown, options: EngineOptions): void {
  if (typeof path !== 'string')
    throw new TypeError(`path: expected a string, got ${describeType(path)}`)
  if (path === '') throw new RangeError('path: it is empty')
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`options: expected an object, got ${describeType(options)}`)
  }
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (!Object.hasOwn(OPTION_CHECKS, name)) throw new TypeError(`options: unknown option ${name}`)
    const fault = OPTION_CHECKS[name as keyof EngineOptions](value)
    if (fault === undefined) continue
    const isRange = fault.startsWith('range: ')
    const message = `${name}: ${isRange ? fault.slice(7) : fault}, got ${String(value)}`
    throw isRange ? new RangeError(message) : new TypeError(message)
  }
}
