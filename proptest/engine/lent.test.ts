/**
 * The same programs without KV_VERIFY. With it what the engine lends is a copy; without it a view
 * of the page or heap itself, which must not change until its transaction ends.
 */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { effort } from '../effort.ts'

test('what is lent stays as it was until its transaction ends', { timeout: 3600_000 }, async () => {
  // Read once, when assert.ts is loaded: so nothing that loads it may be imported before.
  delete process.env['KV_VERIFY']
  const { verifying } = await import('../../base/assert.ts')
  expect(verifying).toBe(false)
  const { programs } = await import('./commands.ts')
  const { runProgram } = await import('./run-program.ts')
  const property = fc.asyncProperty(programs([1024, 1024, 4096], 12), runProgram)
  await fc.assert(property, { numRuns: effort({ smoke: 20, ci: 200, soak: 5000 }) })
})

test('an edit leaves what was lent of the page, to its own transaction and to readers', async () => {
  delete process.env['KV_VERIFY']
  const { verifying } = await import('../../base/assert.ts')
  expect(verifying).toBe(false)
  const { bucketOf, withEngine } = await import('./memory-engine.ts')
  const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString()
  await withEngine(async (engine) => {
    engine.update((tx) => {
      const bucket = tx.createBucket('b')
      for (let i = 0; i < 60; i++) bucket.put(`key ${10 + i}`, `old ${i}`)
    })
    engine.update((tx) => {
      const bucket = bucketOf(tx, 'b')
      const lent = bucket.get('key 12')
      const cursor = bucket.cursor()
      const entry = cursor.seek('key 13')
      const [key, value] = [entry?.key, entry?.value]
      for (let i = 0; i < 60; i++) bucket.put(`key ${10 + i}`, `new ${i}`)
      bucket.delete('key 11')
      expect([text(lent), text(key), text(value)]).toEqual(['old 2', 'key 13', 'old 3'])
      expect(text(bucket.get('key 12'))).toBe('new 2')
    })
    const reader = await engine.begin()
    const lent = bucketOf(reader, 'b').get('key 15')
    engine.update((tx) => bucketOf(tx, 'b').put('key 15', 'late'))
    engine.update((tx) => bucketOf(tx, 'b').put('key 14', 'later'))
    expect(text(lent)).toBe('new 5')
    expect(text(bucketOf(reader, 'b').get('key 14'))).toBe('new 4')
    reader.rollback()
  })
})
