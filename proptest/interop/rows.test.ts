/**
 * The store's data in the file, as bbolt reads it: etcd's `key` bucket, a row for each revision.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { open, put } from '../../index.ts'
import { isWithoutGo } from './go-build.ts'
import { bbolt, textOf } from './go-program.ts'
import { withTempDirectory } from './temp-directory.ts'

/** etcd's form of a revision: main u64 big-endian, "_", sub u64 big-endian. */
function revisionOf(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  expect(bytes).toHaveLength(17)
  expect(bytes[8]).toBe('_'.charCodeAt(0))
  return `{${bytes.readBigUInt64BE(0)} ${bytes.readBigUInt64BE(9)}}`
}

describe.skipIf(isWithoutGo)('rows of the store', () => {
  test('two transactions of two puts leave {2 0} {2 1} {3 0} {3 1} in the key bucket', async () => {
    await withTempDirectory(async (directory) => {
      const home = join(directory, 'data')
      const db = await open(home)
      await db.txn({ success: [put('key1', 'v1'), put('key2', 'v2')] })
      await db.txn({ success: [put('key1', 'v12'), put('key2', 'v22')] })
      await db.close()

      const path = join(home, 'db')
      const { findings } = await bbolt.check(path)
      expect(findings).toEqual([])
      const lines = await bbolt.expect(['rows', path, 'key'])
      const rows = lines.filter((line) => line['key'] !== undefined)
      expect(rows.map((row) => revisionOf(textOf(row, 'key')))).toEqual([
        '{2 0}',
        '{2 1}',
        '{3 0}',
        '{3 1}',
      ])
      const keys = ['key1', 'key2', 'key1', 'key2']
      const values = ['v1', 'v2', 'v12', 'v22']
      for (const [i, row] of rows.entries()) {
        // mvccpb.KeyValue: key is field 1, value field 5, both bytes.
        const message = Buffer.from(textOf(row, 'value'), 'hex').toString('latin1')
        const key = keys[i] ?? ''
        const value = values[i] ?? ''
        expect(message.startsWith(`\x0a${String.fromCharCode(key.length)}${key}`)).toBe(true)
        expect(message.includes(`\x2a${String.fromCharCode(value.length)}${value}`)).toBe(true)
      }
    })
  })
})
