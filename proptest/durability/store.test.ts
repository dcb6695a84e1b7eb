/**
 * The store's promise: what was acknowledged survives a power cut at any moment, nothing is half
 * there, and what readers saw before is never taken back.
 *
 * A workload of writes, some of them at once, runs on the disk in memory until the power goes at a
 * random operation. What the disk then holds is opened again: its history must be the history that
 * the calls make, up to some revision that is not below any acknowledged or read one. Then it goes
 * on from there.
 */
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { PowerCut } from '../../disk/fault-plan.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { Random } from '../../base/random.ts'
import { isKvError } from '../../base/errors.ts'
import { openEngine } from '../../engine/index.ts'
import { del, put } from '../../store/op.ts'
import { openOn } from '../../store/open.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import { effort, seed } from '../effort.ts'

type State = ReadonlyMap<string, string>

/** What the calls made so far add up to: the state at each revision. */
class History {
  readonly states: State[] = [new Map(), new Map()]

  get revision(): number {
    return this.states.length - 1
  }

  add(change: (state: Map<string, string>) => boolean): void {
    const next = new Map(this.states.at(-1))
    if (change(next)) this.states.push(next)
  }

  /** Forgets revisions after one: they did not happen. */
  cut(revision: number): void {
    this.states.length = revision + 1
  }
}

const show = (state: State): string[] =>
  [...state].map(([key, value]) => `${key}=${value}`).toSorted()

async function stateAt(store: BuiltLocalStore, revision: number): Promise<string[]> {
  const { kvs } = await store.range({ revision })
  return kvs.map((kv) => `${kv.key}=${kv.value}`).toSorted()
}

/** One write, as a call and as what it does to the history. */
function write(store: BuiltLocalStore, history: History, random: Random): Promise<unknown> {
  const key = (): string => `k${random.below(12)}`
  const kind = random.below(10)
  const value = `${history.revision}-${'x'.repeat(random.chance(0.1) ? 6000 : random.below(200))}`
  const set = (name: string): void => history.add((state) => Boolean(state.set(name, value)))
  if (kind < 6) {
    const name = key()
    set(name)
    return store.put(name, value)
  }
  if (kind < 8) {
    const name = key()
    history.add((state) => state.delete(name))
    return store.delete(name)
  }
  if (kind === 8) {
    history.add((state) => {
      const names = [...state.keys()].filter((name) => name.startsWith('k1'))
      for (const name of names) state.delete(name)
      return names.length > 0
    })
    return store.delete({ prefix: 'k1' })
  }
  history.add((state) => {
    state.delete('k3')
    return Boolean(state.set('k1', value).set('k2', value))
  })
  return store.txn({ success: [put('k1', value), del('k3'), put('k2', value)] })
}

interface Floor {
  /** The highest revision that a call's answer has told. */
  revision: number
}

/** Writes until the power goes, or to the end; `floor` rises with every answer. */
async function work(
  store: BuiltLocalStore,
  history: History,
  options: { readonly random: Random; readonly floor: Floor; readonly turns: number },
): Promise<void> {
  const { random, floor, turns } = options
  const told = (answer: unknown): void => {
    if (typeof answer !== 'object' || answer === null || !('revision' in answer)) return
    if (typeof answer.revision === 'number')
      floor.revision = Math.max(floor.revision, answer.revision)
  }
  for (let turn = 0; turn < turns; turn++) {
    const calls: Promise<unknown>[] = []
    for (let i = random.below(4); i >= 0; i--) calls.push(write(store, history, random))
    calls.push(store.range({ limit: 1 }))
    const results = await Promise.allSettled(calls.map((call) => call.then(told)))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }
}

function isPowerCut(error: unknown): boolean {
  if (error instanceof PowerCut) return true
  return isKvError(error) && (error.cause instanceof PowerCut || isPowerCut(error.cause))
}

const TIMEOUT_MS = 24 * 60 * 60 * 1000

/** How often the power goes in one case. */
const LIVES = 3

async function lifeUntilPowerCut(caseSeed: number, cutAt: number | undefined): Promise<MemoryDisk> {
  const random = new Random(caseSeed)
  let disk = new MemoryDisk({ seed: caseSeed })
  const history = new History()
  const floor: Floor = { revision: 1 }
  for (let life = 0; life <= LIVES; life++) {
    // The last life only looks at what the ones before left.
    if (cutAt !== undefined && life < LIVES) disk.cutPowerAt(1 + ((cutAt + life * 37) % 120))
    let store: BuiltLocalStore | undefined
    try {
      store = await openOn(disk, '/data')
      const { revision } = await store.status()
      expect(revision).toBeGreaterThanOrEqual(floor.revision)
      expect(revision).toBeLessThanOrEqual(history.revision)
      history.cut(revision)
      for (let at = 1; at <= revision; at++) {
        expect(await stateAt(store, at)).toEqual(show(history.states[at] ?? new Map()))
      }
      await work(store, history, { random, floor, turns: 12 })
      await store.close()
    } catch (error) {
      if (!isPowerCut(error)) throw error
      await store?.close().catch(() => {})
    }
    disk = disk.afterPowerLoss(random.fork())
  }
  return disk
}

describe('the store on a disk that loses power', () => {
  test(
    'keeps what was acknowledged, whole, and what was read',
    { timeout: TIMEOUT_MS },
    async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.nat(),
          fc.option(fc.nat(120), { freq: 20, nil: undefined }),
          async (caseSeed, cutAt) => {
            const disk = await lifeUntilPowerCut(caseSeed, cutAt)
            // The file under it is sound too, whatever the moment.
            if (!disk.exists('/data/db')) return
            const engine = await openEngine('/data/db', { disk })
            expect(engine.check().findings).toEqual([])
            await engine.close()
          },
        ),
        { seed, numRuns: effort({ smoke: 40, ci: 1000, soak: 50_000 }) },
      )
    },
  )
})
