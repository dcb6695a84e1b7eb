/**
 * A queue that many fill and many empty: each item goes to one of them, the most urgent first, and
 * those of equal priority in the order in which they were pushed.
 *
 *   name/<priority>/<number>   an item: five and sixteen decimal digits, so that the order of keys
 *                              is the order of the queue
 *
 * A push takes a number of its own counting, and is committed only if no key of its priority has
 * that number or a higher one; else it goes on behind the last one there is. So numbers are in the
 * order of the commits, and a push that had the right number needs no reading. A take deletes the
 * first key, if it is the first still.
 */

import { KvError, isKvError } from '../../base/errors.ts'
import { readOptions } from '../fields.ts'
import { compare, del, put, range } from '../op.ts'
import type { ValueInput } from '../types/encoding.ts'
import type { KeyValue } from '../types/key-value.ts'
import type { CallOptions } from '../types/maintenance.ts'
import { keyInput, keyText, prefixOf } from './recipe-store.ts'
import type { RecipeStore } from './recipe-store.ts'

const PRIORITY_MAX = 65_535
const PRIORITY_DIGITS = 5
const NUMBER_DIGITS = 16

const PUSH_OPTIONS: ReadonlySet<string> = new Set(['priority', 'signal'])
const CALL_OPTIONS: ReadonlySet<string> = new Set(['signal'])

/** What `push` takes. */
export interface PushOptions extends CallOptions {
  /** An integer from 0, the most urgent, to 65535. Default 0. */
  readonly priority?: number | undefined
}

/** A queue by name: items come out by priority, then in the order they were pushed, each once. */
export interface Queue<V = string, K = string> {
  /**
   * Adds an item; durable when it resolves. Items of one priority pushed one after the other, each
   * awaited, come out in that order.
   */
  push(value: ValueInput<V>, options?: PushOptions): Promise<{ readonly revision: number }>
  /**
   * Takes the first item, waiting for one if there is none. It is gone from the queue when this
   * resolves: whoever takes it and dies has lost it.
   * @throws the signal's reason: then nothing was taken; `KV_CLOSED`. Where an error's `outcome` is
   *   `unknown`, an item may have been taken and lost
   */
  take(options?: CallOptions): Promise<KeyValue<V, K>>
  /** As `take`, without waiting: undefined where the queue is empty. */
  tryTake(options?: CallOptions): Promise<KeyValue<V, K> | undefined>
  /** How many items there are. */
  size(options?: CallOptions): Promise<number>
}

/** The queue of this name. */
export function queue<V, K>(store: RecipeStore<V, K>, name: string): Queue<V, K> {
  return new StoreQueue(store, name)
}

type Looked<V, K> =
  | { readonly taken: KeyValue<V, K> }
  /** The queue was empty at this revision. */
  | { readonly emptyAt: number }

class StoreQueue<V, K> implements Queue<V, K> {
  readonly #store: RecipeStore<V, K>
  readonly #prefix: string
  /** The number of the next item of a priority, as far as is known here. */
  readonly #next = new Map<string, number>()
  /** Those who take through this object do so one after the other. */
  #lastTake: Promise<unknown> = Promise.resolve()

  constructor(store: RecipeStore<V, K>, name: string) {
    this.#store = store
    this.#prefix = prefixOf(name)
  }

