/**
 * flock(2) on a descriptor of ours, by either of two ways:
 *
 *   - `fs-ext`: the native package, where it loads. It is an optional dependency, compiled at
 *     install, and not made for more than one thread, so it is loaded only when first needed and
 *     only in the main thread;
 *   - `flock(1)`: the util-linux (or busybox) command, run on a copy of the descriptor. flock(2)
 *     locks the open file description, which the copy shares, so the lock stays ours when the
 *     command ends.
 *
 * Both take the same lock as bbolt, etcd and any other user of flock(2): it excludes other
 * processes and other handles of this process alike, and the kernel drops it when the last
 * descriptor is closed, also after SIGKILL. Children of Node don't inherit our descriptors
 * (O_CLOEXEC).
 */

import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { isMainThread } from 'node:worker_threads'
import { errnoOf } from './io-error.ts'
import type { LockKind } from './disk.ts'

export type FlockName = 'fs-ext' | 'flock(1)'

/** `unsupported`: flock is not to be had this way, or not on this file system. */
export type FlockResult = 'taken' | 'busy' | 'unsupported'

/** One way to call flock(2). */
export interface Flock {
  readonly name: FlockName
  /** One try without waiting. Rejects with what went wrong otherwise. */
  tryLock(descriptor: number, kind: LockKind): Promise<FlockResult>
  unlock(descriptor: number): Promise<void>
}

/** Which way to use; `auto`: fs-ext where it loads, else flock(1). */
export type FlockChoice = FlockName | 'auto' | 'none'

/** The way to use, or undefined where there is none. */
export function findFlock(choice: FlockChoice): Flock | undefined {
  switch (choice) {
    case 'none':
      return undefined
    case 'fs-ext':
      return loadFsExt()
    case 'flock(1)':
      return commandFlock
    case 'auto':
      return loadFsExt() ?? commandFlock
  }
}

type FlockFlags = 'exnb' | 'shnb' | 'un'
type FlockSync = (descriptor: number, flags: FlockFlags) => void

/** In a variable, so that bundlers don't follow it. */
const FS_EXT_PACKAGE: string = 'fs-ext'

let fsExt: Flock | 'missing' | undefined

function loadFsExt(): Flock | undefined {
  fsExt ??= requireFsExt() ?? 'missing'
  return fsExt === 'missing' ? undefined : fsExt
}

function requireFsExt(): Flock | undefined {
  if (!isMainThread) return undefined
  let loaded: unknown
  try {
    loaded = createRequire(import.meta.url)(FS_EXT_PACKAGE)
  } catch {
    // Not installed, not built, or built for another Node: flock(1) stands in.
    return undefined
  }
  if (!hasFlockSync(loaded)) return undefined
  const flockSync = loaded.flockSync
  return {
    name: 'fs-ext',
    async tryLock(descriptor, kind) {
      try {
        flockSync(descriptor, kind === 'exclusive' ? 'exnb' : 'shnb')
        return 'taken'
      } catch (error) {
        return resultOf(error)
      }
    },
    async unlock(descriptor) {
      flockSync(descriptor, 'un')
    },
  }
}

function hasFlockSync(loaded: unknown): loaded is { readonly flockSync: FlockSync } {
  if (typeof loaded !== 'object' || loaded === null || !('flockSync' in loaded)) return false
  return typeof loaded.flockSync === 'function'
}

function resultOf(error: unknown): FlockResult {
  switch (errnoOf(error)) {
    case 'EAGAIN':
    case 'EWOULDBLOCK':
      return 'busy'
    case 'ENOLCK':
    case 'ENOSYS':
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
      return 'unsupported'
    default:
      throw error
  }
}

/** The exit status of `flock -n` when another holds the lock. */
const STATUS_BUSY = 1

const commandFlock: Flock = {
  name: 'flock(1)',
  async tryLock(descriptor, kind) {
    const end = await runFlock(['-n', kind === 'exclusive' ? '-x' : '-s', '3'], descriptor)
    if (end === undefined) return 'unsupported'
    if (end.status === 0) return 'taken'
    // Other failures print a reason: util-linux then ends with 64 and up, busybox with 1 too.
    if (end.status === STATUS_BUSY && end.output === '') return 'busy'
    if (/no locks available|not supported|not implemented/i.test(end.output)) return 'unsupported'
    throw commandError(end)
  },
  async unlock(descriptor) {
    const end = await runFlock(['-u', '3'], descriptor)
    if (end !== undefined && end.status !== 0) throw commandError(end)
  },
}

interface CommandEnd {
  readonly status: number | string
  readonly output: string
}

function commandError(end: CommandEnd): Error {
  return new Error(`the command flock ended with ${end.status}: ${end.output || 'no message'}`)
}

/**
 * Runs the command with `descriptor` as its descriptor 3; undefined where there is no such command.
 */
function runFlock(args: readonly string[], descriptor: number): Promise<CommandEnd | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn('flock', args, {
      stdio: ['ignore', 'ignore', 'pipe', descriptor],
      env: { ...process.env, LC_ALL: 'C' },
    })
    let output = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.on('error', (error) => (errnoOf(error) === 'ENOENT' ? resolve(undefined) : reject(error)))
    child.on('close', (status, signal) => {
      resolve({ status: status ?? signal ?? 'no status', output: output.trim() })
    })
  })
}
