/** Stores that the cases of `npm run versioned` begin with, and what they share. */

import type * as door from '../../index.ts'
import { loadBuilt } from '../library.ts'

export type BytesStore = door.BuiltLocalStore<Uint8Array, Uint8Array>

const VALUE_SIZE = 100
const BATCH = 2000
const MIB = 1024 * 1024
const SEED = 0x9e3779b1

export async function loadStoreDoor(): Promise<typeof door> {
  return await loadBuilt<typeof door>('index.js')
}

/** 16 bytes; keys come in no order. */
export function keyOf(i: number): Buffer {
  let x = Math.imul(i, SEED) >>> 0
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0
  return Buffer.from(`key-${String((x ^ (x >>> 13)) >>> 0).padStart(12, '0')}`)
}

export const VALUE: Uint8Array = new Uint8Array(VALUE_SIZE).fill(0x76)

/** Places from 0 to `count`, each once, in no order. */
export function scattered(count: number): Uint32Array {
  const places = Uint32Array.from({ length: count }, (_, i) => i)
  let state = SEED
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const other = state % (i + 1)
    const place = places[i] ?? 0
    places[i] = places[other] ?? 0
    places[other] = place
  }
  return places
}

/** Opens a store that is filled by many writes: nothing waits for the disk until it is closed. */
export async function openToFill(path: string): Promise<BytesStore> {
  const { open } = await loadStoreDoor()
  return await open(path, { encoding: 'bytes', sync: 'none', cacheBytes: 1024 * MIB })
}

/** Puts every key once, some thousand at a time. */
export async function putAll(store: BytesStore, count: number): Promise<void> {
  for (let i = 0; i < count;) {
    const puts: Promise<unknown>[] = []
    for (const end = Math.min(count, i + BATCH); i < end; i++) puts.push(store.put(keyOf(i), VALUE))
    await Promise.all(puts)
  }
}

/** Makes a closed store of `count` keys with so many revisions each. */
export async function fill(path: string, count: number, revisions: number): Promise<void> {
  const store = await openToFill(path)
  for (let round = 0; round < revisions; round++) await putAll(store, count)
  await store.close()
}

export function nanoseconds(count: number, begun: number): number {
  return ((performance.now() - begun) * 1e6) / count
}

export function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