  async push(value: ValueInput<V>, options?: PushOptions): Promise<{ readonly revision: number }> {
    const fields = readOptions(options, PUSH_OPTIONS)
    const priority = fields.integer('priority', 0) ?? 0
    if (priority > PRIORITY_MAX) {
      throw new RangeError(`priority: ${priority} is above ${PRIORITY_MAX}`)
    }
    const signal = fields.signal()
    const prefix = `${this.#prefix}${digits(priority, PRIORITY_DIGITS)}/`
    const numbers = { start: `${prefix}0`, end: `${prefix}:` }
    for (;;) {
      const number = this.#next.get(prefix) ?? 0
      this.#next.set(prefix, number + 1)
      const key = `${prefix}${digits(number, NUMBER_DIGITS)}`
      const { succeeded, revision, results } = await this.#store.txn(
        {
          // No number is at or behind this one.
          compare: [compare({ start: key, end: numbers.end }).createRevision('=', 0)],
          success: [put(key, value)],
          failure: [range({ ...numbers, order: 'descend', limit: 1, keysOnly: true })],
        },
        { signal },
      )
      if (succeeded) return { revision }
      const [last] = results
      const found = last?.type === 'range' ? last.kvs[0] : undefined
      if (found !== undefined) this.#goBehind(prefix, keyText(found.key))
    }
  }

  async take(options?: CallOptions): Promise<KeyValue<V, K>> {
    const signal = readOptions(options, CALL_OPTIONS).signal()
    const before = this.#lastTake
    const taking = this.#takeAfter(before, signal)
    this.#lastTake = Promise.allSettled([before, taking])
    return await taking
  }

  async tryTake(options?: CallOptions): Promise<KeyValue<V, K> | undefined> {
    const looked = await this.#look(readOptions(options, CALL_OPTIONS).signal())
    return 'taken' in looked ? looked.taken : undefined
  }

  async size(options?: CallOptions): Promise<number> {
    const signal = readOptions(options, CALL_OPTIONS).signal()
    return (await this.#store.range({ prefix: this.#prefix, countOnly: true, signal })).count
  }

  /** Takes the first item, if there is one. */
  async #look(signal: AbortSignal | undefined): Promise<Looked<V, K>> {
    for (;;) {
      const { kvs, revision } = await this.#store.range({ prefix: this.#prefix, limit: 1, signal })
      const [first] = kvs
      if (first === undefined) return { emptyAt: revision }
      const key = keyInput(first.key)
      const { succeeded } = await this.#store.txn(
        {
          compare: [
            compare(key).modRevision('=', first.modRevision),
            // And no more urgent one has come.
            compare({ start: this.#prefix, end: key }).createRevision('=', 0),
          ],
          success: [del(key)],
        },
        { signal },
      )
      if (succeeded) return { taken: first }
    }
  }

  async #takeAfter(
    before: Promise<unknown>,
    signal: AbortSignal | undefined,
  ): Promise<KeyValue<V, K>> {
    await unlessAborted(before, signal)
    for (;;) {
      const looked = await this.#look(signal)
      if ('taken' in looked) return looked.taken
      await this.#untilPut(looked.emptyAt, signal)
    }
  }

  async #untilPut(emptyAt: number, signal: AbortSignal | undefined): Promise<void> {
    const startRevision = emptyAt + 1
    const prefix = this.#prefix
    const watch = this.#store.watch({
      prefix,
      startRevision,
      only: 'put',
      encoding: 'bytes',
      signal,
    })
    try {
      for await (const { events } of watch) if (events.length > 0) return
    } catch (error) {
      // Compacted meanwhile: look again.
      if (isKvError(error, 'KV_COMPACTED')) return
      throw error
    }
    throw new KvError('KV_CLOSED', 'the store was closed')
  }

  /** The next number of a priority is behind that of this key. */
  #goBehind(prefix: string, key: string): void {
    const number = Number(key.slice(prefix.length))
    if (key.length !== prefix.length + NUMBER_DIGITS || !Number.isSafeInteger(number)) {
      throw new KvError('KV_EXISTS', `${key}: it is no item of this queue, and in its way`)
    }
    this.#next.set(prefix, Math.max(number + 1, this.#next.get(prefix) ?? 0))
  }
}

function digits(value: number, count: number): string {
  return String(value).padStart(count, '0')
}

/** Waits for what never rejects, or until the signal says otherwise. */
async function unlessAborted(
  work: Promise<unknown>,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted()
  if (signal === undefined) {
    await work
    return
  }
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort)
    void work.then(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    })
  })
}
