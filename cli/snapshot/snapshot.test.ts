/** `revbolt snapshot` on a store in a directory. */
import { mkdtemp, open as openFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { open } from '../../index.ts'
import type { Ran } from '../../proptest/bolt/run-bolt.ts'
import { jsonLines, snapshotIn } from '../../proptest/bolt/run-bolt.ts'

let directory = ''

const snapshot = (...args: readonly string[]): Promise<Ran> => snapshotIn(directory, args)

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  const store = await open(join(directory, 'data'))
  for (let i = 0; i < 9; i++) await store.put(`key ${i % 4}`, `${i}`)
  await store.compact(3, { physical: true })
  await store.close()
  await snapshot('save', 'data', 'b.db')
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

describe('revbolt snapshot', () => {
  test('save writes a file and its manifest, and replaces nothing', async () => {
    const saved = await snapshot('save', 'data', 'c.db')
    expect(saved.code).toBe(0)
    expect(saved.stdout).toMatch(/^c\.db: revision 10, 4 keys, .*\nsha256 [0-9a-f]{64}\n$/)
    expect(await readdir(directory)).toEqual(expect.arrayContaining(['c.db', 'c.db.manifest.json']))
    const again = await snapshot('save', 'data', 'c.db')
    expect(again).toMatchObject({ code: 3, stderr: expect.stringContaining('KV_EXISTS') })
    const bare = await snapshot('save', 'data', 'bare.db', '--no-trailer', '--json')
    const [facts] = jsonLines(bare)
    expect(facts).toMatchObject({ revision: 10, keyCount: 4, compactedRevision: 3 })
    expect(facts?.['sizeBytes']).toBe(facts?.['databaseBytes'])
  })

  test('save says what is no store, and who has one open', async () => {
    const none = await snapshot('save', 'nowhere', 'd.db')
    expect(none).toMatchObject({ code: 3, stderr: expect.stringContaining('no store in nowhere') })
    await using store = await open(join(directory, 'data'))
    await store.status()
    const taken = await snapshot('save', 'data', 'd.db')
    expect(taken).toMatchObject({ code: 3, stderr: expect.stringContaining('db.backup(FILE)') })
  })

  test('status shows what a backup holds, verify that it is whole', async () => {
    const shown = await snapshot('status', 'b.db')
    expect(shown.code).toBe(0)
    expect(shown.stdout).toMatch(/revision +10\n/)
    expect(shown.stdout).toMatch(/history +readable from revision 3 on\n/)
    const whole = await snapshot('verify', 'b.db')
    expect(whole).toMatchObject({ code: 0, stderr: '' })
    expect(whole.stdout).toBe('whole: every byte is as its manifest says; revision 10\n')
    const [json] = jsonLines(await snapshot('verify', 'b.db', '--json'))
    expect(json).toMatchObject({ revision: 10, hasTrailer: true, manifest: { leaseCount: 0 } })
  })

  test('verify and restore refuse a damaged one and name the range', async () => {
    await snapshot('save', 'data', 'damaged.db')
    const file = await openFile(join(directory, 'damaged.db'), 'r+')
    await file.write(Buffer.from([0xff, 0xfe]), 0, 2, 9000)
    await file.close()
    for (const words of [
      ['verify', 'damaged.db'],
      ['status', 'damaged.db'],
      ['restore', 'damaged.db', '--data-dir', 'from-damaged'],
    ]) {
      const ran = await snapshot(...words)
      expect(ran, words.join(' ')).toMatchObject({ code: 1, stdout: '' })
      expect(ran.stderr).toMatch(/bytes 0 to \d+ differ from its manifest/)
    }
    expect(await readdir(directory)).not.toContain('from-damaged')
  })

  test('restore makes a store, and replaces none', async () => {
    const made = await snapshot('restore', 'b.db', '--data-dir', 'again')
    expect(made.stdout).toBe('made a store in again: revision 10, 4 keys\n')
    const store = await open(join(directory, 'again'))
    expect((await store.get('key 0', { revision: 6 }))?.value).toBe('4')
    expect((await store.put('a', '1')).revision).toBe(11)
    await store.close()
    const twice = await snapshot('restore', 'b.db', '--data-dir', 'again')
    expect(twice).toMatchObject({ code: 3, stderr: expect.stringContaining('KV_EXISTS') })
    const nowhere = await snapshot('restore', 'b.db')
    expect(nowhere).toMatchObject({ code: 2, stderr: expect.stringContaining('--data-dir DIR') })
  })
})
