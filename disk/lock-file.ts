/**
 * The lock file `<path>.lock`: JSON that names the owner's process, made with O_EXCL.
 *
 * It holds if and only if its owner has not certainly ended (process-identity.ts). Taking it:
 *
 *   1. create with O_EXCL, write, sync, in one turn. Done if that worked.
 *   2. else read it. If its owner lives: busy.
 *   3. else it is stale. Removing it blindly could remove the fresh lock of another taker that had
 *      the same thought, so only the holder of a second lock file, `<path>.lock.takeover`, may
 *      remove a stale one, and only after reading it again. Then back to 1.
 *
 * A lock file that can't be parsed is one whose owner is just writing it, or lost power or died
 * right then. It counts as held for `GRACE_MS` by its modification time, and as stale afterwards.
 *
 * Where this is weaker than flock(2):
 *   - A process that dies between steps leaves a stale takeover file, which is removed without a
 *     guard: two takers that find it at the same moment could both pass. Each reads its lock back
 *     at the end, which narrows the gap and does not close it. (Where flock(2) works it is taken as
 *     well, real-lock.ts.)
 *   - An owner on another host or in another pid namespace can't be seen, so its lock stays until a
 *     person removes it; two machines of one host name see each other's locks as from before a
 *     reboot.
 *   - Off Linux a pid that is in use again keeps a stale lock alive.
 */

import * as fs from 'node:fs'
import { errnoOf } from './io-error.ts'
import { currentProcess, hasEnded } from './process-identity.ts'
import type { LockKind } from './disk.ts'
import type { Clock } from '../base/clock.ts'
import type { ProcessIdentity } from './process-identity.ts'

const GRACE_MS = 5000
const ATTEMPTS_MAX = 10

export interface LockFileOwner extends ProcessIdentity {
  readonly kind: LockKind
  /** Tells the locks of one process apart. */
  readonly token: string
}

type Found =
  | { readonly state: 'none' }
  | { readonly state: 'live'; readonly owner: LockFileOwner | undefined }
  | { readonly state: 'stale'; readonly text: string }

let tokensGiven = 0

export class LockFile {
  readonly path: string
  readonly #clock: Clock
  #text: string | undefined

  /** For the lock file that belongs to `lockedPath`. */
  constructor(lockedPath: string, clock: Clock) {
    this.path = `${lockedPath}.lock`
    this.#clock = clock
  }

  /** One try. True: it is ours now. Throws the system's error where no file can be made there. */
  tryTake(kind: LockKind): boolean {
    const text = describe(kind)
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      if (createWhole(this.path, text)) {
        if (readText(this.path) !== text) return false
        this.#text = text
        return true
      }
      const found = look(this.path, this.#clock)
      if (found.state === 'live') return false
      if (found.state === 'stale' && !this.#removeStale()) return false
    }
    return false
  }

  /** The live owner: undefined where there is none, 'unknown' where it can't be told who it is. */
  liveOwner(): LockFileOwner | 'unknown' | undefined {
    const found = look(this.path, this.#clock)
    return found.state === 'live' ? (found.owner ?? 'unknown') : undefined
  }

  /** Removes it if it is still ours. Idempotent. */
  release(): void {
    const text = this.#text
    this.#text = undefined
    if (text !== undefined && readText(this.path) === text) removeIfThere(this.path)
  }

  /** False where another taker is at it. */
  #removeStale(): boolean {
    const guardPath = `${this.path}.takeover`
    const guardText = describe('exclusive')
    if (!createWhole(guardPath, guardText)) {
      if (look(guardPath, this.#clock).state === 'live') return false
      removeIfThere(guardPath)
      return true
    }
    try {
      if (look(this.path, this.#clock).state === 'stale') removeIfThere(this.path)
      return true
    } finally {
      if (readText(guardPath) === guardText) removeIfThere(guardPath)
    }
  }
}

function describe(kind: LockKind): string {
  tokensGiven += 1
  // Worker threads share the pid and each count from 1, so the moment is part of the token.
  const token = `${tokensGiven}-${process.hrtime.bigint().toString(36)}`
  const owner: LockFileOwner = { ...currentProcess(), kind, token }
  return `${JSON.stringify(owner)}\n`
}

/** Makes the file with this text, on disk before it returns; false where one is there already. */
function createWhole(path: string, text: string): boolean {
  let descriptor: number
  try {
    descriptor = fs.openSync(path, 'wx', 0o600)
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false
    throw error
  }
  try {
    fs.writeFileSync(descriptor, text)
    fs.fsyncSync(descriptor)
    return true
  } catch (error) {
    removeIfThere(path)
    throw error
  } finally {
    fs.closeSync(descriptor)
  }
}

function look(path: string, clock: Clock): Found {
  let modifiedMs: number
  let text: string
  try {
    modifiedMs = fs.statSync(path).mtimeMs
    text = fs.readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { state: 'none' }
    throw error
  }
  const owner = parseOwner(text)
  if (owner !== undefined) {
    return hasEnded(owner) ? { state: 'stale', text } : { state: 'live', owner }
  }
  const isFresh = clock.wallMs() - modifiedMs < GRACE_MS
  return isFresh ? { state: 'live', owner: undefined } : { state: 'stale', text }
}

function parseOwner(text: string): LockFileOwner | undefined {
  let fields: unknown
  try {
    fields = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof fields !== 'object' || fields === null) return undefined
  const values = new Map<string, unknown>(Object.entries(fields))
  const pid = values.get('pid')
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return undefined
  const field = (name: string): string => {
    const value = values.get(name)
    return typeof value === 'string' ? value : ''
  }
  return {
    pid,
    host: field('host'),
    startTime: field('startTime'),
    bootId: field('bootId'),
    pidNamespace: field('pidNamespace'),
    kind: field('kind') === 'shared' ? 'shared' : 'exclusive',
    token: field('token'),
  }
}

function readText(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function removeIfThere(path: string): void {
  try {
    fs.unlinkSync(path)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}
