/**
 * Which process this is, in a way another process can check later.
 *
 * A pid alone says little: it is used again. On Linux the pid with the start time (ticks since
 * boot, field 22 of /proc/<pid>/stat) and the boot's id name one process for ever; the host name
 * and the pid namespace say whether a pid can be looked up from here at all. Elsewhere only pid and
 * host are known.
 */

import * as fs from 'node:fs'
import { hostname } from 'node:os'
import { errnoOf } from './io-error.ts'

export interface ProcessIdentity {
  readonly pid: number
  readonly host: string
  /** Ticks from boot to the start of the process, '' where unknown. */
  readonly startTime: string
  /** '' where unknown. */
  readonly bootId: string
  /** '' where unknown. */
  readonly pidNamespace: string
}

/** None of it changes while the process lives. */
let known: ProcessIdentity | undefined

export function currentProcess(): ProcessIdentity {
  known ??= {
    pid: process.pid,
    host: hostname(),
    startTime: readStat(process.pid)?.startTime ?? '',
    bootId: readText('/proc/sys/kernel/random/boot_id'),
    pidNamespace: readLink('/proc/self/ns/pid'),
  }
  return known
}

/**
 * Whether `owner` has certainly ended. An owner on another host or in another pid namespace can't
 * be seen, and counts as alive: better a lock that a person must remove than two writers.
 */
export function hasEnded(owner: ProcessIdentity): boolean {
  const own = currentProcess()
  if (owner.host !== own.host) return false
  if (owner.bootId !== '' && own.bootId !== '' && owner.bootId !== own.bootId) return true
  if (owner.pidNamespace !== own.pidNamespace) return false
  if (!isRunning(owner.pid)) return true
  const stat = readStat(owner.pid)
  // No /proc here, or the process ended a moment ago: the next look will tell.
  if (stat === undefined) return false
  if (stat.isDead) return true
  return owner.startTime !== '' && stat.startTime !== owner.startTime
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) !== 'ESRCH'
  }
}

interface ProcessStat {
  readonly startTime: string
  /** Ended, but its parent has not asked for its exit status yet. */
  readonly isDead: boolean
}

function readStat(pid: number): ProcessStat | undefined {
  const text = readText(`/proc/${pid}/stat`)
  // The second field is the command in parentheses and may hold anything, so count from its end.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  const startTime = fields[19]
  if (text === '' || state === undefined || startTime === undefined) return undefined
  return { startTime, isDead: state === 'Z' || state === 'X' }
}

function readText(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

function readLink(path: string): string {
  try {
    return fs.readlinkSync(path)
  } catch {
    return ''
  }
}
