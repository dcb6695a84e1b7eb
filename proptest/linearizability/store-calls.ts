/**
 * Calls of a store as plain data, and what was answered: the same whether they are made in this
 * process or in another that may be killed.
 */

import { isKvError } from '../../base/errors.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import { compare, get, put } from '../../store/op.ts'

/** Every value is written once, so a read tells which write it saw. */
export type StoreCall =
  | { readonly type: 'put'; readonly key: string; readonly value: string; readonly lease: number }
  | { readonly type: 'delete'; readonly keys: readonly [from: string, end: string] }
  /** Puts two keys where the first one holds this; else reads them. */
  | {
      readonly type: 'swap'
      readonly keys: readonly [string, string]
      readonly from: string
      readonly value: string
    }
  | { readonly type: 'get'; readonly key: string; readonly revision: number }
  /** All keys at one revision: by a range, a view that is read bit by bit, or a snapshot. */
  | { readonly type: 'all'; readonly by: 'range' | 'view' | 'snapshot'; readonly revision: number }
  | { readonly type: 'grant'; readonly lease: number }
  | { readonly type: 'revoke'; readonly lease: number }
  | { readonly type: 'compact'; readonly revision: number }
  /** Every event from a revision on, up to another. */
  | { readonly type: 'events'; readonly from: number; readonly to: number }

/** One line: `@REVISION …`, or the code of a refusal. */
export type StoreAnswer = string

export const KEYS: readonly string[] = ['a', 'b', 'c', 'd', 'e']
const LEASE_SECONDS = 100_000

interface Shown {
  readonly key: string
  readonly value: string
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
}

/** A key as it is in an answer. */
export function showRow(row: Shown | undefined): string {
  if (row === undefined) return '-'
  return `${row.key}=${row.value}/${row.createRevision}/${row.modRevision}/${row.version}`
}

/** A turn of the event loop or more, so that others go on meanwhile. */
export type Pause = () => Promise<void>

/** Whether the call may have been carried out all the same. */
function isUnknown(error: unknown): boolean {
  if (!isKvError(error)) return true
  const codes = ['KV_CLOSED', 'KV_IO', 'KV_POISONED', 'KV_ABORTED', 'KV_NO_SPACE', 'KV_BUSY']
  return error.outcome === 'unknown' || codes.includes(error.code)
}

/** Makes a call; undefined where nobody knows what came of it. */
export async function ask(
  store: BuiltLocalStore,
  call: StoreCall,
  pause: Pause,
): Promise<StoreAnswer | undefined> {
  try {
    return await make(store, call, pause)
  } catch (error) {
    if (isKvError(error) && !isUnknown(error)) return error.code
    if (isUnknown(error)) return undefined
    throw error
  }
}

async function make(store: BuiltLocalStore, call: StoreCall, pause: Pause): Promise<StoreAnswer> {
  switch (call.type) {
    case 'put': {
      const options = { previous: true, lease: BigInt(call.lease) }
      const { revision, previous } = await store.put(call.key, call.value, options)
      return `@${revision} ${showRow(previous)}`
    }
    case 'delete': {
      const [start, end] = call.keys
      const { revision, previous } = await store.delete({ start, end }, { previous: true })
      return `@${revision} ${previous.map((row) => showRow(row)).join(' ')}`
    }
    case 'swap':
      return await makeSwap(store, call)
    case 'get': {
      const kv = await store.get(call.key, atRevision(call.revision))
      return showRow(kv)
    }
    case 'all':
      return await readAll(store, call, pause)
    case 'grant': {
      await store.grant({ id: BigInt(call.lease), ttlSeconds: LEASE_SECONDS })
      return 'granted'
    }
    case 'revoke':
      return `@${(await store.revoke(BigInt(call.lease))).revision}`
    case 'compact':
      await store.compact(call.revision)
      return 'compacted'
    case 'events':
      return await readEvents(store, call)
  }
}

function atRevision(revision: number): { readonly revision?: number } {
  return revision === 0 ? {} : { revision }
}

async function makeSwap(
  store: BuiltLocalStore,
  { keys, from, value }: StoreCall & { type: 'swap' },
): Promise<StoreAnswer> {
  const [first, second] = keys
  const { revision, succeeded, results } = await store.txn({
    compare: [compare(first).value('=', from)],
    success: [put(first, value), put(second, `${value}'`)],
    failure: [get(first), get(second)],
  })
  if (succeeded) return `@${revision} done`
  const rows = results.map((result) => (result.type === 'get' ? showRow(result.kv) : ''))
  return `@${revision} ${rows.join(' ')}`
}

async function readAll(
  store: BuiltLocalStore,
  { by, revision }: StoreCall & { type: 'all' },
  pause: Pause,
): Promise<StoreAnswer> {
  if (by === 'range') {
    const page = await store.range(atRevision(revision))
    return `@${page.revision} ${page.kvs.map((row) => showRow(row)).join(' ')}`
  }
  const rows: string[] = []
  const at = atRevision(revision)
  if (by === 'view') {
    using view = store.view()
    for (const key of KEYS) {
      const row = view.get(key, at)
      if (row !== undefined) rows.push(showRow(row))
      await pause()
    }
    return `@${view.revision} ${rows.join(' ')}`
  }
  await using snapshot = store.snapshot()
  for (const key of KEYS) {
    const row = await snapshot.get(key, at)
    if (row !== undefined) rows.push(showRow(row))
    await pause()
  }
  return `@${snapshot.revision} ${rows.join(' ')}`
}

/** An event as it is in an answer. */
export function showEvent(type: 'put' | 'delete', key: string, value: string): string {
  return type === 'put' ? `${key}=${value}` : `${key}!`
}

async function readEvents(
  store: BuiltLocalStore,
  { from, to }: StoreCall & { type: 'events' },
): Promise<StoreAnswer> {
  const told: string[] = []
  if (from > to) return ''
  for await (const { events, revision } of store.watch({ startRevision: from })) {
    for (const event of events) {
      const at = event.type === 'put' ? event.kv.modRevision : event.modRevision
      if (at > to) return told.join(' ')
      const [key, value] = event.type === 'put' ? [event.kv.key, event.kv.value] : [event.key, '']
      told.push(`${at}:${showEvent(event.type, key, value)}`)
    }
    if (revision >= to) break
  }
  return told.join(' ')
}
