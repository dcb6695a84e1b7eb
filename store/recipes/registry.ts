/**
 * A registry of services: who offers one, found by name.
 *
 *   name/<id>   an instance: its value is where it is found, or whatever else there is to say of
 *               it. It hangs on a lease, so it goes when its process does.
 *
 * A registration outlives its lease: where that is lost (the process slept, the store could not be
 * reached), the instance is put again under a new one, as soon as that can be done.
 */

import { systemClock } from '../../base/clock.ts'
import type { Clock } from '../../base/clock.ts'
import { isKvError } from '../../base/errors.ts'
import { describeType } from '../../base/text.ts'
import { readOptions } from '../fields.ts'
import type { ValueInput } from '../types/encoding.ts'
import type { KeyValue } from '../types/key-value.ts'
import type { CallOptions } from '../types/maintenance.ts'
import { followSet } from './current-set.ts'
import { keyText, prefixOf } from './recipe-store.ts'
import type { RecipeStore } from './recipe-store.ts'
import { openSession } from './session.ts'
import type { Session, SessionOptions } from './session.ts'

const CALL_OPTIONS: ReadonlySet<string> = new Set(['signal'])
const RETRY_MS_MIN = 100
const RETRY_MS_MAX = 5000

/** An instance of a service, as it was registered. */
export interface Instance<V> {
  /** What it was registered as. */
  readonly id: string
  readonly value: V
  /** The revision at which it was registered. */
  readonly revision: number
  readonly lease: bigint
}

/** All instances of a service at one revision. */
export interface Instances<V> {
  /** All of them, by key. */
  readonly instances: readonly Instance<V>[]
  /** The revision at which it was so. */
  readonly revision: number
}

/** An instance that is registered until this is closed. */
export interface Registration extends AsyncDisposable {
  readonly key: string
  /** Aborts when it can't be registered any more, since the store is closed. */
  readonly ended: AbortSignal
  /** Takes the instance from the registry. Idempotent. */
  close(): Promise<void>
}

/** The instances of a service, by the service's name. */
export interface Registry<V = string> {
  /**
   * Registers an instance, in place of one of the same id, and keeps it registered until it is
   * closed. `ttlSeconds` is how long it stays when its process dies. An object as its value must
   * not be changed meanwhile: it is put again where the lease was lost.
   * @throws {KvError} as `grant` and `put`
   */
  register(id: string, value: ValueInput<V>, options?: SessionOptions): Promise<Registration>
  /** The instances there are. */
  list(options?: CallOptions): Promise<Instances<V>>
  /**
   * The instances there are, then again after each revision that changes them, without a gap. Ends
   * when the store is closed; abort throws `signal.reason`.
   */
  watch(options?: CallOptions): AsyncIterableIterator<Instances<V>>
}

/** What only tests set. */
export interface RegistryTuning {
  readonly clock?: Clock
}

/** The registry of the service of this name. */
export function registry<V, K>(store: RecipeStore<V, K>, name: string): Registry<V> {
  return registryOn(store, name, {})
}

export function registryOn<V, K>(
  store: RecipeStore<V, K>,
  name: string,
  { clock = systemClock }: RegistryTuning,
): Registry<V> {
  return new StoreRegistry(store, prefixOf(name), clock)
}

class StoreRegistry<V, K> implements Registry<V> {
  readonly #store: RecipeStore<V, K>
  readonly #prefix: string
  readonly #clock: Clock

  constructor(store: RecipeStore<V, K>, prefix: string, clock: Clock) {
    this.#store = store
    this.#prefix = prefix
    this.#clock = clock
  }

  async register(
    id: string,
    value: ValueInput<V>,
    options?: SessionOptions,
  ): Promise<Registration> {
    if (typeof id !== 'string')
      throw new TypeError(`id: expected a string, got ${describeType(id)}`)
    if (id === '') throw new RangeError('id: it is empty')
    const store = this.#store
    const key = `${this.#prefix}${id}`
    const owned = ownValue(value)
    const open = async (signal?: AbortSignal): Promise<Session> => {
      const session = await openSession(store, { ttlSeconds: options?.ttlSeconds, signal })
      try {
        await store.put(key, owned, { lease: session.id, signal })
        return session
      } catch (error) {
        await session.close().catch(() => {})
        throw error
      }
    }
    const session = await open(options?.signal)
    return new KeptRegistration(key, session, { open: () => open(), clock: this.#clock })
  }

  async list(options?: CallOptions): Promise<Instances<V>> {
    const signal = readOptions(options, CALL_OPTIONS).signal()
    const prefix = this.#prefix
    const { kvs, revision } = await this.#store.range({ prefix, limit: Infinity, signal })
    return { instances: kvs.map((kv) => this.#instance(kv)), revision }
  }

  watch(options?: CallOptions): AsyncIterableIterator<Instances<V>> {
    return this.#watch(readOptions(options, CALL_OPTIONS).signal())
  }

  async *#watch(signal: AbortSignal | undefined): AsyncGenerator<Instances<V>, void, undefined> {
    for await (const current of followSet(this.#store, { prefix: this.#prefix, signal })) {
      const byKey = [...current.entries].toSorted(([a], [b]) => Buffer.compare(bytes(a), bytes(b)))
      const instances = byKey.map(([, kv]) => this.#instance(kv))
      yield { instances, revision: current.revision }
    }
  }

  #instance({ key, value, modRevision, lease }: KeyValue<V, K>): Instance<V> {
    const id = keyText(key).slice(this.#prefix.length)
    return { id, value, revision: modRevision, lease }
  }
}

/** It is put again later, whatever becomes of the caller's buffer. */
function ownValue<I>(value: I): I
function ownValue(value: unknown): unknown {
  return value instanceof Uint8Array ? new Uint8Array(value) : value
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text)
}

interface Keeping {
  /** Registers anew. */
  readonly open: () => Promise<Session>
  readonly clock: Clock
}

class KeptRegistration implements Registration {
  readonly key: string
  readonly #keeping: Keeping
  readonly #ended = new AbortController()
  #session: Session
  #again: Promise<void> | undefined
  #wake: (() => void) | undefined
  #closed: Promise<void> | undefined

  constructor(key: string, session: Session, keeping: Keeping) {
    this.key = key
    this.#keeping = keeping
    this.#session = session
    this.#follow(session)
  }

  get ended(): AbortSignal {
    return this.#ended.signal
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#wake?.()
    await this.#again
    // Where the store is closed, the lease ends by itself.
    if (!this.#ended.signal.aborted) await this.#session.close()
  }

  #follow(session: Session): void {
    this.#session = session
    const lost = (): void => {
      if (this.#closed === undefined) this.#again = this.#registerAgain()
    }
    if (session.lost.aborted) lost()
    else session.lost.addEventListener('abort', lost, { once: true })
  }

  /** Never rejects. */
  async #registerAgain(): Promise<void> {
    for (let waitMs = RETRY_MS_MIN; ; waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
      if (this.#closed !== undefined) return
      try {
        const session = await this.#keeping.open()
        this.#follow(session)
        return
      } catch (error) {
        if (isKvError(error, 'KV_CLOSED')) {
          this.#ended.abort(error)
          return
        }
        await this.#pause(waitMs)
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#keeping.clock.setTimer(ms, resolve, { keepsAlive: false })
      this.#wake = (): void => {
        cancel()
        resolve()
      }
    })
  }
}
