/**
 * Who holds flock(2) on a file, from /proc on Linux; elsewhere nothing is known.
 *
 * /proc/locks names the process that *took* a lock. With flock(1) that process has ended while the
 * lock lives on in the descriptor it was taken for, and in a container the line is then left out;
 * and some file systems (overlay, btrfs) go by another device number there. So where /proc/locks
 * does not name a living process, the descriptors of the processes we may look into are searched:
 * /proc/<pid>/fdinfo/<fd> has a `lock:` line for each lock held through it.
 */

import * as fs from 'node:fs'
import type { FileIdentity } from './disk.ts'

export interface FlockOwner {
  /** Undefined where a lock is there but its process can't be seen. */
  readonly pid: number | undefined
  readonly isExclusive: boolean
}

/**
 * The holders of flock on the file; empty where there is none or where it can't be known. `path` is
 * free of links.
 */
export function findFlockOwners(path: string, identity: FileIdentity): FlockOwner[] {
  const named = readLocks(identity)
  if (named.length > 0 && named.every((owner) => owner.pid !== undefined)) return named
  const searched = searchDescriptors(path)
  return searched.length > 0 ? searched : named
}

function readLocks(identity: FileIdentity): FlockOwner[] {
  const owners: FlockOwner[] = []
  const key = fileKey(identity)
  for (const line of readText('/proc/locks').split('\n')) {
    const lock = parseLock(line)
    if (lock === undefined || lock.file !== key) continue
    const isAlive = fs.existsSync(`/proc/${lock.pid}`)
    owners.push({ pid: isAlive ? lock.pid : undefined, isExclusive: lock.isExclusive })
  }
  return owners
}

interface Lock {
  readonly pid: number
  readonly file: string
  readonly isExclusive: boolean
}

/** `1: FLOCK  ADVISORY  WRITE 708 fd:01:1234 0 EOF`; one who waits has `->` before FLOCK. */
const LOCK_LINE = /:\s+FLOCK\s+\S+\s+(READ|WRITE)\s+(-?\d+)\s+([0-9a-f]+:[0-9a-f]+:\d+)\s/

function parseLock(line: string): Lock | undefined {
  const [, access, pid, file] = LOCK_LINE.exec(line) ?? []
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

function searchDescriptors(path: string): FlockOwner[] {
  const owners: FlockOwner[] = []
  for (const pid of readNames('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    for (const descriptor of readNames(`/proc/${pid}/fd`)) {
      // By name first: looking at the link needs no access to the file behind it, which may hang.
      if (readLink(`/proc/${pid}/fd/${descriptor}`) !== path) continue
      for (const line of readText(`/proc/${pid}/fdinfo/${descriptor}`).split('\n')) {
        const lock = line.startsWith('lock:') ? parseLock(line) : undefined
        if (lock !== undefined) owners.push({ pid: Number(pid), isExclusive: lock.isExclusive })
      }
    }
  }
  return owners
}

function readNames(directory: string): string[] {
  try {
    return fs.readdirSync(directory)
  } catch {
    return []
  }
}

function readLink(path: string): string {
  try {
    return fs.readlinkSync(path)
  } catch {
    return ''
  }
}

function readText(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
