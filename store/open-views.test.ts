import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openOn } from './open.ts'
import { nextTurn } from './pause.ts'
import type { BuiltLocalStore } from './types.ts'
import type { View } from './types/view.ts'

setFlagsFromString('--expose-gc')
const collectGarbage: unknown = runInNewContext('gc')

/** Collects garbage, and lets what waits for that run, until it is so, or many times. */
async function collectUntil(isSo: () => boolean): Promise<boolean> {
  if (typeof collectGarbage !== 'function') throw new Error('garbage can not be collected')
  for (let i = 0; i < 30 && !isSo(); i++) {
    collectGarbage()
    for (let turn = 0; turn < 3; turn++) await nextTurn()
  }
  return isSo()
}

/** Collects garbage often enough to find what nobody holds. */
async function collectThoroughly(store: BuiltLocalStore): Promise<void> {
  const before = store.stats().viewCount
  // Something that is found shows that others would have been.
  forget(store)
  await collectUntil(() => store.stats().viewCount <= before)
  await collectUntil(() => false)
}

function forget(store: BuiltLocalStore): void {
  store.view()
}

/** Keeps its view in itself, where the stack that opened the view can lead to it. */
class Keeper {
  view: View | undefined

  open(store: BuiltLocalStore): void {
    this.view = store.view()
  }
}

function heard(): {
  readonly logger: { warn(message: string): void }
  readonly warnings: string[]
} {
  const warnings: string[] = []
  return { warnings, logger: { warn: (message) => void warnings.push(message) } }
}

describe('a view that is collected as garbage', () => {
  test('is closed, and warned of', async () => {
    const { logger, warnings } = heard()
    await using store = await openOn(new MemoryDisk(), '/data', { logger })
    const forgetAll = (): void => {
      store.view()
      store.snapshot()
      store.view().close()
    }
    forgetAll()
    expect(store.stats().viewCount).toBe(2)
    expect(await collectUntil(() => store.stats().viewCount === 0)).toBe(true)
    expect(await collectUntil(() => warnings.length === 2)).toBe(true)
    expect(warnings[0]).toMatch(/without having been closed/)
  })

  test('is found though its stack is known, and whoever holds it is in that', async () => {
    const { logger, warnings } = heard()
    const options = { logger, maxViewAgeMs: 1_000_000 }
    await using store = await openOn(new MemoryDisk(), '/data', options)
    new Keeper().open(store)
    expect(await collectUntil(() => warnings.length > 0)).toBe(true)
    expect(store.stats().viewCount).toBe(0)
  })

  test('lets go of what it held, without a logger too', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    await store.put('a', '1')
    await store.put('a', '2')
    await store.put('a', '3')
    forget(store)
    await store.compact(4, { physical: true })
    expect(await collectUntil(() => store.stats().viewCount === 0)).toBe(true)
  })
})

describe('a view that is still in use is left alone', () => {
  test('by who holds it', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    await store.put('a', '1')
    const view = store.view()
    const snapshot = store.snapshot()
    await collectThoroughly(store)
    expect(store.stats().viewCount).toBe(2)
    expect(view.get('a')?.value).toBe('1')
    expect((await snapshot.get('a'))?.value).toBe('1')
  })

  test('by an iteration of it', async () => {
    await using store = await openOn(new MemoryDisk(), '/data')
    await store.put('a', '1')
    await store.put('b', '1')
    const iterations = (() => [store.view().scan(), store.snapshot().scan()] as const)()
    expect(iterations[0].next().value).toMatchObject({ key: 'a' })
    expect((await iterations[1].next()).value).toMatchObject({ key: 'a' })
    await store.delete('b')
    await collectThoroughly(store)
    expect(iterations[0].next().value).toMatchObject({ key: 'b' })
    expect((await iterations[1].next()).value).toMatchObject({ key: 'b' })
  })
})
