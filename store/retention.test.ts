import { describe, expect, test } from 'vitest'
import { systemClock } from '../base/clock.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openOn } from './open.ts'
import { nextTurn } from './pause.ts'
import type { BuiltLocalStore, BuiltOpenOptions } from './types.ts'

async function putMany(store: BuiltLocalStore, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => store.put(`k${i % 7}`, String(i))))
}

/** The compacted revision once nothing changes it any more. */
async function settled(store: BuiltLocalStore): Promise<number> {
  for (let before = -1; ;) {
    const { compactedRevision = 0 } = await store.status()
    if (compactedRevision === before) return before
    before = compactedRevision
    for (let i = 0; i < 200; i++) await nextTurn()
  }
}

describe('retain', () => {
  test('by revisions: the newest can be read, and not many more', async () => {
    await using store = await openOn(new MemoryDisk(), '/store', { retain: { revisions: 50 } })
    for (let round = 0; round < 6; round++) {
      await putMany(store, 700)
      const { revision } = await store.status()
      const compacted = await settled(store)
      expect(revision - compacted).toBeGreaterThanOrEqual(50)
      expect(revision - compacted).toBeLessThan(50 + 1000 + 700)
      expect((await store.get('k1', { revision: revision - 50 }))?.key).toBe('k1')
    }
    expect(await settled(store)).toBeGreaterThan(2000)
  })

  test('by age: what was current within it can be read', async () => {
    let nowMs = 1000
    const clock = { ...systemClock, monotonicMs: () => nowMs }
    const retain = { ageMs: 60_000 }
    await using store = await openOn(new MemoryDisk(), '/store', { retain }, { clock })
    await putMany(store, 3000)
    expect(await settled(store)).toBe(0)
    nowMs += 30_000
    await putMany(store, 2000)
    expect(await settled(store)).toBe(0)
    nowMs += 31_000
    // The revision that was current a minute ago is one of the first 3000.
    await putMany(store, 1)
    expect(await settled(store)).toBeLessThanOrEqual(3001)
    nowMs += 60_000
    await putMany(store, 1)
    const compacted = await settled(store)
    expect(compacted).toBeGreaterThan(3001)
    expect(compacted).toBeLessThanOrEqual(5003)
  })

  test("'all', and nothing, keep everything", async () => {
    for (const options of [{ retain: 'all' }, {}] as const) {
      await using store = await openOn(new MemoryDisk(), '/store', options)
      await putMany(store, 3000)
      expect(await settled(store)).toBe(0)
    }
  })

  test.each([
    [{ retain: 'some' }, RangeError, /^retain: expected 'all'/],
    [{ retain: 5 }, TypeError, /^retain: expected 'all' or an object, got/],
    [{ retain: {} }, TypeError, /^retain: expected either/],
    [{ retain: { revisions: 5, ageMs: 5 } }, TypeError, /^retain: expected either/],
    [{ retain: { revisions: 0 } }, RangeError, /^retain.revisions: 0 is no integer from 1/],
    [{ retain: { days: 1 } }, TypeError, /^retain.days: there is no such option/],
  ])('refuses %j', async (options, kind, message) => {
    const call = openOn(new MemoryDisk(), '/store', options as BuiltOpenOptions)
    const error: unknown = await call.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(kind)
    expect(error).toHaveProperty('message', expect.stringMatching(message))
  })
})
