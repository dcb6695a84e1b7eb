/** What a backup is made of is a database to bbolt, with all that the store had at its moment. */
import { join } from 'node:path'
import { expect, test, describe } from 'vitest'
import { open } from '../../index.ts'
import { openEngine } from '../../engine/index.ts'
import { modelOf } from './content.ts'
import { expectReadByBbolt, expectReadByUs } from './engine-file.ts'
import { isWithoutGo } from './go-build.ts'
import { withTempDirectory } from './temp-directory.ts'

describe.skipIf(isWithoutGo)('backups', () => {
  test.each([true, false])('pass bbolt’s check and walk; with trailer: %s', async (trailer) => {
    await withTempDirectory(async (directory) => {
      const path = join(directory, 'backup')
      const store = await open(join(directory, 'data'), { checkpointBytes: 64 * 1024 })
      const load = async (round: number): Promise<void> => {
        const puts = Array.from({ length: 300 }, async (_, i) => {
          await store.put(`key ${i % 170}`, `${round}`.repeat((i * 7) % 900))
        })
        await Promise.all(puts)
      }
      await load(0)
      await store.put('long', 'x'.repeat(100_000))
      await store.compact(200, { physical: true })
      const backup = store.backup(path, { trailer })
      for (let round = 1; round < 5; round++) await load(round)
      const { revision } = await backup
      await store.close()
      const engine = await openEngine(path, { readOnly: true })
      const model = engine.view((tx) => modelOf(tx))
      await engine.close()
      expect(revision).toBe(302)
      await expectReadByBbolt(path, model)
      await expectReadByUs(path, model)
    })
  })
})
