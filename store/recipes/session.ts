/**
 * A session: a lease that is kept alive, and known to be lost as soon as it can be.
 *
 * What hangs on it (a lock, a leadership, a registration) goes when it does: because it was closed,
 * because its process died, or because it could not be renewed in time.
 */

import { isKvError } from '../../base/errors.ts'
import { readOptions } from '../fields.ts'
import type { KeepAlive } from '../types/lease.ts'
import type { RecipeStore } from './recipe-store.ts'

/** As etcd's. */
const TTL_SECONDS_DEFAULT = 60

const OPTIONS: ReadonlySet<string> = new Set(['ttlSeconds', 'signal'])

/** What `openSession` takes. */
export interface SessionOptions {
  /**
   * How long the session outlives its process, in seconds: an integer, raised to at least 2.
   * Default 60.
   */
  readonly ttlSeconds?: number | undefined
  /** Abort while it is being opened rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}

/** A lease that is kept alive until it is closed, for locks and elections to hang on. */
export interface Session extends AsyncDisposable {
  /** The id of its lease. */
  readonly id: bigint
  /** Aborts when the lease is gone or can no longer be known to live; its reason tells which. */
  readonly lost: AbortSignal
  /** Revokes the lease, with all that hangs on it. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens a session.
 * @throws {KvError} as `grant`
 */
export async function openSession(store: RecipeStore, options?: SessionOptions): Promise<Session> {
  const fields = readOptions(options, OPTIONS)
  const ttlSeconds = fields.integer('ttlSeconds', Number.MIN_SAFE_INTEGER) ?? TTL_SECONDS_DEFAULT
  const { id } = await store.grant({ ttlSeconds, signal: fields.signal() })
  return new LeaseSession(store, store.keepAlive(id))
}

class LeaseSession implements Session {
  readonly #store: RecipeStore
  readonly #keeper: KeepAlive
  #closed: Promise<void> | undefined

  constructor(store: RecipeStore, keeper: KeepAlive) {
    this.#store = store
    this.#keeper = keeper
  }

  get id(): bigint {
    return this.#keeper.id
  }

  get lost(): AbortSignal {
    return this.#keeper.lost
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    await this.#keeper[Symbol.asyncDispose]()
    try {
      await this.#store.revoke(this.id)
    } catch (error) {
      if (!isKvError(error, 'KV_LEASE_NOT_FOUND')) throw error
    }
  }
}
