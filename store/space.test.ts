import { describe, expect, test } from 'vitest'
import { FakeClock } from '../base/clock.ts'
import { MemoryDisk } from '../disk/memory-disk.ts'
import { openEngine } from '../engine/index.ts'
import { ALARM_CORRUPT, encodeAlarmMember } from '../proto/alarm-member.ts'
import { del, put } from './op.ts'
import { openOn } from './open.ts'
import type { BuiltLocalStore, BuiltOpenOptions } from './types.ts'

const DATA = '/data'
const QUOTA = 256 * 1024
const VALUE = 'x'.repeat(1000)

function openWith(disk: MemoryDisk, options: BuiltOpenOptions = {}): Promise<BuiltLocalStore> {
  return openOn(disk, DATA, { quotaBytes: QUOTA, ...options })
}

/** Puts until one is refused; returns how many were not. */
async function fill(store: BuiltLocalStore, keyOf: (i: number) => string): Promise<number> {
  for (let i = 0; ; i++) {
    const { revision } = await store.status()
    try {
      await store.put(keyOf(i), VALUE)
    } catch (error) {
      expect(error).toMatchObject({ code: 'KV_NO_SPACE', outcome: 'none' })
      expect((await store.status()).revision).toBe(revision)
      return i
    }
  }
}

describe('quotaBytes', () => {
  test('refuses what adds, says what is full, and lets everything else go on', async () => {
    const disk = new MemoryDisk()
    await using store = await openWith(disk)
    const lease = await store.grant({ ttlSeconds: 100 })
    await store.put('leased', 'v', { lease })
    const count = await fill(store, (i) => `k${i}`)
    // Not sooner than it must: what is free is less than a few pages.
    const { sizeInUseBytes, revision } = await store.status()
    expect(sizeInUseBytes).toBeGreaterThan(QUOTA - 12 * 4096)
    expect(sizeInUseBytes).toBeLessThanOrEqual(QUOTA)

    const message = /\/data\/db: its data takes \d+ bytes and the write may add \d+: \d+ more than/
    await expect(store.put('k', VALUE)).rejects.toThrow(message)
    await expect(store.put('k', VALUE)).rejects.toThrow(/compact\(\).*delete\(\).*defragment\(\)/)
    expect(() => store.putSync('k', VALUE)).toThrow(message)
    await expect(store.txn({ success: [put('k', VALUE)] })).rejects.toThrow(message)
    await expect(store.grant({ ttlSeconds: 10 })).rejects.toThrow(message)
    expect((await store.status()).revision).toBe(revision)

    expect((await store.get('k0'))?.value).toBe(VALUE)
    expect((await store.range({ prefix: 'k', countOnly: true })).count).toBe(count)
    // Of a transaction what counts is what it comes to.
    const { succeeded } = await store.txn({
      compare: [{ key: 'k0', target: 'version', operator: '=', value: 0 }],
      success: [put('k0', VALUE)],
      failure: [del('k0')],
    })
    expect(succeeded).toBe(false)
    await store.renew(lease)
    await store.revoke(lease)
    expect(await store.get('leased')).toBeUndefined()
    expect((await store.delete('k1')).deleted).toBe(1)
    await store.compact((await store.status()).revision, { physical: true })
  })

  test('counts values that take pages of their own as the pages they take', async () => {
    await using store = await openWith(new MemoryDisk())
    const sizes = [2100, 3000, 5000, 30_000, 10]
    for (let i = 0; i < 40; i++) {
      const size = sizes[i % sizes.length] ?? 0
      await store.put(`k${i}`, 'x'.repeat(size)).catch(() => {})
      expect((await store.status()).sizeInUseBytes).toBeLessThanOrEqual(QUOTA)
    }
    await expect(store.put('k', 'x'.repeat(300_000))).rejects.toMatchObject({ code: 'KV_NO_SPACE' })
  })

  test('counts all the writes of a turn', async () => {
    // Time stands still, so that the turn's work is not cut.
    const options = { quotaBytes: QUOTA }
    await using store = await openOn(new MemoryDisk(), DATA, options, { clock: new FakeClock() })
    const puts = Array.from({ length: 600 }, (_, i) => store.put(`k${i}`, VALUE))
    const settled = await Promise.allSettled(puts)
    const refused = settled.filter(({ status }) => status === 'rejected').length
    expect(refused).toBeGreaterThan(300)
    const { revision, sizeInUseBytes } = await store.status()
    expect(revision).toBe(1 + 600 - refused)
    expect(sizeInUseBytes).toBeLessThanOrEqual(QUOTA)
  })

  test('a compaction makes room for as many writes again', async () => {
    await using store = await openWith(new MemoryDisk())
    const first = await fill(store, (i) => `k${i % 3}`)
    for (let round = 0; round < 3; round++) {
      await store.compact((await store.status()).revision, { physical: true })
      expect(await fill(store, (i) => `k${i % 3}`)).toBeGreaterThan(first * 0.8)
    }
  })

  test('a store opened beyond its quota refuses writes until there is room', async () => {
    const disk = new MemoryDisk()
    {
      await using store = await openOn(disk, DATA)
      for (let i = 0; i < 500; i++) await store.put(`k${i}`, VALUE)
    }
    await using store = await openWith(disk)
    await expect(store.put('k', 'v')).rejects.toMatchObject({ code: 'KV_NO_SPACE' })
    const { deleted } = await store.delete({ start: 'k1', end: 'k5' })
    expect(deleted).toBeGreaterThan(400)
    await expect(store.put('k', 'v')).rejects.toMatchObject({ code: 'KV_NO_SPACE' })
    const { revision } = await store.status()
    await store.compact(revision, { physical: true })
    expect((await store.put('k', 'v')).revision).toBe(revision + 1)
  })

  test('is an integer from 1 on', async () => {
    await expect(openWith(new MemoryDisk(), { quotaBytes: 0 })).rejects.toThrow(/^quotaBytes: 0 is/)
    const quotaBytes = '1' as unknown as number
    await expect(openWith(new MemoryDisk(), { quotaBytes })).rejects.toThrow(
      /^quotaBytes: expected/,
    )
  })
})

