/**
 * An election: one leader at a time among those who campaign, who says something, and whom everyone
 * can find and follow. Laid out as line.ts says; the value of the leader's key is what it says.
 */

import { assert } from '../../base/assert.ts'
import { compare, put, range } from '../op.ts'
import { readOptions } from '../fields.ts'
import type { ValueInput } from '../types/encoding.ts'
import type { KeyValue } from '../types/key-value.ts'
import type { CallOptions } from '../types/maintenance.ts'
import { followSet } from './current-set.ts'
import { isGone, standInLine, standsAlready } from './line.ts'
import type { Entered, Held, LineOptions, Place } from './line.ts'
import { keyText, prefixOf } from './recipe-store.ts'
import type { RecipeStore } from './recipe-store.ts'

const CALL_OPTIONS: ReadonlySet<string> = new Set(['signal'])

/** What `campaign` takes. */
export interface CampaignOptions extends LineOptions {}

/** Being the leader. `release` is stepping down. */
export interface Leadership<V> extends Held {
  /**
   * Says something else, without another election.
   * @throws {KvError} `KV_LEASE_NOT_FOUND` where somebody else may be the leader
   */
  proclaim(value: ValueInput<V>): Promise<void>
}

/** An election of one leader at a time, by name. */
export interface Election<V = string, K = string> {
  /**
   * Waits to become the leader, who says this; those who campaign come in their order.
   * @throws {KvError} `KV_LEASE_NOT_FOUND` where the session ends while waiting; `KV_EXISTS` where
   *   it campaigns already
   */
  campaign(value: ValueInput<V>, options?: CampaignOptions): Promise<Leadership<V>>
  /** The leader's key and what it says; undefined: there is none. */
  leader(options?: CallOptions): Promise<KeyValue<V, K> | undefined>
  /**
   * The leader now (undefined: there is none), then each change of it or of what it says, in
   * order; those that follow each other while nobody reads on are not left out. Ends when the store
   * is closed.
   */
  observe(options?: CallOptions): AsyncIterableIterator<KeyValue<V, K> | undefined>
}

/** The election of this name. */
export function election<V, K>(store: RecipeStore<V, K>, name: string): Election<V, K> {
  return new StoreElection(store, name)
}

class StoreElection<V, K> implements Election<V, K> {
  readonly #store: RecipeStore<V, K>
  readonly #name: string
  readonly #prefix: string

  constructor(store: RecipeStore<V, K>, name: string) {
    this.#store = store
    this.#prefix = prefixOf(name)
    this.#name = name
  }

  async campaign(value: ValueInput<V>, options?: CampaignOptions): Promise<Leadership<V>> {
    const store = this.#store
    const enter = async ({ prefix, key, session }: Place): Promise<Entered> => {
      const { succeeded, revision, results } = await store.txn({
        compare: [compare(key).createRevision('=', 0)],
        success: [
          put(key, value, { lease: session.id }),
          range({ prefix, sortBy: 'createRevision', limit: 1, keysOnly: true }),
        ],
      })
      if (!succeeded) throw standsAlready(key)
      const first = results[1]
      return { revision, isFirst: first?.type === 'range' && isFirst(first.kvs, revision) }
    }
    const held = await standInLine(store, this.#name, options, enter)
    assert(held !== undefined, 'whoever campaigns has a place')
    return Object.assign(held, {
      async proclaim(next: ValueInput<V>): Promise<void> {
        const { key, lease, guard } = held
        const { succeeded } = await store.txn({
          compare: [guard],
          success: [put(key, next, { lease })],
        })
        if (!succeeded) throw isGone(key)
      },
    })
  }

  async leader(options?: CallOptions): Promise<KeyValue<V, K> | undefined> {
    const signal = readOptions(options, CALL_OPTIONS).signal()
    const prefix = this.#prefix
    const { kvs } = await this.#store.range({ prefix, sortBy: 'createRevision', limit: 1, signal })
    return kvs[0]
  }

  observe(options?: CallOptions): AsyncIterableIterator<KeyValue<V, K> | undefined> {
    const signal = readOptions(options, CALL_OPTIONS).signal()
    return this.#observe(signal)
  }

  async *#observe(
    signal: AbortSignal | undefined,
  ): AsyncGenerator<KeyValue<V, K> | undefined, void, undefined> {
    let shown: KeyValue<V, K> | undefined
    let isShown = false
    for await (const { entries } of followSet(this.#store, { prefix: this.#prefix, signal })) {
      const leader = eldest(entries.values())
      if (isShown && isSame(leader, shown)) continue
      shown = leader
      isShown = true
      yield leader
    }
  }
}

function isFirst(kvs: readonly KeyValue<unknown, unknown>[], revision: number): boolean {
  return kvs[0]?.createRevision === revision
}

/** Of keys made by one transaction the one that a range sorted by creation shows first. */
function eldest<V, K>(entries: Iterable<KeyValue<V, K>>): KeyValue<V, K> | undefined {
  let found: KeyValue<V, K> | undefined
  for (const each of entries) {
    const order = each.createRevision - (found?.createRevision ?? Infinity)
    const isBefore = order === 0 && found !== undefined && compareText(each.key, found.key) < 0
    if (order < 0 || isBefore) found = each
  }
  return found
}

type Known = KeyValue<unknown, unknown> | undefined

/** Whether it is the same leader, who says the same. */
function isSame(a: Known, b: Known): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.modRevision === b.modRevision && compareText(a.key, b.key) === 0
}

function compareText(a: unknown, b: unknown): number {
  return Buffer.compare(Buffer.from(keyText(a)), Buffer.from(keyText(b)))
}
