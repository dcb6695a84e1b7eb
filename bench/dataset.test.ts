import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Dataset, KEY_SIZE, type KeyOrder, readKeys } from './dataset.ts'

const root = mkdtempSync(join(tmpdir(), 'revbolt-dataset-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

function keysOf(order: KeyOrder, seed = 1): string[] {
  const dataset = new Dataset({
    folder: mkdtempSync(join(root, 'keys-')),
    seed,
    keyCount: 1000,
    lookupCount: 2500,
    commitCount: 200,
    extraCount: 50,
  })
  return readKeys(dataset.slice(order, 0, dataset.count(order))).map((key) => key.toString('hex'))
}

describe('Dataset', () => {
  const loaded = keysOf('load')
  const known = new Set(loaded)

  test('gives the same keys for a seed, and others for another', () => {
    expect(keysOf('load')).toEqual(loaded)
    expect(keysOf('load', 2)).not.toEqual(loaded)
    expect(known.size).toBe(1000)
  })

  test('looks every key up before any comes again', () => {
    const lookups = keysOf('lookup')
    expect(new Set(lookups.slice(0, 1000))).toEqual(known)
    expect(lookups.slice(1000, 2000)).toEqual(lookups.slice(0, 1000))
    expect(lookups).toHaveLength(2500)
  })

  test('sorts the keys it loads', () => {
    expect(keysOf('sorted')).toEqual(loaded.toSorted())
  })

  test('commits a key that is there and a new one by turns', () => {
    const commits = keysOf('commit')
    expect(commits.every((key, i) => known.has(key) === (i % 2 === 0))).toBe(true)
    expect(keysOf('extra').some((key) => known.has(key))).toBe(false)
  })

  test('refuses a slice beyond the end of its file', () => {
    const dataset = new Dataset({
      folder: root,
      seed: 1,
      keyCount: 10,
      lookupCount: 10,
      commitCount: 2,
      extraCount: 2,
    })
    expect(() => readKeys(dataset.slice('load', 5, 6))).toThrow(/it has no 11 keys/)
    expect(readKeys(dataset.slice('load', 5, 5))[4]).toHaveLength(KEY_SIZE)
  })
})
