import { describe, expect, test } from 'vitest'
import { codeOf } from '../../proptest/behaviour/backend.ts'
import { ClockedStore } from '../../proptest/recipes/clocked-store.ts'
import { election } from './election.ts'

describe('election()', () => {
  test('has one leader at a time, who says something until it steps down', async () => {
    await using life = await ClockedStore.open()
    const vote = election(life.store, 'e')
    expect(await vote.leader()).toBeUndefined()
    const ann = await vote.campaign('ann')
    const bob = vote.campaign('bob')
    await life.settle()
    expect(await vote.leader()).toMatchObject({
      key: ann.key,
      value: 'ann',
      createRevision: ann.revision,
    })
    await ann.proclaim('ann again')
    expect((await vote.leader())?.value).toBe('ann again')
    await ann.release()
    const second = await bob
    expect((await vote.leader())?.value).toBe('bob')
    expect(second.revision).toBeGreaterThan(ann.revision)
    expect(await codeOf(() => ann.proclaim('still me'))).toBe('KV_LEASE_NOT_FOUND')
    await second.release()
    expect(await vote.leader()).toBeUndefined()
  })

  test('observe() shows each leader and each thing said, in order', async () => {
    await using life = await ClockedStore.open()
    const vote = election(life.store, 'e')
    const seen: (string | undefined)[] = []
    const observing = (async () => {
      for await (const leader of vote.observe()) seen.push(leader?.value)
    })()
    await life.settle()
    const ann = await vote.campaign('ann')
    const bob = vote.campaign('bob')
    await life.settle()
    await ann.proclaim('ann 2')
    await life.store.put('e/other', 'a late one')
    await life.store.revoke(ann.lease)
    await (await bob).release()
    await life.store.delete('e/other')
    await life.settle()
    await life.store.close()
    await observing
    expect(seen).toEqual([undefined, 'ann', 'ann 2', 'bob', 'a late one', undefined])
    expect(ann.signal.aborted).toBe(true)
  })

  test('observe() goes on where history was compacted before it was read', async () => {
    await using life = await ClockedStore.open()
    const vote = election(life.store, 'e')
    const observing = vote.observe()
    const next = async (): Promise<string | undefined> => (await observing.next()).value?.value
    expect(await next()).toBeUndefined()
    const ann = await vote.campaign('ann')
    for (let i = 0; i < 3; i++) await ann.proclaim(`ann ${i}`)
    await life.store.compact((await life.store.status()).revision)
    expect(await next()).toBe('ann 2')
    const bob = vote.campaign('bob')
    await life.settle()
    await ann.release()
    expect(await next()).toBe('bob')
    await observing.return?.()
    await (await bob).release()
  })

  test('refuses wrong arguments by name', async () => {
    await using life = await ClockedStore.open()
    expect(() => election(life.store, '')).toThrow(/^name: /)
    const vote = election(life.store, 'e')
    await expect(vote.campaign(5 as never)).rejects.toThrow(/value: /)
    expect([await life.keys(), await life.store.leases()]).toEqual([[], []])
    expect(() => vote.observe({ sgnal: 1 } as object)).toThrow(/^sgnal: /)
  })
})
