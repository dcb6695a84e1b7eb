/**
 * What the writes of a store's life add up to: the state at each revision, and which of them the
 * outside world was told of.
 */

import type { Random } from '../../base/random.ts'
import { del, put } from '../../store/op.ts'
import type { BuiltLocalStore } from '../../store/types.ts'

export type State = ReadonlyMap<string, string>

/** Where a store stands that was opened. */
export interface Found {
  readonly revision: number
  readonly compactedRevision: number
}

export class History {
  /** The state at each revision; a new store stands at revision 1. */
  readonly states: State[]
  /** The highest revision that must be found again. */
  floor: number
  /** The highest revision that a compaction was asked for, and the highest that must be found. */
  readonly compaction: { asked: number; told: number }

  constructor(
    states: readonly State[] = [new Map(), new Map()],
    floor = 1,
    compaction = { asked: 0, told: 0 },
  ) {
    this.states = [...states]
    this.floor = floor
    this.compaction = { ...compaction }
  }

  get revision(): number {
    return this.states.length - 1
  }

  copy(): History {
    return new History(this.states, this.floor, this.compaction)
  }

  add(change: (state: Map<string, string>) => boolean): void {
    const next = new Map(this.states.at(-1))
    if (change(next)) this.states.push(next)
  }

  /** A revision was shown or acknowledged. */
  tell(revision: number): void {
    this.floor = Math.max(this.floor, revision)
  }

  /** All of it was shown. */
  tellAll(): void {
    this.tell(this.revision)
    this.compaction.told = this.compaction.asked
  }

  /** Forgets revisions after one, and compactions after another: they did not happen. */
  cut({ revision, compactedRevision }: Found): void {
    this.states.length = revision + 1
    this.compaction.asked = compactedRevision
  }
}

/** What is wrong with the store at `revision`; undefined: nothing. */
export async function stateFault(
  store: BuiltLocalStore,
  history: History,
  revision: number,
): Promise<string | undefined> {
  const { kvs } = await store.range({ revision, limit: Infinity })
  const expected = history.states[revision] ?? new Map<string, string>()
  // Each key once and in order, and each with its value: with the count right, that is all of them.
  let before = ''
  for (const { key, value } of kvs) {
    const wanted = expected.get(key)
    if (wanted !== value) {
      return `revision ${revision}: ${key} is ${shortened(value)}, expected ${shortened(wanted)}`
    }
    if (key <= before) return `revision ${revision}: ${key} comes after ${before}`
    before = key
  }
  if (kvs.length === expected.size) return undefined
  const found = new Set(kvs.map(({ key }) => key))
  const missing = [...expected.keys()].filter((key) => !found.has(key))
  return `revision ${revision}: ${missing.join(', ')} missing`
}

function shortened(value: string | undefined): string {
  return value?.slice(0, 40) ?? 'nothing'
}

const KEY_COUNT = 12

/** A write: what it does to a state, false where that is nothing, and how it is made. */
export interface Write {
  readonly apply: (state: Map<string, string>) => boolean
  readonly call: (store: BuiltLocalStore) => Promise<{ readonly revision: number }>
}

export function nextWrite(random: Random): Write {
  const key = `k${random.below(KEY_COUNT)}`
  const kind = random.below(10)
  const size = random.chance(0.08) ? 6000 : random.below(200)
  const value = `${random.u32()}-${'x'.repeat(size)}`
  if (kind < 6) {
    return {
      apply: (state) => Boolean(state.set(key, value)),
      call: (store) => store.put(key, value),
    }
  }
  if (kind < 8) {
    return { apply: (state) => state.delete(key), call: (store) => store.delete(key) }
  }
  if (kind === 8) {
    const apply = (state: Map<string, string>): boolean => {
      const names = [...state.keys()].filter((name) => name.startsWith('k1'))
      for (const name of names) state.delete(name)
      return names.length > 0
    }
    return { apply, call: (store) => store.delete({ prefix: 'k1' }) }
  }
  return {
    apply: (state) => {
      state.delete('k3')
      return Boolean(state.set('k1', value).set('k2', value))
    },
    call: (store) => store.txn({ success: [put('k1', value), del('k3'), put('k2', value)] }),
  }
}

/** A put as data, for `putSync`. */
export function nextPut(random: Random): { readonly key: string; readonly value: string } {
  const key = `k${random.below(KEY_COUNT)}`
  return { key, value: `${random.u32()}-sync-${'x'.repeat(random.below(200))}` }
}
