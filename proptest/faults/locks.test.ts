/**
 * Locks as openEngine takes them. What flock(2), the lock file, other processes, worker threads and
 * killed holders do to each other is tested beside disk/real-lock.ts.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openEngine } from '../../engine/index.ts'
import type { EngineOptions } from '../../engine/index.ts'

let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'revbolt-locks-'))
  path = join(directory, 'db')
})

afterEach(() => rmSync(directory, { recursive: true }))

const WAYS: readonly (readonly [string, EngineOptions])[] = [
  ['auto', { lock: 'auto' }],
  ['file', { lock: 'file' }],
]

describe.each(WAYS)('openEngine() with lock %s', (_name, options) => {
  test('refuses a second writer with KV_LOCKED, at once or after its timeout', async () => {
    const holder = await openEngine(path, options)
    for (const lockTimeoutMs of [0, 50]) {
      await expect(openEngine(path, { ...options, lockTimeoutMs })).rejects.toMatchObject({
        code: 'KV_LOCKED',
      })
    }
    holder.update((tx) => tx.createBucket('still usable'))
    await holder.close()
    await (await openEngine(path, options)).close()
  })

  test('gives a waiting writer the file when the holder closes it', async () => {
    const holder = await openEngine(path, options)
    const waiting = openEngine(path, { ...options, lockTimeoutMs: 20_000 })
    holder.update((tx) => tx.createBucket('b').put('k', 'v'))
    await holder.close()
    const next = await waiting
    // It looked at the file after it had the lock.
    expect(next.view((tx) => String(tx.bucket('b')?.get('k')))).toBe(String(Buffer.from('v')[0]))
    await next.close()
  })

  test('ends waiting when the signal is aborted', async () => {
    const holder = await openEngine(path, options)
    const reason = new Error('enough')
    const abort = new AbortController()
    const waiting = openEngine(path, { ...options, lockTimeoutMs: 20_000, signal: abort.signal })
    abort.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await holder.close()
  })
})

// A lock file knows no shared holders: there readers keep each other out as well.
test('openEngine() with lock auto lets readers share the file, and keeps a writer out meanwhile', async () => {
  await (await openEngine(path)).close()
  const readers = [
    await openEngine(path, { readOnly: true }),
    await openEngine(path, { readOnly: true }),
  ]
  await expect(openEngine(path)).rejects.toMatchObject({ code: 'KV_LOCKED' })
  for (const reader of readers) await reader.close()
  const writer = await openEngine(path)
  await expect(openEngine(path, { readOnly: true })).rejects.toMatchObject({
    code: 'KV_LOCKED',
  })
  await writer.close()
})
