/** What the recipes need of a store: any store, of whatever encoding, here or elsewhere. */

import { KvError } from '../../base/errors.ts'
import { describeType } from '../../base/text.ts'
import type { Store } from '../types.ts'
import type { BytesInput } from '../types/encoding.ts'

/** What a recipe needs of a store. Any `Store` will do, here or on a server. */
export type RecipeStore<V = unknown, K = unknown> = Pick<
  Store<V, K>,
  // `transact` is not called: of all methods it alone lets the compiler infer V and K.
  'get' | 'range' | 'put' | 'txn' | 'transact' | 'watch' | 'grant' | 'revoke' | 'keepAlive'
>

/** The prefix of the keys of what has this name. */
export function prefixOf(name: unknown): string {
  if (typeof name !== 'string') {
    throw new TypeError(`name: expected a string, got ${describeType(name)}`)
  }
  if (name === '') throw new RangeError('name: it is empty')
  return `${name}/`
}

/** A key that a store gave out, to give it back. */
export function keyInput(key: unknown): BytesInput {
  if (typeof key === 'string' || key instanceof Uint8Array) return key
  throw new TypeError(`key: expected a string or a Uint8Array, got ${describeType(key)}`)
}

/** The text of a key that a store gave out. */
export function keyText(key: unknown): string {
  const given = keyInput(key)
  return typeof given === 'string' ? given : Buffer.from(given).toString('utf8')
}

export interface Watched {
  readonly key: BytesInput
  /** A revision at which the key is known to be there. */
  readonly revision: number
}

/**
 * Resolves when the key is deleted.
 * @throws {KvError} `KV_COMPACTED` when that can't be known any more; `KV_CLOSED`
 */
export async function untilDeleted(
  store: RecipeStore,
  { key, revision }: Watched,
  signal: AbortSignal,
): Promise<void> {
  const watch = store.watch({
    key,
    startRevision: revision + 1,
    only: 'delete',
    encoding: 'bytes',
    signal,
  })
  for await (const { events } of watch) if (events.length > 0) return
  throw new KvError('KV_CLOSED', 'the store was closed')
}

/** A signal that aborts when any of these does. */
export function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined))
}
