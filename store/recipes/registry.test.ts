import { describe, expect, test } from 'vitest'
import { codeOf } from '../../proptest/behaviour/backend.ts'
import { ClockedStore } from '../../proptest/recipes/clocked-store.ts'
import { registry, registryOn } from './registry.ts'
import type { Instances, Registry } from './registry.ts'

async function listed(services: Registry): Promise<string[]> {
  return (await services.list()).instances.map(({ id, value }) => `${id}=${value}`)
}

describe('registry()', () => {
  test('lists who is registered, by key', async () => {
    await using life = await ClockedStore.open()
    const services = registry(life.store, 'api')
    const b = await services.register('b', '10.0.0.2:80')
    const a = await services.register('a', '10.0.0.1:80', { ttlSeconds: 5 })
    expect(await listed(services)).toEqual(['a=10.0.0.1:80', 'b=10.0.0.2:80'])
    expect(a.key).toBe('api/a')
    await b.close()
    await b.close()
    expect(await listed(services)).toEqual(['a=10.0.0.1:80'])
    await a[Symbol.asyncDispose]()
    expect([await listed(services), await life.store.leases()]).toEqual([[], []])
  })

  test('registers again when the lease was lost, until it is closed', async () => {
    await using life = await ClockedStore.open()
    const services = registryOn(life.store, 'api', { clock: life.clock })
    const a = await services.register('a', 'x', { ttlSeconds: 2 })
    for (let i = 0; i < 3; i++) {
      const [lease] = await life.store.leases()
      await life.store.revoke(lease ?? 0n)
      expect(await listed(services)).toEqual([])
      await life.elapse(2000)
      expect(await listed(services)).toEqual(['a=x'])
      expect(await life.store.leases()).not.toContain(lease)
    }
    await a.close()
    await life.elapse(10_000)
    expect([await listed(services), await life.store.leases()]).toEqual([[], []])
  })

  test('tries again until it can register again, and no longer than it is wanted', async () => {
    await using life = await ClockedStore.open()
    let refusals = 0
    const flaky = {
      ...callsOf(life),
      grant: async (options: Parameters<typeof life.store.grant>[0]) => {
        if (refusals-- > 0) throw new Error('no answer')
        return await life.store.grant(options)
      },
    }
    const services = registryOn(flaky, 'api', { clock: life.clock })
    const a = await services.register('a', 'x', { ttlSeconds: 2 })
    const [lease] = await life.store.leases()
    refusals = 3
    await life.store.revoke(lease ?? 0n)
    await life.elapse(700)
    expect(await listed(services)).toEqual([])
    await life.elapse(1000)
    expect(await listed(services)).toEqual(['a=x'])
    refusals = 100
    await life.store.revoke((await life.store.leases())[0] ?? 0n)
    await life.elapse(5000)
    await a.close()
    const { timerCount } = life.clock
    await life.elapse(10_000)
    expect([await listed(services), timerCount]).toEqual([[], 0])
  })

  test('a registration in place of another is not taken away with it', async () => {
    await using life = await ClockedStore.open()
    const services = registry(life.store, 'api')
    const before = await services.register('a', 'old')
    const after = await services.register('a', 'new')
    await before.close()
    expect(await listed(services)).toEqual(['a=new'])
    await after.close()
  })

  test('watch() shows all, then each change, without a gap', async () => {
    await using life = await ClockedStore.open()
    const services = registry(life.store, 'api')
    const a = await services.register('a', '1')
    const seen: string[] = []
    const show = ({ instances }: Instances<string>): string =>
      instances.map(({ id, value }) => `${id}=${value}`).join(' ')
    const watching = (async () => {
      for await (const current of services.watch()) seen.push(show(current))
    })()
    await life.settle()
    const b = await services.register('b', '2')
    await life.store.put('apiary', 'another')
    await life.store.revoke((await life.store.get('api/a'))?.lease ?? 0n)
    await b.close()
    await life.settle()
    await life.store.close()
    await watching
    expect(seen).toEqual(['a=1', 'a=1 b=2', 'b=2', ''])
    await a.close()
    expect(a.ended.aborted).toBe(true)
  })

  test('ends with the store, and refuses wrong arguments by name', async () => {
    await using life = await ClockedStore.open()
    const services = registry(life.store, 'api')
    await expect(services.register('', 'x')).rejects.toThrow(/^id: /)
    await expect(services.register(1 as never, 'x')).rejects.toThrow(/^id: /)
    await expect(services.register('a', 1 as never)).rejects.toThrow(/^value: /)
    expect(await life.store.leases()).toEqual([])
    const a = await services.register('a', 'x')
    await life.store.close()
    await life.settle()
    expect(a.ended.aborted).toBe(true)
    expect(await codeOf(() => services.list())).toBe('KV_CLOSED')
    await a.close()
  })
})

function callsOf({
  store,
}: ClockedStore): Pick<
  typeof store,
  'get' | 'range' | 'put' | 'txn' | 'transact' | 'watch' | 'grant' | 'revoke' | 'keepAlive'
> {
  return {
    get: store.get.bind(store),
    range: store.range.bind(store),
    put: store.put.bind(store),
    transact: store.transact.bind(store),
    txn: store.txn.bind(store),
    watch: store.watch.bind(store),
    grant: store.grant.bind(store),
    revoke: store.revoke.bind(store),
    keepAlive: store.keepAlive.bind(store),
  }
}
