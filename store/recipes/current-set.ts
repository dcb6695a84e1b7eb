/**
 * What is under a prefix, followed: as it is now, then after each revision that changes it.
 *
 * Nothing is missed between the two: the watch begins at the revision after the one that was read.
 * Where history is compacted before it could be followed, it is read anew.
 */

import { isKvError } from '../../base/errors.ts'
import type { KeyValue } from '../types/key-value.ts'
import type { WatchEvent } from '../types/watch.ts'
import { keyText } from './recipe-store.ts'
import type { RecipeStore } from './recipe-store.ts'

export interface CurrentSet<V, K> {
  /** All entries, in no order. The next step changes it. */
  readonly entries: ReadonlyMap<string, KeyValue<V, K>>
  /** The revision that it is the state of. */
  readonly revision: number
}

export interface Following {
  readonly prefix: string
  readonly signal: AbortSignal | undefined
}

/** Ends when the store is closed. */
export async function* followSet<V, K>(
  store: RecipeStore<V, K>,
  { prefix, signal }: Following,
): AsyncGenerator<CurrentSet<V, K>, void, undefined> {
  for (;;) {
    const { kvs, revision } = await store.range({ prefix, limit: Infinity, signal })
    const entries = new Map(kvs.map((kv) => [keyText(kv.key), kv]))
    yield { entries, revision }
    try {
      const watch = store.watch({ prefix, startRevision: revision + 1, signal })
      for await (const { events } of watch) {
        for (const { revision: changed, events: together } of byRevision(events)) {
          for (const event of together) apply(entries, event)
          yield { entries, revision: changed }
        }
      }
      return
    } catch (error) {
      if (!isKvError(error, 'KV_COMPACTED')) throw error
    }
  }
}

function apply<V, K>(entries: Map<string, KeyValue<V, K>>, event: WatchEvent<V, K>): void {
  if (event.type === 'put') entries.set(keyText(event.kv.key), event.kv)
  else entries.delete(keyText(event.key))
}

interface Change<V, K> {
  readonly revision: number
  readonly events: readonly WatchEvent<V, K>[]
}

function byRevision<V, K>(events: readonly WatchEvent<V, K>[]): Change<V, K>[] {
  const changes: { revision: number; events: WatchEvent<V, K>[] }[] = []
  for (const event of events) {
    const revision = event.type === 'put' ? event.kv.modRevision : event.modRevision
    const last = changes.at(-1)
    if (last?.revision === revision) last.events.push(event)
    else changes.push({ revision, events: [event] })
  }
  return changes
}
