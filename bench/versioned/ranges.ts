/** A range with a limit: its time must not grow with the number of keys. */

import { join } from 'node:path'
import type { Figure, RunCase } from '../versioned-protocol.ts'
import { fill, keyOf, loadStoreDoor, middle } from './filling.ts'

const KEYS = 1_000_000
const SMALL_PART = 100
const ROUNDS = 200

export const runRanges: RunCase = async ({ path, scale }) => {
  const large = Math.ceil(KEYS * scale)
  const small = Math.max(2000, Math.ceil(large / SMALL_PART))
  const figures: Figure[] = []
  for (const limit of [10, 1000]) {
    const micros: number[] = []
    for (const count of [small, large])
      micros.push(await timeOf(join(path, `${count}`), count, limit))
    const [few = 0, many = 0] = micros
    figures.push(
      { name: `range of ${limit}, ${small} keys`, unit: 'µs', value: few },
      { name: `range of ${limit}, ${large} keys`, unit: 'µs', value: many },
      { name: `range of ${limit}, time / with a hundredth`, unit: '×', value: many / few },
    )
  }
  return figures
}

/** The middle time of one range, from keys all over the store on. */
async function timeOf(path: string, count: number, limit: number): Promise<number> {
  const { open } = await loadStoreDoor()
  if (limit === 10) await fill(path, count, 1)
  await using store = await open(path, { encoding: 'bytes', cacheBytes: 2 ** 30 })
  const times: number[] = []
  for (let round = 0; round < 2 * ROUNDS; round++) {
    const fromKey = keyOf(Math.floor((count * (round % ROUNDS)) / ROUNDS))
    const begun = performance.now()
    await store.range({ fromKey, limit })
    if (round >= ROUNDS) times.push((performance.now() - begun) * 1000)
  }
  return middle(times)
}
