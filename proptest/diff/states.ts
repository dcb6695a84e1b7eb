/**
 * What the keys of a store were at every revision, by the reference model; and the difference of
 * two such states, by the definition.
 */

import type { Random } from '../../base/random.ts'
import { Model } from '../model/model.ts'
import { openModelStore } from '../model/model-store.ts'
import type { BuiltLocalStore, BuiltStore } from '../../store/types.ts'
import type { DiffBy, KeyChange } from '../../store/types/diff.ts'
import type { KeyValue } from '../../store/types/key-value.ts'

export type State = ReadonlyMap<string, KeyValue>

const KEYS = ['a', 'a/1', 'a/2', 'b', 'b\u0000', 'ü', '\uffff', '😀'] as const
export const LEASE = 7n

/** A store and a model that were told the same. */
export class Twins {
  readonly store: BuiltLocalStore
  readonly #model: BuiltStore = openModelStore(new Model())
  readonly #random: Random

  constructor(store: BuiltLocalStore, random: Random) {
    this.store = store
    this.#random = random
  }

  /** To be called once, first. */
  async begin(): Promise<void> {
    await this.#both((each) => each.grant({ id: LEASE, ttlSeconds: 10_000 }))
  }

  async write(): Promise<void> {
    const random = this.#random
    const dice = random.below(10)
    const key = random.pick(KEYS)
    if (dice < 5) {
      const value = `v${random.below(3)}`
      const lease = random.chance(0.2) ? LEASE : 0n
      await this.#both((each) => each.put(key, value, { lease }))
    } else if (dice < 7) {
      await this.#both((each) => each.delete(key))
    } else if (dice < 8) {
      await this.#both((each) => each.delete({ prefix: 'a' }))
    } else {
      const others = KEYS.filter((other) => other !== key && random.chance(0.4))
      const success = [
        { type: 'delete', key } as const,
        ...others.map((other) => ({ type: 'put', key: other, value: 'of a txn' }) as const),
      ]
      await this.#both((each) => each.txn({ success }))
    }
  }

  async compact(revision: number): Promise<void> {
    await this.#both((each) => each.compact(revision))
  }

  async revision(): Promise<number> {
    return (await this.#model.status()).revision
  }

  async state(revision: number): Promise<State> {
    const { kvs } = await this.#model.range({ revision, limit: Infinity })
    return new Map(kvs.map((kv) => [kv.key, kv]))
  }

  async #both(call: (store: BuiltStore) => Promise<unknown>): Promise<void> {
    await call(this.store)
    await call(this.#model)
  }
}

/** A change without methods, to be compared. */
export type Plain = Pick<KeyChange, 'kind' | 'key'> & {
  readonly before: unknown
  readonly after: unknown
}

export function plain({ kind, key, before, after }: KeyChange): Plain {
  return { kind, key, before: fieldsOf(before), after: fieldsOf(after) }
}

/** What differs, one key after the other in the order of their bytes. */
export function differenceOf(was: State, is: State, by: DiffBy): readonly Plain[] {
  const keys = [...new Set([...was.keys(), ...is.keys()])]
  keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  return keys.flatMap((key): readonly Plain[] => {
    const [before, after] = [was.get(key), is.get(key)]
    if (before !== undefined && after !== undefined && isSame(before, after, by)) return []
    const kind = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed'
    return [{ kind, key, before: fieldsOf(before), after: fieldsOf(after) }]
  })
}

function isSame(before: KeyValue, after: KeyValue, by: DiffBy): boolean {
  if (by === 'value') return before.value === after.value
  return JSON.stringify(before) === JSON.stringify(after)
}

function fieldsOf(kv: KeyValue | undefined): unknown {
  if (kv === undefined) return undefined
  const { key, value, createRevision, modRevision, version, lease } = kv
  return { key, value, createRevision, modRevision, version, lease }
}

/** The state that changes lead to. */
export function applied(state: State, changes: readonly KeyChange[]): State {
  const made = new Map(state)
  for (const { key, after } of changes) {
    if (after === undefined) made.delete(key)
    else made.set(key, after)
  }
  return made
}

export function keysOf(state: State): unknown {
  return [...state].map(([key, kv]) => [key, fieldsOf(kv)]).sort()
}

export async function all<T>(iteration: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = []
  for await (const one of iteration) found.push(one)
  return found
}