describe('alarms()', () => {
  const NOSPACE = { type: 'NOSPACE', memberId: 0n } as const

  test('NOSPACE is raised by a refusal, outlives the process, and makes no revision', async () => {
    const disk = new MemoryDisk()
    const store = await openWith(disk)
    expect(await store.alarms()).toEqual([])
    await fill(store, (i) => `k${i}`)
    const { revision } = await store.status()
    expect(await store.alarms()).toMatchObject([NOSPACE])
    expect(JSON.stringify(await store.alarms())).toBe('[{"type":"NOSPACE","memberId":"0"}]')
    expect((await store.status()).revision).toBe(revision)
    const killed = disk.processKilled()
    await store.close()

    const again = await openWith(killed)
    expect(await again.alarms()).toMatchObject([NOSPACE])
    await again.close()
    await using reader = await openWith(killed, { readOnly: true })
    expect(await reader.alarms()).toMatchObject([NOSPACE])
    await expect(reader.disarm()).rejects.toMatchObject({ code: 'KV_READ_ONLY' })
  })

  test('putSync raises it, too', async () => {
    await using store = await openWith(new MemoryDisk())
    expect(() => store.putSync('k', 'x'.repeat(QUOTA))).toThrow(/quotaBytes/)
    expect(await store.alarms()).toMatchObject([NOSPACE])
  })

  test('ends by itself when a compaction has made room', async () => {
    await using store = await openWith(new MemoryDisk())
    await fill(store, () => 'k')
    expect(await store.alarms()).toMatchObject([NOSPACE])
    await store.compact((await store.status()).revision, { physical: true })
    expect(await store.alarms()).toEqual([])
    await fill(store, () => 'k')
    expect(await store.alarms()).toMatchObject([NOSPACE])
  })

  test('ends by itself when the store is opened with room', async () => {
    const disk = new MemoryDisk()
    const store = await openWith(disk)
    await fill(store, (i) => `k${i}`)
    await store.close()
    await using wider = await openWith(disk, { quotaBytes: 2 * QUOTA })
    expect(await wider.alarms()).toEqual([])
  })

  test('disarm() ends what it names, and a refusal raises it anew', async () => {
    await using store = await openWith(new MemoryDisk())
    await fill(store, (i) => `k${i}`)
    expect(await store.disarm({ type: 'CORRUPT' })).toEqual([])
    expect(await store.disarm({ type: 'NOSPACE', memberId: 7n })).toEqual([])
    const [alarm] = await store.alarms()
    expect(await store.disarm(alarm)).toMatchObject([NOSPACE])
    expect(await store.disarm()).toEqual([])
    expect(await store.alarms()).toEqual([])
    await expect(store.put('k', VALUE)).rejects.toMatchObject({ code: 'KV_NO_SPACE' })
    expect(await store.alarms()).toMatchObject([NOSPACE])
    await expect(store.disarm({ type: 'FULL' as 'NOSPACE' })).rejects.toThrow(/^alarm.type: /)
    await expect(store.disarm({} as never)).rejects.toThrow(/^alarm.type: /)
    await expect(store.disarm({ type: 'NOSPACE', memberId: -1n })).rejects.toThrow(RangeError)
  })

  test('lists the alarms that a file came with', async () => {
    const disk = new MemoryDisk()
    const store = await openOn(disk, DATA)
    await store.close()
    const engine = await openEngine(`${DATA}/db`, { disk, readOnly: true })
    await engine.copyTo('/other/db').catch(() => {})
    disk.makeDirectory('/other')
    await engine.copyTo('/other/db')
    await engine.close()
    const copy = await openEngine('/other/db', { disk })
    const rows = [3, 5].map((id) => ({ memberId: BigInt(id), alarm: ALARM_CORRUPT }))
    copy.update((tx) => {
      for (const row of rows) tx.bucket('alarm')?.put(encodeAlarmMember(row), '')
      tx.bucket('alarm')?.put(encodeAlarmMember({ memberId: 3n, alarm: 9 }), '')
    })
    await copy.close()
    await using other = await openOn(disk, '/other')
    const found = rows.map(({ memberId }) => ({ type: 'CORRUPT' as const, memberId }))
    expect(await other.alarms()).toMatchObject(found)
    expect(await other.disarm(found[1])).toMatchObject([{ memberId: 5n }])
    expect(await other.alarms()).toMatchObject([{ memberId: 3n }])
    await other.put('k', 'v')
  })
})
