/**
 * One lock for both: bbolt keeps our engine out and our engine keeps bbolt out, shared and
 * exclusive alike.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { EngineOptions } from '../../engine/index.ts'
import { isKvError, openEngine } from '../../engine/index.ts'
import { isWithoutGo } from './go-build.ts'
import { bbolt } from './go-program.ts'
import { withTempDirectory } from './temp-directory.ts'

/** bbolt asks again every 50 ms, and gives up a try before its time is out. */
const TRY_MS = 200

async function withFile(fn: (path: string) => Promise<void>): Promise<void> {
  await withTempDirectory(async (directory) => {
    const path = join(directory, 'db')
    await bbolt.make('one-key', path)
    await fn(path)
  })
}

/** Whether our engine gets the file open. */
async function isOpenedByUs(path: string, options: EngineOptions): Promise<boolean> {
  try {
    const engine = await openEngine(path, options)
    await engine.close()
    return true
  } catch (error) {
    if (isKvError(error, 'KV_LOCKED')) return false
    throw error
  }
}

describe.skipIf(isWithoutGo)('locks', () => {
  test.each([
    { theirs: undefined, readOnly: false, isFree: false },
    { theirs: undefined, readOnly: true, isFree: false },
    { theirs: 'ro' as const, readOnly: false, isFree: false },
    { theirs: 'ro' as const, readOnly: true, isFree: true },
  ])(
    'while bbolt holds the file ($theirs), openEngine({ readOnly: $readOnly }) opens it: $isFree',
    async ({ theirs, readOnly, isFree }) => {
      await withFile(async (path) => {
        const held = await bbolt.lock(path, theirs)
        try {
          expect(await isOpenedByUs(path, { readOnly })).toBe(isFree)
          expect(await isOpenedByUs(path, { readOnly, lockTimeoutMs: TRY_MS })).toBe(isFree)
        } finally {
          await held.release()
        }
        expect(await isOpenedByUs(path, { readOnly })).toBe(true)
      })
    },
  )

  test.each([
    { readOnly: false, theirs: undefined, isFree: false },
    { readOnly: false, theirs: 'ro' as const, isFree: false },
    { readOnly: true, theirs: undefined, isFree: false },
    { readOnly: true, theirs: 'ro' as const, isFree: true },
  ])(
    'while our engine holds the file ({ readOnly: $readOnly }), bbolt ($theirs) opens it: $isFree',
    async ({ readOnly, theirs, isFree }) => {
      await withFile(async (path) => {
        const engine = await openEngine(path, { readOnly })
        try {
          expect(await bbolt.tryLock(path, TRY_MS, theirs)).toBe(isFree)
        } finally {
          await engine.close()
        }
        expect(await bbolt.tryLock(path, TRY_MS, theirs)).toBe(true)
      })
    },
  )

  test('openEngine() with time to wait opens the file when bbolt lets go', async () => {
    await withFile(async (path) => {
      const held = await bbolt.lock(path)
      const opening = openEngine(path, { lockTimeoutMs: 60_000 })
      await held.release()
      const engine = await opening
      const value = engine.view((tx) =>
        Buffer.from(tx.bucket('bucket')?.get('key') ?? '').toString(),
      )
      expect(value).toBe('value')
      await engine.close()
    })
  })

  test('bbolt with time to wait opens the file when our engine lets go', async () => {
    await withFile(async (path) => {
      const engine = await openEngine(path)
      const trying = bbolt.tryLock(path, 60_000)
      await engine.close()
      expect(await trying).toBe(true)
    })
  })

  test('a refused openEngine() leaves the file as it was, and bbolt goes on', async () => {
    await withFile(async (path) => {
      const before = await bbolt.hash(path)
      const held = await bbolt.lock(path)
      expect(await isOpenedByUs(path, { lockTimeoutMs: TRY_MS })).toBe(false)
      await held.release()
      const { findings, hash } = await bbolt.check(path)
      expect(findings).toEqual([])
      expect(hash).toBe(before)
    })
  })
})
