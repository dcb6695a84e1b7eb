/** A queue among producers and consumers that are held up at random, give up, or die. */
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { Random } from '../../base/random.ts'
import { queue } from '../../store/recipes/queue.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import { effort, seed } from '../effort.ts'
import { ClockedStore, Process } from './clocked-store.ts'
import { turns } from './transact-steps.ts'

const RUNS = effort({ smoke: 30, ci: 500, soak: 10_000 })

interface Consumer {
  /** It dies after so many turns of the event loop. */
  readonly diesAfter: number | undefined
  /** It gives up a wait after so many turns, and begins again. */
  readonly patience: number
}

const consumer: fc.Arbitrary<Consumer> = fc.record({
  diesAfter: fc.option(fc.nat(60), { nil: undefined, freq: 3 }),
  patience: fc.integer({ min: 3, max: 60 }),
})
const producer = fc.array(fc.constantFrom(0, 0, 7, 12), { maxLength: 6 })

/** Takes until nothing comes any more. */
async function consume(process: Process, patience: number, taken: string[]): Promise<void> {
  const items = queue(process.store, 'q')
  for (let idle = 0; idle < 3;) {
    const controller = new AbortController()
    void turns(patience).then(() => controller.abort(new Error('patience')))
    try {
      taken.push((await items.take({ signal: controller.signal })).value)
      idle = 0
    } catch (error) {
      if (error !== controller.signal.reason) throw error
      idle++
    }
  }
}

/** Plays the history: each deletion took the item that was to come next. Tells how many did. */
async function checkOrder(store: BuiltLocalStore): Promise<number> {
  const { revision: last } = await store.put('end', '1')
  let present: string[] = []
  let takenCount = 0
  for await (const { events, revision } of store.watch({ startRevision: 2 })) {
    for (const event of events) {
      if (event.type === 'put') {
        // Behind all others of its priority.
        const { key } = event.kv
        const same = present.filter((each) => each.startsWith(key.slice(0, 8)))
        expect(same.every((each) => each < key)).toBe(true)
        if (key !== 'end') present = [...present, key].sort()
      } else {
        expect(present.shift()).toBe(event.key)
        takenCount++
      }
    }
    if (revision === last) break
  }
  return takenCount
}

describe('queue()', () => {
  test('gives each item to one, in order, and loses none that nobody took', async () => {
    const property = fc.asyncProperty(
      fc.array(producer, { minLength: 1, maxLength: 4 }),
      fc.array(consumer, { minLength: 1, maxLength: 4 }),
      fc.nat(),
      async (producers, consumers, dice) => {
        await using life = await ClockedStore.open()
        const random = new Random(dice)
        const taken: string[] = []
        const pushed: string[] = []
        const pushing = producers.map(async (priorities, p) => {
          const items = queue(new Process(life.store, random.fork()).store, 'q')
          for (const [i, priority] of priorities.entries()) {
            await items.push(`${p}.${i}`, { priority })
            pushed.push(`${p}.${i}`)
          }
        })
        const taking = consumers.map(async ({ diesAfter, patience }) => {
          const process = new Process(life.store, random.fork())
          const over = consume(process, patience, taken)
          if (diesAfter === undefined) return await over
          await Promise.race([over, turns(diesAfter)])
          await process.die()
        })
        await Promise.all([...pushing, ...taking])
        await life.settle()
        const { kvs } = await life.store.range({ prefix: 'q/' })
        const left = kvs.map(({ value }) => value)
        const known = [...taken, ...left]
        expect(known.length).toBe(new Set(known).size)
        expect(pushed).toEqual(expect.arrayContaining(known))
        const takenCount = await checkOrder(life.store)
        expect(takenCount + left.length).toBe(pushed.length)
        // What a process took along when it died: one item at most.
        const dead = consumers.filter(({ diesAfter }) => diesAfter !== undefined).length
        expect(takenCount - taken.length).toBeGreaterThanOrEqual(0)
        expect(takenCount - taken.length).toBeLessThanOrEqual(dead)
      },
    )
    await fc.assert(property, { numRuns: RUNS, seed })
  })
})
