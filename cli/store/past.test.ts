/** `revbolt archive`, `rollback` and `restore`: what they print, and what they leave behind. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { open } from '../../index.ts'
import type { Ran } from '../../proptest/bolt/run-bolt.ts'
import { storeIn } from '../../proptest/bolt/run-bolt.ts'

let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

const run = (...args: readonly string[]): Promise<Ran> => storeIn(directory, args)

async function out(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

async function fill(): Promise<void> {
  const store = await open(join(directory, 'data'), { archive: true })
  for (let i = 2; i <= 9; i++) await store.put('k', `${i}`)
  await store.close()
}

describe('revbolt archive', () => {
  test('says that there is none, begins one, and lists it', async () => {
    await run('put', 'k', 'v')
    expect(await run('archive')).toMatchObject({ code: 1 })
    const text = await out('archive', 'data', '--begin')
    expect(text).toMatch(/base at revision 2 +commit \d+ +\d{4}-\d\d-\d\dT.* KiB/)
    const info = JSON.parse(await out('archive', '--json')) as Record<string, unknown>
    expect(info).toMatchObject({ bases: [{ revision: 2 }], directory: `${directory}/data/archive` })
    // From then on every command keeps it.
    for (let i = 0; i < 3; i++) await out('put', 'k', `${i}`)
    await out('rollback', '--revision', '4')
    expect(await out('get', 'k')).toBe('k = 1\n')
  })

  test('begins none where there is no store', async () => {
    expect(await run('archive', 'nothing', '--begin')).toMatchObject({ code: 3 })
    expect(await readdir(directory)).toEqual([])
  })
})

describe('revbolt rollback', () => {
  test('a dry run, then the deed', async () => {
    await fill()
    const dry = await out('rollback', '--revision', '5', '--dry-run')
    expect(dry).toMatch(/revision before +9\n.*revision +5\n/s)
    expect(dry).toContain('nothing was changed')
    expect(await out('get', 'k')).toBe('k = 9\n')
    const done = JSON.parse(await out('rollback', 'data', '--revision', '5', '--json')) as {
      readonly kept: string
    }
    expect(done).toMatchObject({ revision: '5', revisionBefore: '9', dryRun: false })
    expect(await out('get', 'k')).toBe('k = 5\n')
    expect(await out('get', 'k', '--data', done.kept)).toBe('k = 9\n')
  })

  test('to a time and to a commit', async () => {
    await fill()
    expect(await out('rollback', '--time', '2200-01-01', '--dry-run')).toMatch(/revision +9\n/)
    expect(await run('rollback', '--time', '2000-01-01T00:00:00Z')).toMatchObject({ code: 3 })
    expect(await run('rollback', '--txid', '5000')).toMatchObject({ code: 3 })
    expect(await run('rollback', '--revision', '10')).toMatchObject({ code: 1 })
  })

  test('slips are told before anything is opened', async () => {
    for (const args of [
      [],
      ['--revision', '0'],
      ['--revision', '2', '--txid', '3'],
      ['--time', 'noon'],
      ['data', '--data', 'data', '--revision', '2'],
    ]) {
      expect(await run('rollback', ...args)).toMatchObject({ code: 2 })
    }
    expect(await readdir(directory)).toEqual([])
  })

  test('a store that is open is refused', async () => {
    await fill()
    const store = await open(join(directory, 'data'))
    const refused = await run('rollback', '--revision', '5')
    expect(refused).toMatchObject({ code: 3 })
    expect(refused.stderr).toContain('KV_LOCKED')
    await store.close()
  })
})

describe('revbolt restore', () => {
  test('makes another store, of the end or of a moment', async () => {
    await fill()
    expect(await out('restore', 'data', 'end')).toMatch(/store +.*end\n +revision +9\n/)
    await out('restore', 'data', 'early', '--revision', '3')
    expect(await out('get', 'k', '--data', 'early')).toBe('k = 3\n')
    expect(await out('get', 'k')).toBe('k = 9\n')
    expect(await run('restore', 'data', 'early')).toMatchObject({ code: 3 })
    expect((await readdir(directory)).sort()).toEqual(['data', 'early', 'end'])
  })
})
