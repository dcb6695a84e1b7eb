/** What bbolt says of a file whose pages were moved, and etcd of an alarm that a store raised. */

import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { open } from '../../index.ts'
import type { BuiltLocalStore } from '../../index.ts'
import { isWithoutEtcd, runEtcdctl, withEtcd } from './etcd.ts'
import { isWithoutGo } from './go-build.ts'
import { bbolt } from './go-program.ts'
import { withTempDirectory } from './temp-directory.ts'

async function putMany(store: BuiltLocalStore, keyOf: (i: number) => string): Promise<void> {
  const puts = Array.from({ length: 3000 }, (_, i) => store.put(keyOf(i), 'x'.repeat(i % 400)))
  await Promise.all(puts)
}

describe.skipIf(isWithoutGo)('a file that was defragmented', () => {
  test('bbolt finds nothing wrong in it, while it is moved and after', async () => {
    await withTempDirectory(async (directory) => {
      const path = join(directory, 'data', 'db')
      const store = await open(join(directory, 'data'))
      await putMany(store, (i) => `k${i}`)
      for (let i = 0; i < 3; i++) await putMany(store, (n) => `k${n % 500}`)
      await store.compact((await store.status()).revision, { physical: true })
      const { kvs } = await store.range({ limit: Infinity })
      const { sizeBytesBefore, sizeBytesAfter } = await store.defragment()
      expect(sizeBytesAfter).toBeLessThan(sizeBytesBefore)
      copyFileSync(path, join(directory, 'held'))
      expect(await bbolt.check(join(directory, 'held'))).toMatchObject({ findings: [] })
      await store.close()
      expect(await bbolt.check(path)).toMatchObject({ findings: [] })
      const again = await open(join(directory, 'data'))
      expect((await again.range({ limit: Infinity })).kvs).toEqual(kvs)
      await again.close()
    })
  })
})

describe.skipIf(isWithoutEtcd)('an alarm of a store', () => {
  test('is listed, acted upon and disarmed by etcd', async () => {
    await withTempDirectory(async (directory) => {
      const store = await open(join(directory, 'data'), { quotaBytes: 200_000 })
      const filling = Promise.all(
        Array.from({ length: 300 }, (_, i) => store.put(`k${i}`, 'x'.repeat(900))),
      )
      await expect(filling).rejects.toMatchObject({ code: 'KV_NO_SPACE' })
      expect(await store.alarms()).toMatchObject([{ type: 'NOSPACE' }])
      await store.close()

      const data = join(directory, 'etcd')
      const file = join(directory, 'data', 'db')
      await runEtcdctl('snapshot', 'restore', file, '--skip-hash-check', '--data-dir', data)
      await withEtcd(data, async ({ ctl }) => {
        expect(await ctl('alarm', 'list')).toContain('alarm:NOSPACE')
        await expect(ctl('put', 'k', 'v')).rejects.toThrow(/database space exceeded/)
        expect(await ctl('alarm', 'disarm')).toContain('alarm:NOSPACE')
        expect(await ctl('alarm', 'list')).toBe('')
        expect(await ctl('put', 'k', 'v')).toContain('OK')
        expect(await ctl('get', 'k0')).toContain('x'.repeat(900))
      })
    })
  })
})
