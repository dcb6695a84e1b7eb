import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { del, open, put } from '../index.ts'
import { FILE_PREFIX, commitKey, encodeCommit, fileKey } from './layout.ts'
import type { HistoryStore } from './load.ts'
import {
  commitAt,
  commitOfRevision,
  differenceBetween,
  mostRevised,
  newestCommit,
  versionsOf,
} from './timeline.ts'

let directory = ''
let db: HistoryStore

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  db = await open(directory, { encoding: 'bytes' })
})

afterEach(async () => {
  await db.close()
  await rm(directory, { recursive: true, force: true })
})

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}

type Files = Readonly<Record<string, string | null>>

async function commit(number: number, files: Files): Promise<void> {
  const ops = Object.entries(files).map(([path, content]) =>
    content === null ? del(`${FILE_PREFIX}${path}`) : put(`${FILE_PREFIX}${path}`, content),
  )
  const record = encodeCommit({ hash: `${number}`, authorDate: number, subject: '' })
  await db.txn({ success: [...ops, put(commitKey(number), record)] })
}

describe('commits', () => {
  test('are found by number and by revision; beyond the last there is none', async () => {
    expect(await newestCommit(db)).toBe(undefined)
    await commit(1, { a: '1' })
    await db.put('file/part', 'a revision whose commit is not whole yet')
    await commit(2, { a: '2' })
    expect(await newestCommit(db)).toMatchObject({ number: 2, revision: 4, hash: '2' })
    expect(await commitAt(db, 1)).toMatchObject({ number: 1, revision: 2 })
    expect(await commitAt(db, 3)).toBe(undefined)
    const numbers = []
    for (const revision of [2, 3, 4, 5]) {
      numbers.push((await commitOfRevision(db, revision))?.number)
    }
    expect(numbers).toEqual([1, 2, 2, undefined])
  })
})

describe('versionsOf()', () => {
  test('goes back, newest first, to when the file was made last', async () => {
    await commit(1, { a: 'first life' })
    await commit(2, { a: null })
    await commit(3, { a: 'x', b: '1' })
    await commit(4, { b: '2' })
    await commit(5, { a: 'y' })
    const versions = []
    for await (const each of versionsOf(db, fileKey(Buffer.from('a')))) {
      versions.push([each.revision, each.version, text(each.content)])
    }
    expect(versions).toEqual([
      [6, 2, 'y'],
      [4, 1, 'x'],
    ])
  })

  test('of a file that is not there are none', async () => {
    await commit(1, { a: '1' })
    await commit(2, { a: null })
    const versions = versionsOf(db, fileKey(Buffer.from('a')))
    expect((await versions.next()).done).toBe(true)
  })
})

describe('mostRevised()', () => {
  test('is in the order of how often files were put', async () => {
    await commit(1, { often: '1', twice: '1', once: '1', gone: '1' })
    await commit(2, { often: '2', twice: '2', gone: '2' })
    await commit(3, { often: '3', gone: '3' })
    await commit(4, { gone: null })
    expect((await mostRevised(db, 2)).map(text)).toEqual(['file/often', 'file/twice'])
  })
})

describe('differenceBetween()', () => {
  test('is what comparing two whole trees gives', async () => {
    const name = fc.constantFrom('a', 'a/b', 'ab', 'b', 'ü', '\u{10ffff}')
    const files = fc.dictionary(name, fc.option(fc.constantFrom('1', '2'), { nil: null }))
    const steps = fc.array(files, { minLength: 1, maxLength: 6 })
    let base = 0
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), fc.nat(), async (commits, from, to) => {
        await db.delete({ prefix: FILE_PREFIX })
        for (const each of commits) await commit(++base, each)
        const head = (await db.status()).revision
        const [older, newer] = [from, to]
          .map((each) => head - (each % commits.length))
          .toSorted((a, b) => a - b)
        const trees = [older!, newer!].map(async (revision) => {
          const { kvs } = await db.range({ prefix: FILE_PREFIX, revision })
          return new Map(kvs.map((kv) => [text(kv.key), kv.modRevision]))
        })
        const [before, after] = await Promise.all(trees)
        const found = await differenceBetween(db, older!, newer!)
        const keys = (map: typeof before, test: (key: string) => boolean): string[] =>
          [...map!.keys()].filter(test)
        expect(found.added.map(text)).toEqual(keys(after, (key) => !before!.has(key)))
        expect(found.deleted.map(text)).toEqual(keys(before, (key) => !after!.has(key)))
        expect(found.changed.map(text)).toEqual(
          keys(after, (key) => before!.has(key) && before!.get(key) !== after!.get(key)),
        )
      }),
      { numRuns: 20 },
    )
  })
})
