/**
 * Standing in line: what a lock and an election have in common.
 *
 *   name/<lease>   a key for each session that wants it, on the lease that the key's last part
 *                  names (hexadecimal). Whose key was created first has it; the others wait in the
 *                  order in which theirs were created.
 *
 * That is the layout of etcd's own locks and elections, so that programs of either kind stand in
 * one line. Each waits for the one before it alone: a release wakes one.
 *
 * The revision that created the key is the fencing token: it is higher for each that has it than
 * for all that had it before.
 */

import { EMPTY_BYTES } from '../../base/bytes.ts'
import { KvError, isKvError } from '../../base/errors.ts'
import { readOptions } from '../fields.ts'
import type { Fields } from '../fields.ts'
import { compare, del, get, put, range } from '../op.ts'
import type { NumberCompare } from '../types/txn.ts'
import { anySignal, prefixOf, untilDeleted } from './recipe-store.ts'
import type { RecipeStore } from './recipe-store.ts'
import { openSession } from './session.ts'
import type { Session } from './session.ts'

const OPTIONS: ReadonlySet<string> = new Set(['ttlSeconds', 'session', 'signal'])

/** What a place in a line takes: a lock's, or a campaign's. */
export interface LineOptions {
  /**
   * For how long it is held on when this process dies, in seconds: an integer, raised to at least
   * 2. Default 60. Not together with `session`.
   */
  readonly ttlSeconds?: number | undefined
  /** The session to hang it on, which then outlives it. Default: one of its own. */
  readonly session?: Session | undefined
  /** Abort while waiting gives up the place and rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** What is had by whoever stands first. */
export interface Held extends AsyncDisposable {
  /** The key that stands for it in the store. */
  readonly key: string
  /**
   * The fencing token: higher than that of everyone who had it before. Whoever is written to under
   * the lock should refuse lower ones.
   */
  readonly revision: number
  readonly lease: bigint
  /**
   * Aborts when it is lost: its lease ended, or its key was deleted. From then on another may have
   * it. Not by `release`.
   */
  readonly signal: AbortSignal
  /** Holds in a `txn` as long as this is held: put it among the compares of what it protects. */
  readonly guard: NumberCompare
  /** Gives it to the next one. Idempotent. */
  release(): Promise<void>
}

/** A place in a line. */
export interface Place {
  readonly store: RecipeStore
  readonly prefix: string
  readonly key: string
  readonly session: Session
  /** Whether the session is for this place alone. */
  readonly ownsSession: boolean
}

/** Puts a place's key: true where it is the first. */
export type Enter = (place: Place) => Promise<Entered>

export interface Entered {
  /** The revision that made the key; undefined: it was not made. */
  readonly revision: number | undefined
  readonly isFirst: boolean
}

/**
 * Takes a place in the line of a name and waits until it is the first.
 * @returns undefined where `enter` made no key
 */
export async function standInLine(
  store: RecipeStore,
  name: string,
  options: LineOptions | undefined,
  enter: Enter,
): Promise<Holding | undefined> {
  const prefix = prefixOf(name)
  const fields = readOptions(options, OPTIONS)
  const given = readSession(fields)
  const signal = fields.signal()
  signal?.throwIfAborted()
  const ttlSeconds = fields.integer('ttlSeconds', Number.MIN_SAFE_INTEGER)
  const session = given ?? (await openSession(store, { ttlSeconds, signal }))
  const key = `${prefix}${session.id.toString(16)}`
  const place: Place = { store, prefix, key, session, ownsSession: given === undefined }
  let revision: number | undefined
  try {
    signal?.throwIfAborted()
    const entered = await enter(place)
    revision = entered.revision
    if (revision !== undefined) {
      const seen = entered.isFirst ? revision : await waitForTurn(place, revision, signal)
      return new Holding(place, revision, seen)
    }
  } catch (error) {
    // What can't be cleaned up goes with the lease.
    await leave(place, revision).catch(() => {})
    throw error
  }
  await leave(place, undefined)
  return undefined
}

function readSession(fields: Fields): Session | undefined {
  const session = fields.get('session')
  if (session === undefined) return undefined
  if (fields.has('ttlSeconds')) {
    throw new TypeError('ttlSeconds: not together with session, which has its own')
  }
  if (isSession(session)) return session
  throw new TypeError('session: expected what openSession() returns')
}

function isSession(value: unknown): value is Session {
  return (
    typeof value === 'object' &&
    value !== null &&
    'lost' in value &&
    'close' in value &&
    'id' in value
  )
}

/** Gives up a place, whether it was taken or not. */
async function leave(place: Place, revision: number | undefined): Promise<void> {
  const { store, key, session } = place
  if (place.ownsSession) {
    await session.close()
    return
  }
  if (revision === undefined) return
  const request = { compare: [compare(key).createRevision('=', revision)], success: [del(key)] }
  await store.txn(request, { encoding: 'bytes' })
}

/** Puts the place's key where it isn't there, and looks whether it is the first. */
export async function enterWithBytes({ store, prefix, key, session }: Place): Promise<Entered> {
  const { succeeded, revision, results } = await store.txn(
    {
      compare: [compare(key).createRevision('=', 0)],
      success: [
        put(key, EMPTY_BYTES, { lease: session.id }),
        range({ prefix, sortBy: 'createRevision', limit: 1, keysOnly: true }),
      ],
    },
    { encoding: 'bytes' },
  )
  if (!succeeded) throw standsAlready(key)
  const first = results[1]
  const isFirst = first?.type === 'range' && first.kvs[0]?.createRevision === revision
  return { revision, isFirst }
}

export function standsAlready(key: string): KvError {
  return new KvError('KV_EXISTS', `${key}: this session stands in the line already`)
}

/** Waits until nobody is before the place: a revision at which that was so. */
async function waitForTurn(
  place: Place,
  created: number,
  userSignal: AbortSignal | undefined,
): Promise<number> {
  const { store, prefix, key, session } = place
  const signal = anySignal(userSignal, session.lost)
  try {
    for (;;) {
      const { revision, results } = await store.txn(
        {
          success: [
            get(key),
            range({
              prefix,
              maxCreateRevision: created - 1,
              sortBy: 'createRevision',
              order: 'descend',
              limit: 1,
              keysOnly: true,
            }),
          ],
        },
        { encoding: 'bytes', signal },
      )
      const [own, before] = results
      if (own?.type !== 'get' || own.kv?.createRevision !== created) throw isGone(key)
      const last = before?.type === 'range' ? before.kvs[0] : undefined
      if (last === undefined) return revision
      await untilDeleted(store, { key: last.key, revision }, signal).catch((error: unknown) => {
        // Compacted meanwhile: look again.
        if (!isKvError(error, 'KV_COMPACTED')) throw error
      })
    }
  } catch (error) {
    userSignal?.throwIfAborted()
    if (session.lost.aborted) throw isGone(key, session.lost.reason)
    throw error
  }
}

export function isGone(key: string, cause?: unknown): KvError {
  const what = `${key}: it is not held any more: its lease ended, or its key was deleted`
  return new KvError('KV_LEASE_NOT_FOUND', what, { cause })
}

/** The first place of a line, held. */
export class Holding implements Held {
  readonly key: string
  readonly revision: number
  readonly lease: bigint
  readonly guard: NumberCompare
  readonly #place: Place
  readonly #lost = new AbortController()
  readonly #watching = new AbortController()
  readonly #sessionLost: () => void
  #released: Promise<void> | undefined

