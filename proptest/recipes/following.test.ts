/** What `Registry.watch` and `Election.observe` show is what the history says. */
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { del, put } from '../../store/op.ts'
import { openOn } from '../../store/open.ts'
import { election } from '../../store/recipes/election.ts'
import { registry } from '../../store/recipes/registry.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import { effort, seed } from '../effort.ts'
import { turns } from './transact-steps.ts'

const RUNS = effort({ smoke: 40, ci: 600, soak: 10_000 })

type Change =
  | { readonly do: 'put' | 'delete'; readonly ids: readonly string[] }
  | { readonly do: 'compact' }
  | { readonly do: 'wait'; readonly turns: number }

const id = fc.constantFrom('a', 'b', 'c', 'd', 'é', '\u{1f600}', '\uffff')
const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('put', 'delete'),
      ids: fc.uniqueArray(id, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'compact' as const }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait'), turns: fc.nat(6) }) },
)

interface Shown {
  readonly revision: number
  readonly entries: string
}

interface States {
  /** The state at each revision that changed it, and at the first one. */
  readonly entries: Map<number, string>
  readonly leaders: Map<number, string>
}

async function noteState(store: BuiltLocalStore, states: States): Promise<void> {
  const { kvs, revision } = await store.range({ prefix: 's/' })
  states.entries.set(revision, kvs.map(({ key, value }) => `${key}=${value}`).join(' '))
  const first = kvs.toSorted((a, b) => a.createRevision - b.createRevision)[0]
  states.leaders.set(revision, `${first?.key}=${first?.value}`)
}

async function make(
  store: BuiltLocalStore,
  changes: readonly Change[],
  states: States,
): Promise<boolean> {
  let isCompacted = false
  await noteState(store, states)
  for (const [i, each] of changes.entries()) {
    if (each.do === 'wait') await turns(each.turns)
    else if (each.do === 'compact') {
      const { revision } = await store.status()
      isCompacted = true
      await store.compact(revision).catch(() => {})
    } else {
      const success = each.ids.map((one, n) =>
        each.do === 'put' ? put(`s/${one}`, `${i}.${n}`) : del(`s/${one}`),
      )
      await store.txn({ success })
      await noteState(store, states)
    }
  }
  return isCompacted
}

describe('Registry.watch() and Election.observe()', () => {
  test('show what the history says, all of it unless it was compacted', async () => {
    const property = fc.asyncProperty(
      fc.array(change, { maxLength: 20 }),
      fc.array(fc.nat(5), { minLength: 1, maxLength: 5 }),
      async (changes, delays) => {
        const store = await openOn(new MemoryDisk(), '/data')
        const states: States = { entries: new Map(), leaders: new Map() }
        const shown: Shown[] = []
        const leaders: string[] = []
        const watching = (async () => {
          for await (const { instances, revision } of registry(store, 's').watch()) {
            const entries = instances.map((each) => `s/${each.id}=${each.value}`).join(' ')
            shown.push({ revision, entries })
            await turns(delays[shown.length % delays.length] ?? 0)
          }
        })()
        const observing = (async () => {
          for await (const leader of election(store, 's').observe()) {
            leaders.push(`${leader?.key}=${leader?.value}`)
            await turns(delays[leaders.length % delays.length] ?? 0)
          }
        })()
        const isCompacted = await make(store, changes, states)
        await turns(100)
        await store.close()
        await Promise.all([watching, observing])
        for (const { revision, entries } of shown)
          expect(entries).toBe(states.entries.get(revision))
        const revisions = shown.map(({ revision }) => revision)
        expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b))
        const inTurn = [...states.leaders.values()]
        const distinct = inTurn.filter((leader, i) => leader !== inTurn[i - 1])
        expect(leaders.at(-1)).toBe(inTurn.at(-1))
        if (!isCompacted) {
          const all = [...states.entries.keys()]
          expect(revisions).toEqual(all.slice(all.indexOf(revisions[0] ?? -1)))
          expect(distinct.slice(-leaders.length)).toEqual(leaders)
        }
        expect(shown.at(-1)?.entries).toBe([...states.entries.values()].at(-1))
      },
    )
    await fc.assert(property, { numRuns: RUNS, seed })
  })
})
