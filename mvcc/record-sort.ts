/**
 * Sorting records by key, as fast as memory allows: what the index does once when it is loaded.
 *
 * A most-significant-first sort that takes four bytes of each key at a time: what a group of keys
 * begins with in common is passed over, their next four bytes (`KeyRecords.head`) are sorted as
 * numbers, and keys that are equal so far make a group of their own. A record is looked at about
 * twice a level, and most keys need two levels.
 *
 * It is a generator, so that a caller can let others run between two steps; a step is some
 * thousand records.
 */

import type { KeyRecords } from './key-records.ts'

/** Records between two steps. */
const STEP_RECORDS = 4096
/** Records asked for at once. */
const WARM_RECORDS = 512
/** Smaller groups are sorted by comparing keys. */
const GROUP_MIN = 24
/** Smaller ones have their heads sorted by the engine's own sort. */
const LARGE_MIN = 4096
const DIGIT_BITS = 11
const DIGITS: number = 1 << DIGIT_BITS
const HEAD_BITS = 32

interface Group {
  readonly from: number
  readonly to: number
  /** How many first bytes its keys are known to have in common. */
  readonly shared: number
}

/** Sorts `list`, records of keys that are all different, in place. */
export function* sortRecords(records: KeyRecords, list: Uint32Array): Generator<void, void> {
  const heads = new Uint32Array(list.length)
  const spare = { list: new Uint32Array(list.length), heads: new Uint32Array(list.length) }
  const groups: Group[] = [{ from: 0, to: list.length, shared: 0 }]
  let sinceStep = 0
  for (let group = groups.pop(); group !== undefined; group = groups.pop()) {
    const { from, to } = group
    sinceStep += to - from
    if (to - from < GROUP_MIN) {
      sortByComparing(records, list, group)
    } else {
      const shared = yield* readHeads(records, list, heads, group)
      if (to - from < LARGE_MIN) sortFewByHeads(list, heads, group)
      else yield* sortByHeads(list, heads, { spare, from, to })
      yield* splitByHeads(records, list, { heads, from, to, shared, groups })
    }
    if (sinceStep < STEP_RECORDS) continue
    sinceStep = 0
    yield
  }
}

/**
 * Finds what the keys of a group begin with in common, and reads the head of each behind it.
 * Returns how many bytes are shared. What the first, the middle and the last one share is mostly
 * what all do, so each record is looked at once; else what was read so far is read again.
 */
function* readHeads(
  records: KeyRecords,
  list: Uint32Array,
  heads: Uint32Array,
  { from, to }: Group,
): Generator<void, number> {
  const first = list[from] as number
  let shared = records.keySize(first)
  for (const other of [(from + to) >>> 1, to - 1]) {
    shared = records.sharedBy(first, list[other] as number, shared)
  }
  const guess = shared
  for (let i = from; i < to; i++) {
    if ((i - from) % WARM_RECORDS === 0) records.warm(list, i, Math.min(i + WARM_RECORDS, to))
    if ((i & (STEP_RECORDS - 1)) === 0) yield
    shared = records.sharedBy(first, list[i] as number, shared)
    heads[i] = records.head(list[i] as number, shared)
  }
  if (shared === guess) return shared
  for (let i = from; i < to; i++) {
    if ((i & (STEP_RECORDS - 1)) === 0) yield
    heads[i] = records.head(list[i] as number, shared)
  }
  return shared
}

/** Sorts part of a list by the heads of its records: least significant digit first, stable. */
function* sortByHeads(
  list: Uint32Array,
  heads: Uint32Array,
  part: { readonly spare: Lists; readonly from: number; readonly to: number },
): Generator<void, void> {
  const { spare, from, to } = part
  let source: Lists = { list, heads }
  let target = spare
  for (let shift = 0; shift < HEAD_BITS; shift += DIGIT_BITS) {
    const places = new Uint32Array(DIGITS)
    for (let i = from; i < to; i++) count(places, digitOf(source.heads[i] as number, shift))
    let place = from
    for (let digit = 0; digit < DIGITS; digit++) {
      const size = places[digit] as number
      places[digit] = place
      place += size
    }
    for (let i = from; i < to; i++) {
      if ((i & (STEP_RECORDS - 1)) === 0) yield
      const head = source.heads[i] as number
      const at = count(places, digitOf(head, shift))
      target.heads[at] = head
      target.list[at] = source.list[i] as number
    }
    const last = source
    source = target
    target = last
  }
  list.set(source.list.subarray(from, to), from)
  heads.set(source.heads.subarray(from, to), from)
}

/** As `sortByHeads`: heads and places are sorted as one number. */
function sortFewByHeads(list: Uint32Array, heads: Uint32Array, { from, to }: Group): void {
  const size = to - from
  const both = new Float64Array(size)
  for (let i = 0; i < size; i++) both[i] = (heads[from + i] as number) * LARGE_MIN + i
  both.sort()
  const before = list.slice(from, to)
  for (let i = 0; i < size; i++) {
    const head = Math.floor((both[i] as number) / LARGE_MIN)
    heads[from + i] = head
    list[from + i] = before[(both[i] as number) - head * LARGE_MIN] as number
  }
}

interface Lists {
  readonly list: Uint32Array
  readonly heads: Uint32Array
}

/** Adds one, and answers with what was there. */
function count(places: Uint32Array, digit: number): number {
  const before = places[digit] as number
  places[digit] = before + 1
  return before
}

function digitOf(head: number, shift: number): number {
  return (head >>> shift) & (DIGITS - 1)
}

interface Sorted extends Group {
  readonly heads: Uint32Array
  readonly groups: Group[]
}

/** Makes groups of the records with equal heads. */
function* splitByHeads(
  records: KeyRecords,
  list: Uint32Array,
  sorted: Sorted,
): Generator<void, void> {
  const { heads, from, to, shared, groups } = sorted
  let stepEnd = from + STEP_RECORDS
  for (let start = from, end = from; start < to; start = end) {
    if (start >= stepEnd) {
      stepEnd = start + STEP_RECORDS
      yield
    }
    while (end < to && heads[end] === heads[start]) end++
    if (end - start < 2) continue
    const rest = putEndedFirst(records, list, { from: start, to: end, shared: shared + 4 })
    if (end - rest > 1) groups.push({ from: rest, to: end, shared: shared + 4 })
  }
}

/**
 * Keys that end within the head look as if they went on with zeros: they come first, the shortest
 * before all. Returns where the others begin.
 */
function putEndedFirst(records: KeyRecords, list: Uint32Array, group: Group): number {
  let rest = group.from
  for (let i = group.from; i < group.to; i++) {
    const record = list[i] as number
    if (records.keySize(record) > group.shared) continue
    list[i] = list[rest] as number
    list[rest++] = record
  }
  list.subarray(group.from, rest).sort((a, b) => records.keySize(a) - records.keySize(b))
  return rest
}

/** By insertion. */
function sortByComparing(records: KeyRecords, list: Uint32Array, { from, to }: Group): void {
  for (let i = from + 1; i < to; i++) {
    const record = list[i] as number
    const key = records.key(record)
    let at = i
    for (; at > from && records.compare(list[at - 1] as number, key) > 0; at--) {
      list[at] = list[at - 1] as number
    }
    list[at] = record
  }
}
