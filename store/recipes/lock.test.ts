import { describe, expect, test } from 'vitest'
import { codeOf } from '../../proptest/behaviour/backend.ts'
import { ClockedStore } from '../../proptest/recipes/clocked-store.ts'
import { put } from '../op.ts'
import { lock, tryLock } from './lock.ts'
import type { Lock, LockOptions } from './lock.ts'
import { openSession } from './session.ts'

/** A lock that is asked for, and whether it is there. */
function ask(life: ClockedStore, options?: LockOptions): { lock: Promise<Lock>; isHeld: boolean } {
  const asked = { lock: lock(life.store, 'l', options), isHeld: false }
  asked.lock.then(
    () => (asked.isHeld = true),
    () => {},
  )
  return asked
}

describe('lock()', () => {
  test('holds a key that etcd names alike, whose creation is the fencing token', async () => {
    await using life = await ClockedStore.open()
    await using held = await lock(life.store, 'l', { ttlSeconds: 5 })
    const kv = await life.store.get(held.key)
    expect(held.key).toBe(`l/${held.lease.toString(16)}`)
    expect(kv).toMatchObject({ value: '', createRevision: held.revision, lease: held.lease })
    expect((await life.store.lease(held.lease))?.ttlSeconds).toBe(5)
    expect(held.signal.aborted).toBe(false)
  })

  test('comes to those who wait in their order, with higher tokens', async () => {
    await using life = await ClockedStore.open()
    const first = ask(life)
    await life.settle()
    const second = ask(life)
    await life.settle()
    const third = ask(life)
    await life.settle()
    expect([first.isHeld, second.isHeld, third.isHeld]).toEqual([true, false, false])
    await (await first.lock).release()
    await life.settle()
    expect([second.isHeld, third.isHeld]).toEqual([true, false])
    await (await second.lock)[Symbol.asyncDispose]()
    const tokens = [await first.lock, await second.lock, await third.lock].map((l) => l.revision)
    expect(tokens).toEqual(tokens.toSorted((a, b) => a - b))
    expect(new Set(tokens).size).toBe(3)
    await (await third.lock).release()
    expect([await life.keys(), await life.store.leases()]).toEqual([[], []])
  })

  test('is kept as long as its holder lives', async () => {
    await using life = await ClockedStore.open()
    const held = await lock(life.store, 'l', { ttlSeconds: 2 })
    const second = ask(life)
    for (let i = 0; i < 20; i++) await life.elapse(700)
    expect([held.signal.aborted, second.isHeld]).toEqual([false, false])
    await held.release()
    await held.release()
    await (await second.lock).release()
  })

  test('that is lost aborts its signal, goes to the next one, and guards nothing', async () => {
    await using life = await ClockedStore.open()
    const { store } = life
    const held = await lock(store, 'l')
    const second = ask(life)
    await life.settle()
    const write = { compare: [held.guard], success: [put('data', '1')] }
    expect((await store.txn(write)).succeeded).toBe(true)
    await store.revoke(held.lease)
    await life.settle()
    expect([held.signal.aborted, second.isHeld]).toEqual([true, true])
    expect(held.signal.reason).toMatchObject({ code: 'KV_LEASE_NOT_FOUND' })
    expect((await store.txn(write)).succeeded).toBe(false)
    await held.release()
    await (await second.lock).release()
  })

  test('is lost with its key, which others may delete', async () => {
    await using life = await ClockedStore.open()
    const held = await lock(life.store, 'l')
    await life.store.put(held.key, 'said')
    await life.settle()
    expect(held.signal.aborted).toBe(false)
    await life.store.delete(held.key)
    await life.settle()
    expect(held.signal.aborted).toBe(true)
    await held.release()
  })

  test('is not waited for any more when its session ends, or the store', async () => {
    await using life = await ClockedStore.open()
    const held = await lock(life.store, 'l')
    const session = await openSession(life.store)
    const second = ask(life, { session })
    const third = ask(life)
    await life.settle()
    await life.store.revoke(session.id)
    await life.elapse(30_000)
    expect(await codeOf(() => second.lock)).toBe('KV_LEASE_NOT_FOUND')
    const code = codeOf(() => third.lock)
    await life.store.close()
    expect(['KV_CLOSED', 'KV_LEASE_NOT_FOUND']).toContain(await code)
    expect(held.signal.aborted).toBe(true)
  })

  test('is waited for through compactions', async () => {
    await using life = await ClockedStore.open()
    const held = await lock(life.store, 'l')
    const second = ask(life)
    await life.settle()
    const { revision } = await life.store.put('other', '1')
    await life.store.compact(revision)
    await held.release()
    await (await second.lock).release()
  })

  test('an aborted wait gives up its place', async () => {
    await using life = await ClockedStore.open()
    const held = await lock(life.store, 'l')
    const controller = new AbortController()
    const second = ask(life, { signal: controller.signal })
    const third = ask(life)
    await life.settle()
    expect((await life.keys()).length).toBe(3)
    controller.abort(new Error('enough'))
    await expect(second.lock).rejects.toThrow('enough')
    expect((await life.keys()).length).toBe(2)
    await held.release()
    await (await third.lock).release()
    await expect(lock(life.store, 'l', { signal: controller.signal })).rejects.toThrow('enough')
    expect(await life.store.leases()).toEqual([])
  })

  test('hangs on a session that is given, which outlives it', async () => {
    await using life = await ClockedStore.open()
    await using session = await openSession(life.store, { ttlSeconds: 9 })
    const held = await lock(life.store, 'l', { session })
    const other = await lock(life.store, 'm', { session })
    expect(await codeOf(() => lock(life.store, 'l', { session }))).toBe('KV_EXISTS')
    expect(await life.keys()).toEqual([held.key, other.key])
    await held.release()
    expect(await life.keys()).toEqual([other.key])
    expect(session.lost.aborted).toBe(false)
    await session.close()
    await life.settle()
    expect(other.signal.aborted).toBe(true)
  })

  test('refuses wrong arguments by name', async () => {
    await using life = await ClockedStore.open()
    await using session = await openSession(life.store)
    const call = (name: unknown, options: unknown): Promise<unknown> =>
      lock(life.store, name as string, options as LockOptions)
    await expect(call(1, {})).rejects.toThrow(/^name: /)
    await expect(call('', {})).rejects.toThrow(/^name: /)
    await expect(call('l', { ttl: 1 })).rejects.toThrow(/^ttl: /)
    await expect(call('l', { ttlSeconds: '1' })).rejects.toThrow(/^ttlSeconds: /)
    await expect(call('l', { ttlSeconds: 1, session })).rejects.toThrow(/^ttlSeconds: /)
    await expect(call('l', { session: 5n })).rejects.toThrow(/^session: /)
    expect(await life.keys()).toEqual([])
  })
})

describe('tryLock()', () => {
  test('takes a lock that is free, and leaves nothing behind where it is not', async () => {
    await using life = await ClockedStore.open()
    const held = await tryLock(life.store, 'l')
    expect(held).toBeDefined()
    const { revision } = await life.store.status()
    expect(await tryLock(life.store, 'l')).toBeUndefined()
    expect((await life.store.status()).revision).toBe(revision)
    await held?.release()
    const both = await Promise.all([tryLock(life.store, 'l'), tryLock(life.store, 'l')])
    expect(both.filter((each) => each !== undefined).length).toBe(1)
    for (const each of both) await each?.release()
    expect([await life.keys(), await life.store.leases()]).toEqual([[], []])
  })
})
