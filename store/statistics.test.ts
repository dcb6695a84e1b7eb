import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../base/clock.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { seed } from '../proptest/effort.ts'
import { openOn } from './open.ts'
import type { BuiltLocalStore } from './types.ts'

const codeOf = async (call: Promise<unknown>): Promise<unknown> => {
  try {
    await call
    return 'returned'
  } catch (error) {
    return (error as { code?: unknown }).code ?? error
  }
}

/** What was written of one key, in order; a deletion is no value. */
interface Change {
  readonly revision: number
  readonly exists: boolean
}

/** What should be there, worked out from all that was written. */
class Oracle {
  revision = 1
  compacted = 0
  readonly #changes = new Map<string, Change[]>()

  write(key: string, exists: boolean): void {
    const changes = this.#changes.get(key) ?? []
    changes.push({ revision: this.revision, exists })
    this.#changes.set(key, changes)
  }

  exists(key: string): boolean {
    return this.#changes.get(key)?.at(-1)?.exists ?? false
  }

  get keyCount(): number {
    return [...this.#changes.keys()].filter((key) => this.exists(key)).length
  }

  get revisionCount(): number {
    let count = 0
    for (const changes of this.#changes.values()) {
      const first = changes.findLastIndex(({ revision }) => revision <= this.compacted)
      const oldest = changes[first]
      const isKept = oldest?.exists === true || oldest?.revision === this.compacted
      count += changes.length - (first < 0 ? 0 : isKept ? first : first + 1)
    }
    return count
  }
}

const KEYS = ['a', 'b', 'c', 'd']
const key = fc.constantFrom(...KEYS)
const command = fc.oneof(
  { weight: 8, arbitrary: fc.record({ call: fc.constant('put' as const), key }) },
  { weight: 4, arbitrary: fc.record({ call: fc.constant('delete' as const), key }) },
  { weight: 3, arbitrary: fc.record({ call: fc.constant('turn' as const), key }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constant('compact' as const), back: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ call: fc.constantFrom('view', 'reopen') }) },
)
type Command = typeof command extends fc.Arbitrary<infer T> ? T : never

async function run(store: BuiltLocalStore, oracle: Oracle, step: Command): Promise<void> {
  switch (step.call) {
    case 'put':
      await store.put(step.key, 'v')
      oracle.revision++
      oracle.write(step.key, true)
      return
    case 'delete': {
      await store.delete(step.key)
      if (!oracle.exists(step.key)) return
      oracle.revision++
      oracle.write(step.key, false)
      return
    }
    case 'turn': {
      // The second fails after its first write and takes the turn's transaction with it.
      const success = [
        { type: 'put', key: step.key, value: 'w' },
        { type: 'get', key: 'undecodable' },
      ] as const
      const before = store.put('first', 'v')
      expect(await codeOf(store.txn({ success }))).toBe('KV_DECODE')
      await before
      oracle.revision++
      oracle.write('first', true)
      return
    }
    case 'compact': {
      const through = oracle.revision - step.back
      if (through <= oracle.compacted) return
      await store.compact(through, { physical: true })
      oracle.compacted = through
      return
    }
    case 'view':
      store.view()
      return
    case 'reopen':
  }
}

describe('stats()', () => {
  test('counts what is there after any writes, failed turns, compactions and openings', async () => {
    const check = async (commands: readonly Command[]): Promise<void> => {
      const disk = new MemoryDisk()
      const oracle = new Oracle()
      let store = await openOn(disk, '/data')
      await store.put('undecodable', new Uint8Array([0xff]))
      oracle.revision++
      oracle.write('undecodable', true)
      for (const step of commands) {
        await run(store, oracle, step)
        if (step.call === 'reopen') {
          await store.close()
          store = await openOn(disk, '/data')
        }
        const { revision, compactedRevision, keyCount, revisionCount } = store.stats()
        expect({ revision, compactedRevision, keyCount, revisionCount }).toEqual({
          revision: oracle.revision,
          compactedRevision: oracle.compacted,
          keyCount: oracle.keyCount,
          revisionCount: oracle.revisionCount,
        })
      }
      await store.close()
    }
    const sequence = fc.array(command, { maxLength: 30 })
    await fc.assert(fc.asyncProperty(sequence, check), { numRuns: 30, seed })
  })

  test('tells what is durable, not what is on its way', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    const counts = (): readonly number[] => {
      const { revision, keyCount, revisionCount, leaseCount } = store.stats()
      return [revision, keyCount, revisionCount, leaseCount]
    }
    await store.put('a', '1')
    const before = counts()
    expect(before).toEqual([2, 1, 1, 0])
    const writing = Promise.all([store.put('b', '1'), store.grant({ ttlSeconds: 60 })])
    let seen = 0
    while (store.stats().revision === 2) {
      expect(counts()).toEqual(before)
      seen++
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(seen).toBeGreaterThan(1)
    await writing
    expect(counts()).toEqual([3, 2, 2, 1])
    // Durable at once, and told of before those that were on their way.
    const queued = store.put('c', '1')
    store.putSync('d', '1')
    expect(counts()).toEqual([5, 4, 4, 1])
    await queued
    expect(counts()).toEqual([5, 4, 4, 1])
  })

  test('counts views, snapshots, watches and leases, and how old the oldest view is', async () => {
    const clock = new FakeClock()
    await using store = await openOn(new MemoryDisk(), '/data', {}, { clock })
    const numbers = (): readonly number[] => {
      const { viewCount, oldestViewMs, watchCount, leaseCount } = store.stats()
      return [viewCount, oldestViewMs, watchCount, leaseCount]
    }
    expect(numbers()).toEqual([0, 0, 0, 0])
    const view = store.view()
    clock.advance(100)
    const snapshot = store.snapshot()
    const watch = store.watch({ prefix: 'a' })
    const { id } = await store.grant({ ttlSeconds: 60 })
    clock.advance(50)
    expect(numbers()).toEqual([2, 150, 1, 1])
    view.close()
    expect(numbers()).toEqual([1, 50, 1, 1])
    await snapshot.close()
    await watch.cancel()
    await store.revoke(id)
    expect(numbers()).toEqual([0, 0, 0, 0])
  })

  test('knows sizes, what waits, and what a crash would leave to do again', async () => {
    const disk = new MemoryDisk()
    let store = await openOn(disk, '/data')
    const empty = store.stats()
    const value = 'v'.repeat(1000)
    const writing = Promise.all(Array.from({ length: 500 }, (_, i) => store.put(`k${i}`, value)))
    expect(store.stats().pendingBytes).toBeGreaterThan(500_000)
    await writing
    const full = store.stats()
    expect(full.pendingBytes).toBe(0)
    expect(full.logBytes - empty.logBytes).toBeGreaterThan(500_000)
    expect(full.indexBytes).toBeGreaterThan(0)
    expect(full).toMatchObject({ keyCount: 500, revisionCount: 500 })
    const { sizeBytes, sizeInUseBytes } = await store.status()
    expect(full).toMatchObject({ sizeBytes, sizeInUseBytes })
    expect(JSON.parse(JSON.stringify(full))).toMatchObject({ keyCount: '500' })
    await store.close()
    expect(() => store.stats()).toThrow(/closed/)
    store = await openOn(disk, '/data', { readOnly: true })
    expect(store.stats()).toMatchObject({ keyCount: 500, revisionCount: 500, logBytes: 0 })
    await store.close()
  })
})
