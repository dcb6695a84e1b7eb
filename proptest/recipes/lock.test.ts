/**
 * A lock among processes that are held up at random, die, or sleep through the end of their leases.
 */
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { Random } from '../../base/random.ts'
import { put } from '../../store/op.ts'
import { lock } from '../../store/recipes/lock.ts'
import type { Lock } from '../../store/recipes/lock.ts'
import { effort, seed } from '../effort.ts'
import { ClockedStore, Process } from './clocked-store.ts'
import { turns } from './transact-steps.ts'

const RUNS = effort({ smoke: 25, ci: 400, soak: 10_000 })

type End = 'release' | 'die' | 'sleep'

interface Turn {
  readonly writes: number
  readonly end: End
}

const turn: fc.Arbitrary<Turn> = fc.record({
  writes: fc.nat(3),
  end: fc.oneof(
    { weight: 4, arbitrary: fc.constant<End>('release') },
    { weight: 1, arbitrary: fc.constant<End>('die') },
    { weight: 2, arbitrary: fc.constant<End>('sleep') },
  ),
})

/** A write that was let through. */
interface Written {
  readonly revision: number
  readonly token: number
}

function claim(holds: boolean, what: string): void {
  if (!holds) throw new Error(`no longer so: ${what}`)
}

class World {
  readonly life: ClockedStore
  readonly written: Written[] = []
  /** Tokens in the order in which the lock was had by those awake. */
  readonly tokens: number[] = []
  #inside = 0

  constructor(life: ClockedStore) {
    this.life = life
  }

  async run(process: Process, given: readonly Turn[]): Promise<void> {
    for (const { writes, end } of given) {
      const held = await lock(process.store, 'l', { ttlSeconds: 2 })
      this.tokens.push(held.revision)
      this.#inside++
      claim(this.#inside === 1, 'one alone has the lock')
      for (let i = 0; i < writes; i++) await this.#write(process, held)
      claim(this.#inside === 1 && !held.signal.aborted, 'whoever is awake keeps the lock')
      this.#inside--
      if (end === 'die') {
        await process.die()
        return
      }
      if (end === 'sleep') {
        await process.stopRenewing()
        await this.#write(process, held)
        await this.#sleep(process)
        await this.#write(process, held)
        claim(held.signal.aborted, 'whoever slept too long has lost it')
      }
      await held.release()
    }
  }

  async #write(process: Process, held: Lock): Promise<void> {
    const { succeeded, revision } = await process.store.txn({
      compare: [held.guard],
      success: [put('data', String(held.revision))],
    })
    if (succeeded) this.written.push({ revision, token: held.revision })
  }

  async #sleep(process: Process): Promise<void> {
    const endMs = this.life.clock.monotonicMs() + 3000
    while (this.life.clock.monotonicMs() < endMs) await process.pass()
    await turns(10)
  }

  /** Whose turn it was in a revision. */
  async holderAt(revision: number): Promise<number | undefined> {
    const { store } = this.life
    const found = await store.range({ prefix: 'l/', sortBy: 'createRevision', limit: 1, revision })
    return found.kvs[0]?.createRevision
  }
}

describe('lock()', () => {
  test('excludes all but one, and its guard all who lost it', async () => {
    const property = fc.asyncProperty(
      fc.array(fc.array(turn, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 4 }),
      fc.nat(),
      async (scripts, dice) => {
        await using life = await ClockedStore.open()
        const world = new World(life)
        const random = new Random(dice)
        const processes = scripts.map((script) => {
          const process = new Process(life.store, random.fork())
          return { process, script }
        })
        let running = processes.length
        const runs = processes.map(async ({ process, script }) => {
          await process.pass()
          await world.run(process, script).finally(() => running--)
        })
        const over = Promise.all(runs)
        over.catch(() => {})
        while (running > 0) await life.clock.advanceAsync(100)
        await over
        expect(world.tokens).toEqual([...new Set(world.tokens)].sort((a, b) => a - b))
        const written = world.written.toSorted((a, b) => a.revision - b.revision)
        for (const { revision, token } of written) {
          expect(await world.holderAt(revision)).toBe(token)
        }
      },
    )
    await fc.assert(property, { numRuns: RUNS, seed })
  })
})