  constructor(place: Place, revision: number, seen: number) {
    const { key, session } = place
    this.key = key
    this.revision = revision
    this.lease = session.id
    this.guard = compare(key).createRevision('=', revision)
    this.#place = place
    this.#sessionLost = (): void => this.#lose(session.lost.reason)
    session.lost.addEventListener('abort', this.#sessionLost)
    if (session.lost.aborted) this.#sessionLost()
    else void this.#watchKey(seen)
  }

  get signal(): AbortSignal {
    return this.#lost.signal
  }

  release(): Promise<void> {
    this.#released ??= this.#release()
    return this.#released
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  async #release(): Promise<void> {
    this.#stop()
    await leave(this.#place, this.revision)
  }

  #stop(): void {
    this.#watching.abort()
    this.#place.session.lost.removeEventListener('abort', this.#sessionLost)
  }

  #lose(cause: unknown): void {
    if (this.#watching.signal.aborted) return
    this.#stop()
    this.#lost.abort(isGone(this.key, cause))
  }

  /** Never rejects. */
  async #watchKey(seen: number): Promise<void> {
    const { store, key } = this.#place
    const { signal } = this.#watching
    let revision = seen
    for (;;) {
      try {
        await untilDeleted(store, { key, revision }, signal)
        return this.#lose(undefined)
      } catch (error) {
        if (!isKvError(error, 'KV_COMPACTED')) return this.#lose(error)
      }
      try {
        const found = await store.range({ key, keysOnly: true, encoding: 'bytes', signal })
        if (found.kvs[0]?.createRevision !== this.revision) return this.#lose(undefined)
        revision = found.revision
      } catch (error) {
        return this.#lose(error)
      }
    }
  }
}
