/**
 * Who holds flock(2) on a file, from /proc on Linux; elsewhere nothing is known.
 *
 * /proc/locks names the process that *took* a lock. With flock(1) that process has ended while the lock
 * lives on in the descriptor it was taken for, so then the descriptors of all processes we may look into
 * are searched (/proc/<pid>/fdinfo/<fd> has a `lock:` line for each lock held through it).
 */

import * as fs from 'node:fs'
import type { FileIdentity } from './disk.ts'

export interface FlockOwner {
  /** Undefined where a lock is there but its process can't be seen. */
  readonly pid: number | undefined
  readonly isExclusive: boolean
}

/** The holders of flock on the file; empty where there is none or where it can't be known. */
export function findFlockOwners(identity: FileIdentity): FlockOwner[] {
  const owners: FlockOwner[] = []
  const inFile = fileKey(identity)
  for (const line of readText('/proc/locks').split('\n')) {
    const lock = parseLock(line)
    if (lock === undefined || lock.file !== inFile) continue
    const pid = fs.existsSync(`/proc/${lock.pid}`) ? lock.pid : undefined
    owners.push({ pid, isExclusive: lock.isExclusive })
  }
  return owners
}

/** The pid of some process that holds flock on the file, or undefined where it can't be known. Slow: for messages. */
export function findFlockPid(identity: FileIdentity): number | undefined {
  const known = findFlockOwners(identity).find((owner) => owner.pid !== undefined)
  return known?.pid ?? searchDescriptors(fileKey(identity))
}

interface Lock {
  readonly pid: number
  readonly file: string
  readonly isExclusive: boolean
}

/** `1: FLOCK  ADVISORY  WRITE 708 fd:01:1234 0 EOF`, in fdinfo after `lock:`; a waiter has `->` before FLOCK. */
const LOCK_LINE = /:\s+FLOCK\s+\S+\s+(READ|WRITE)\s+(-?\d+)\s+([0-9a-f]+:[0-9a-f]+:\d+)\s/

function parseLock(line: string): Lock | undefined {
  const match = LOCK_LINE.exec(line)
  const [, access, pid, file] = match ?? []
  if (access === undefined || pid === undefined || file === undefined) return undefined
  return { pid: Number(pid), file, isExclusive: access === 'WRITE' }
}

/** The kernel's spelling of a file: major and minor device number in hex, inode in decimal. */
function fileKey(identity: FileIdentity): string {
  const device = BigInt(identity.device)
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n)
  const hex = (value: bigint): string => value.toString(16).padStart(2, '0')
  return `${hex(major)}:${hex(minor)}:${identity.inode}`
}

function searchDescriptors(inFile: string): number | undefined {
  for (const pid of readNames('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    for (const descriptor of readNames(`/proc/${pid}/fdinfo`)) {
      for (const line of readText(`/proc/${pid}/fdinfo/${descriptor}`).split('\n')) {
        if (line.startsWith('lock:') && parseLock(line)?.file === inFile) return Number(pid)
      }
    }
  }
  return undefined
}

function readNames(directory: string): string[] {
  try {
    return fs.readdirSync(directory)
  } catch {
    return []
  }
}

function readText(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
