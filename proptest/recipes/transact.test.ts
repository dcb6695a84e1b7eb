/**
 * Concurrent transactions of `transact`, and writes of others between them, are as if they had run
 * one after the other, in the order of their revisions.
 */
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openOn } from '../../store/open.ts'
import type { BuiltStore } from '../../store/types.ts'
import { effort, seed } from '../effort.ts'
import { onMap, onStore, play, step, turns } from './transact-steps.ts'
import type { Step } from './transact-steps.ts'

const RUNS = effort({ smoke: 80, ci: 2000, soak: 50_000 })

/** What took effect at a revision. */
interface Effect {
  readonly revision: number
  /** Where it wrote, it made the revision; else it saw what that left. */
  readonly wrote: boolean
  readonly run: (map: Map<string, string>) => Promise<void>
}

interface Client {
  readonly delay: number
  /** Transactions, or writes without one. */
  readonly calls: readonly { readonly steps: readonly Step[]; readonly isDirect: boolean }[]
}

const call = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 6 }),
  isDirect: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
})
const client: fc.Arbitrary<Client> = fc.record({
  delay: fc.nat(3),
  calls: fc.array(call, { minLength: 1, maxLength: 4 }),
})
const isolation = fc.constantFrom('serializable', 'serializableSnapshot', 'repeatableReads')

/** Runs one transaction and tells its effect. It always writes where it writes at all. */
async function transacted(
  store: BuiltStore,
  steps: readonly Step[],
  level: 'serializable' | 'serializableSnapshot' | 'repeatableReads',
): Promise<Effect> {
  let wrote = false
  const done = await store.transact(
    async (t) => {
      wrote = false
      const played = onStore(t)
      const noted = await play(
        {
          ...played,
          put(key, value) {
            wrote = true
            played.put(key, value)
          },
          delete(keys) {
            wrote = true
            played.delete(keys)
          },
        },
        steps,
      )
      // So that it makes a revision also where it deletes nothing or undoes what it did.
      if (wrote) t.put('0', '')
      return noted
    },
    { attemptsMax: Infinity, isolation: level },
  )
  const run = async (map: Map<string, string>): Promise<void> => {
    expect(await play(onMap(map), steps)).toEqual(done.value)
  }
  return { revision: done.revision, wrote, run }
}

/** Writes of a client that knows no transactions. */
async function direct(store: BuiltStore, steps: readonly Step[]): Promise<Effect[]> {
  const effects: Effect[] = []
  for (const each of steps) {
    if (each.do === 'put') {
      const { revision } = await store.put(each.key, '1')
      effects.push({ revision, wrote: true, run: async (map) => void map.set(each.key, '1') })
    } else if (each.do === 'delete') {
      const { revision, deleted } = await store.delete(each.key)
      const run = async (map: Map<string, string>): Promise<void> => void map.delete(each.key)
      if (deleted > 0) effects.push({ revision, wrote: true, run })
    }
  }
  return effects
}

async function stateAt(store: BuiltStore, revision: number): Promise<unknown> {
  const { kvs } = await store.range({ fromKey: 'a', revision })
  return kvs.map((kv) => [kv.key, kv.value])
}

async function runClients(
  store: BuiltStore,
  clients: readonly Client[],
  level: 'serializable' | 'serializableSnapshot' | 'repeatableReads',
): Promise<Effect[]> {
  const effects = await Promise.all(
    clients.map(async ({ delay, calls }) => {
      await turns(delay)
      const own: Effect[] = []
      for (const { steps, isDirect } of calls) {
        if (isDirect) own.push(...(await direct(store, steps)))
        else own.push(await transacted(store, steps, level))
      }
      return own
    }),
  )
  return effects.flat().sort((a, b) => a.revision - b.revision || Number(b.wrote) - Number(a.wrote))
}

describe('transact()', () => {
  test('concurrent transactions are as if one ran after the other', async () => {
    const property = fc.asyncProperty(
      fc.array(client, { minLength: 2, maxLength: 5 }),
      isolation,
      async (clients, level) => {
        await using store = await openOn(new MemoryDisk(), '/data')
        const effects = await runClients(store, clients, level)
        const map = new Map<string, string>()
        for (const { revision, wrote, run } of effects) {
          await run(map)
          const expected = [...map].sort()
          if (wrote) expect(await stateAt(store, revision)).toEqual(expected)
        }
        const made = effects.filter(({ wrote }) => wrote).map(({ revision }) => revision)
        expect(made).toEqual(made.map((_, i) => i + 2))
      },
    )
    await fc.assert(property, { numRuns: RUNS, seed })
  })
})
