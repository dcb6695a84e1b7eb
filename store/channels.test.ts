import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, test } from 'vitest'
import { FakeClock } from '../base/clock.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { SLOW_MS, StoreChannels } from './channels.ts'
import { openOn } from './open.ts'
import { get } from './op.ts'
import { nextTurn } from './pause.ts'
import type {
  CheckpointMessage,
  CommitMessage,
  RecoverMessage,
  SlowMessage,
} from './types/channels.ts'

const ended: (() => void)[] = []
afterEach(() => {
  for (const end of ended.splice(0)) end()
})

/** What is told on a channel from now on, of the store in `path`. */
function heardOn<M extends { readonly path: string }>(name: string, path = '/data'): M[] {
  const heard: M[] = []
  const listener = (message: unknown): void => {
    const told = message as M
    if (told.path === path) heard.push(told)
  }
  subscribe(name, listener)
  ended.push(() => void unsubscribe(name, listener))
  return heard
}

describe('diagnostics channels', () => {
  test('revbolt:commit tells every write once, with those that shared its record', async () => {
    const commits = heardOn<CommitMessage>('revbolt:commit')
    const store = await openOn(new MemoryDisk(), '/data')
    await Promise.all(Array.from({ length: 50 }, (_, i) => store.put(`k${i}`, 'secret')))
    store.putSync('one', 'secret')
    await store.txn({ success: [get('one')] })
    await store.put('two', 'secret')
    await nextTurn()
    const counts = commits.map(({ writeCount }) => writeCount)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(52)
    expect(counts.length).toBeLessThan(52)
    expect(commits.map(({ revision }) => revision)).toEqual(
      commits.map(({ revision }) => revision).toSorted((a, b) => a - b),
    )
    expect(commits.at(-1)).toEqual({
      path: '/data',
      revision: 53,
      writeCount: 1,
      tookMs: expect.any(Number) as number,
    })
    expect(JSON.stringify(commits)).not.toContain('secret')
    await store.close()
  })

  test('revbolt:commit does not tell a commit whose sync failed', async () => {
    const commits = heardOn<CommitMessage>('revbolt:commit')
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data')
    await store.put('a', '1')
    const segment = disk.list('/data/wal').findLast((name) => name.endsWith('.wal'))
    disk.injectFault({ kind: 'sync', path: `/data/wal/${segment}`, code: 'EIO' })
    await expect(store.put('a', '2')).rejects.toThrow(/EIO|disk/)
    await nextTurn()
    expect(commits.map(({ revision }) => revision)).toEqual([2])
    await store.close().catch(() => {})
  })

  test('revbolt:slow tells the commits that took longer than 100 ms, and only those', async () => {
    const slow = heardOn<SlowMessage>('revbolt:slow')
    const clock = new FakeClock()
    const channels = new StoreChannels('/data', clock)
    for (const tookMs of [1, SLOW_MS, SLOW_MS + 1]) {
      const tell = channels.sent(2)
      clock.advance(tookMs)
      tell?.({ revision: 3 })
    }
    await nextTurn()
    const message = { path: '/data', revision: 3, writeCount: 2, tookMs: SLOW_MS + 1 }
    expect(slow).toEqual([{ ...message, what: 'commit' }])
  })

  test('revbolt:checkpoint and revbolt:recover tell of the data file', async () => {
    const checkpoints = heardOn<CheckpointMessage>('revbolt:checkpoint')
    const recoveries = heardOn<RecoverMessage>('revbolt:recover')
    const disk = new MemoryDisk()
    const store = await openOn(disk, '/data', { checkpointBytes: 1000 })
    for (let i = 0; i < 50; i++) await store.put('a', 'v'.repeat(100))
    const txids = checkpoints.map(({ txid }) => txid)
    expect(txids.length).toBeGreaterThan(2)
    expect(txids).toEqual([...new Set(txids)].toSorted((a, b) => a - b))
    await store.put('a', 'last')
    const killed = disk.processKilled()
    await store.close()
    const again = await openOn(killed, '/data')
    await nextTurn()
    expect(recoveries).toHaveLength(2)
    expect(recoveries[0]).toMatchObject({ path: '/data', revision: 1, replayedCommits: 0 })
    expect(recoveries[1]).toMatchObject({ ...again.recovery, revision: 52 })
    expect(again.recovery.replayedCommits).toBeGreaterThan(0)
    await again.close()
  })

  test('a listener may use the store', async () => {
    const store = await openOn(new MemoryDisk(), '/data')
    const listener = (): void => {
      unsubscribe('revbolt:commit', listener)
      store.putSync('from the listener', '1')
    }
    subscribe('revbolt:commit', listener)
    await store.put('a', '1')
    await nextTurn()
    expect((await store.get('from the listener'))?.value).toBe('1')
    await store.close()
  })
})
