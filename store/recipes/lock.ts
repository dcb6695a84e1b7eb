/**
 * A lock among all who use the store, with a fencing token. See line.ts for how it is laid out.
 *
 * A lock with a time limit can't keep its former holder from acting: a process may sleep through
 * the end of its lease and go on. What it protects in the same store is safe when `guard` is among
 * the compares of each transaction; anything else when it refuses tokens lower than one that it has
 * seen.
 */

import { assert } from '../../base/assert.ts'
import { EMPTY_BYTES } from '../../base/bytes.ts'
import { compare, put } from '../op.ts'
import { enterWithBytes, standInLine } from './line.ts'
import type { Entered, Held, LineOptions, Place } from './line.ts'
import { prefixOf } from './recipe-store.ts'
import type { RecipeStore } from './recipe-store.ts'

/** What `lock` and `tryLock` take. */
export interface LockOptions extends LineOptions {}

/** A lock that is held. */
export interface Lock extends Held {}

/**
 * Waits for a lock, in the order of those who ask for it. The locks of a name and of one that
 * begins with it and a `/` are not apart.
 * @throws {KvError} `KV_LEASE_NOT_FOUND` where the session ends while waiting; `KV_EXISTS` where it
 *   holds the lock already, or waits for it
 */
export async function lock(store: RecipeStore, name: string, options?: LockOptions): Promise<Lock> {
  const held = await standInLine(store, name, options, enterWithBytes)
  assert(held !== undefined, 'whoever waits has a place')
  return held
}

/** Takes a lock that nobody holds or waits for; undefined where somebody does. */
export async function tryLock(
  store: RecipeStore,
  name: string,
  options?: LockOptions,
): Promise<Lock | undefined> {
  const { kvs } = await store.range({
    prefix: prefixOf(name),
    limit: 1,
    keysOnly: true,
    encoding: 'bytes',
  })
  // A look before the leap: no lease is granted for nothing.
  if (kvs.length > 0) return undefined
  return await standInLine(store, name, options, enterIfFree)
}

async function enterIfFree({ store, prefix, key, session }: Place): Promise<Entered> {
  const { succeeded, revision } = await store.txn(
    {
      compare: [compare({ prefix }).createRevision('=', 0)],
      success: [put(key, EMPTY_BYTES, { lease: session.id })],
    },
    { encoding: 'bytes' },
  )
  return succeeded ? { revision, isFirst: true } : { revision: undefined, isFirst: false }
}
