/**
 * Prints what the key index costs: bytes per key and per revision, and how fast it is filled and
 * read.
 *
 *   npx tsx bench/key-index-memory.ts [keys] [revisions per key]
 *
 * "set aside" counts the index's own chunks; "resident" what the process grew by.
 */
import { KeyIndex } from '../mvcc/key-index.ts'
import { KeyState } from '../mvcc/key-records.ts'

const keyCount = Number(process.argv[2] ?? 1_000_000)
const perKey = Number(process.argv[3] ?? 1)
const KEY_SIZE = 20

/** A permutation of 0…2^32-1, so that keys come in no order without a shuffled list of them. */
function scatter(i: number): number {
  let x = Math.imul(i, 0x9e3779b1) >>> 0
  x = Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0
  return (x ^ (x >>> 13)) >>> 0
}

const key = new Uint8Array(KEY_SIZE).fill(0x30)
function setKey(i: number): Uint8Array {
  let rest = scatter(i)
  for (let at = KEY_SIZE - 1; at > KEY_SIZE - 11; at--) {
    key[at] = 0x30 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  return key
}

function timed(what: string, count: number, work: () => void): void {
  const start = performance.now()
  work()
  const ms = performance.now() - start
  console.log(`${what}: ${((ms * 1e6) / count).toFixed(0)} ns each (${ms.toFixed(0)} ms)`)
}

const residentBefore = process.memoryUsage.rss()
const index = new KeyIndex()
const state = new KeyState()
const revisions = keyCount * perKey

timed('put', revisions, () => {
  let main = 2
  for (let round = 0; round < perKey; round++) {
    for (let i = 0; i < keyCount; i++) {
      index.put(setKey(i), main++, 0, state)
      if (main % 1000 === 0) index.forget()
    }
  }
})
timed('get, newest', keyCount, () => {
  for (let i = 0; i < keyCount; i++) index.get(setKey(i), Number.MAX_SAFE_INTEGER, state)
})
timed('get, at a third of the history', keyCount, () => {
  const main = Math.floor(revisions / 3)
  for (let i = 0; i < keyCount; i++) index.get(setKey(i), main, state)
})
timed('walk in key order', keyCount, () => {
  const cursor = index.cursor({ start: new Uint8Array(0), end: undefined })
  let count = 0
  while (cursor.next()) if (index.load(cursor.record, revisions + 1, state)) count++
  if (count !== keyCount) throw new Error(`walked ${count} keys`)
})

const { recordBytes, treeBytes, tableBytes, historyBytes } = index.memory
const total = recordBytes + treeBytes + tableBytes + historyBytes
const resident = process.memoryUsage.rss() - residentBefore
console.log(`${keyCount} keys of ${KEY_SIZE} bytes, ${perKey} revisions each`)
console.log(
  `set aside: ${(total / keyCount).toFixed(1)} bytes a key ` +
    `(record ${(recordBytes / keyCount).toFixed(1)}, tree ${(treeBytes / keyCount).toFixed(1)}, ` +
    `table ${(tableBytes / keyCount).toFixed(1)}, ` +
    `history ${(historyBytes / keyCount).toFixed(1)}); ` +
    `resident: ${(resident / keyCount).toFixed(1)}`,
)
