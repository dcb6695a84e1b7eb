/**
 * The one that is killed: opens a store, and writes with several writers at once until it is.
 *
 *   node kill-child.mjs DIRECTORY SEED
 *
 * Each line printed says what was acknowledged, after it was:
 *
 *   open REVISION
 *   done WRITER COUNT
 */

import { writeSync } from 'node:fs'
import { Random } from '../../base/random.ts'
import { open } from '../../store/open.ts'
import type { BuiltLocalStore } from '../../store/types.ts'

const WRITERS = 6

async function write(store: BuiltLocalStore, writer: number, random: Random): Promise<never> {
  const key = `writer ${writer}`
  let count = Number((await store.get(key))?.value.split(' ', 1)[0] ?? 0)
  for (;;) {
    count++
    const value = `${count} ${'x'.repeat(random.below(2000))}`
    // The first one blocks the others now and then.
    if (writer === 0 && random.chance(0.3)) store.putSync(key, value)
    else await store.put(key, value)
    writeSync(1, `done ${writer} ${count}\n`)
  }
}

const [directory = '', seed = ''] = process.argv.slice(2)
const random = new Random(Number(seed))
const store = await open(directory, {
  lockTimeoutMs: 10_000,
  checkpointBytes: random.pick([20_000, 100_000, 1_000_000]),
})
const { revision } = await store.status()
writeSync(1, `open ${revision}\n`)
await Promise.all(Array.from({ length: WRITERS }, (_, i) => write(store, i, random.fork())))
