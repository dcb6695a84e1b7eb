import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { open } from '../index.ts'
import { DataDirectoryError, makeDataDirectory, removeDataDirectory } from './data-directory.ts'

let root = ''

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
})

afterEach(async () => {
  await rm(root, { recursive: true, force: true })
})

describe('makeDataDirectory()', () => {
  test('makes a temporary directory, which removeDataDirectory() removes', async () => {
    const data = await makeDataDirectory(undefined)
    await writeFile(join(data.path, 'db'), '')
    await removeDataDirectory(data)
    expect(existsSync(data.path)).toBe(false)
  })

  test('makes the named directory, which stays', async () => {
    const data = await makeDataDirectory(join(root, 'a', 'b'))
    await removeDataDirectory(data)
    expect(existsSync(data.path)).toBe(true)
  })

  test('takes an empty directory, and one that an earlier run made', async () => {
    const path = join(root, 'data')
    await mkdir(path)
    await makeDataDirectory(path)
    const db = await open(path)
    await db.put('a', '1')
    await db.close()
    await makeDataDirectory(path)
    expect((await readdir(path)).filter((name) => !name.startsWith('.'))).toEqual([])
  })

  test('refuses a directory that it did not make, and removes nothing', async () => {
    const db = await open(root)
    await db.put('a', '1')
    await db.close()
    await expect(makeDataDirectory(root)).rejects.toThrow(DataDirectoryError)
    expect(await readdir(root)).toContain('db')
  })

  test('refuses one of its own that holds something else by now', async () => {
    await makeDataDirectory(root)
    await writeFile(join(root, 'thesis.txt'), 'years of work')
    await writeFile(join(root, 'db'), '')
    await expect(makeDataDirectory(root)).rejects.toThrow(/thesis\.txt/)
    expect(await readdir(root)).toEqual(expect.arrayContaining(['thesis.txt', 'db']))
  })

  test('refuses one of its own that is in use', async () => {
    await makeDataDirectory(root)
    const db = await open(root)
    await expect(makeDataDirectory(root)).rejects.toThrow(/in use/)
    await db.put('a', '1')
    await db.close()
  })

  test('refuses a file', async () => {
    const path = join(root, 'file')
    await writeFile(path, '')
    await expect(makeDataDirectory(path)).rejects.toThrow(DataDirectoryError)
  })
})
