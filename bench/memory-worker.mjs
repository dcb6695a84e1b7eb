/**
 * The work of `--memory`, on the built library alone: makes the file, or reads and rewrites it
 * under a page budget. Its one argument is what to do, JSON; it answers in lines of JSON.
 *
 * It keeps no key: key number i is made of i by a mixing function, whenever it is needed. How
 * many there are stands in the bucket's sequence.
 */

import { statSync } from 'node:fs'
import { openEngine } from '../dist/engine/index.js'

const BUCKET = 'bench'
const MAKE_BATCH = 500_000
const REWRITE_BATCH = 1000
const work = JSON.parse(process.argv[2])

const key = Buffer.alloc(16)
const value = Buffer.alloc(100, 'v')

/** A permutation of 0…2^32−1. */
function mix(i, salt) {
  let x = (i + salt) >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad)
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
  return (x ^ (x >>> 15)) >>> 0
}

/** Key number `i`, until the next call. */
function keyOf(i) {
  for (let word = 0; word < 4; word++) key.writeUInt32BE(mix(i, word * 0x9e3779b1), word * 4)
  return key
}

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

function maxResidentBytes() {
  return process.resourceUsage().maxRSS * 1024
}

function phase(name, operations, run) {
  const start = process.hrtime.bigint()
  run()
  const ns = Number(process.hrtime.bigint() - start)
  const maxResident = maxResidentBytes()
  say({ kind: 'phase', phase: { name, operations, ns, maxResidentBytes: maxResident } })
}

async function make() {
  if (statSync(work.path, { throwIfNoEntry: false })?.size >= work.fileBytes) return
  const engine = await openEngine(work.path)
  while (engine.stats().highWaterMark * engine.pageSizeBytes < work.fileBytes) {
    engine.update((tx) => {
      const bucket = tx.createBucketIfNotExists(BUCKET)
      const first = Number(bucket.sequence)
      for (let i = first; i < first + MAKE_BATCH; i++) bucket.put(keyOf(i), value)
      bucket.setSequence(first + MAKE_BATCH)
    })
    const mib = (engine.stats().highWaterMark * engine.pageSizeBytes) >>> 20
    say({ kind: 'progress', text: `making the file for --memory: ${mib} MiB` })
  }
  await engine.close()
}

function readRandomly(engine, keyCount) {
  engine.view((tx) => {
    const bucket = tx.bucket(BUCKET)
    for (let i = 0; i < work.reads; i++) {
      const found = bucket.get(keyOf(mix(i, 7) % keyCount))
      if (found?.length !== value.length) throw new Error(`key number ${i} is missing`)
    }
  })
}

function scan(engine, keyCount) {
  engine.view((tx) => {
    const cursor = tx.bucket(BUCKET).cursor()
    let bytes = 0
    let count = 0
    for (let entry = cursor.first(); entry !== undefined; entry = cursor.next()) {
      bytes += entry.key.length + entry.value.length
      count++
    }
    if (count !== keyCount || bytes !== count * (key.length + value.length)) {
      throw new Error(`the scan met ${count} of ${keyCount} keys`)
    }
  })
}

function rewrite(engine, keyCount) {
  for (let at = 0; at < work.rewrites; at += REWRITE_BATCH) {
    engine.update((tx) => {
      const bucket = tx.bucket(BUCKET)
      for (let i = at; i < at + REWRITE_BATCH; i++) bucket.put(keyOf(mix(i, 11) % keyCount), value)
    })
  }
}

async function measure() {
  const baseResidentBytes = process.memoryUsage.rss()
  const engine = await openEngine(work.path, { cacheBytes: work.cacheBytes })
  const keyCount = engine.view((tx) => Number(tx.bucket(BUCKET).sequence))
  phase('random reads', work.reads, () => readRandomly(engine, keyCount))
  phase('scan', keyCount, () => scan(engine, keyCount))
  phase('rewrite, 1,000 puts a transaction', work.rewrites, () => rewrite(engine, keyCount))
  const fileBytes = engine.stats().fileSizeBytes
  await engine.close()
  say({ kind: 'file', file: { fileBytes, keyCount, baseResidentBytes } })
}

await (work.task === 'make' ? make() : measure())
