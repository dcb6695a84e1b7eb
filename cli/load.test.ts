import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { open } from '../index.ts'
import type { Change, CommitInfo, CommitPart, History } from './history.ts'
import { PART_BYTES_MAX, PART_CHANGES_MAX, cutIntoParts } from './history.ts'
import { COMMIT_PREFIX, FILE_PREFIX, commitKey, decodeCommit, fileKey } from './layout.ts'
import type { HistoryStore } from './load.ts'
import { LOAD_LIMITS, WINDOW, loadHistory } from './load.ts'
import { commitOfRevision } from './timeline.ts'

let directory = ''
let db: HistoryStore

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  db = await open(directory, { encoding: 'bytes', ...LOAD_LIMITS })
})

afterEach(async () => {
  await db.close()
  await rm(directory, { recursive: true, force: true })
})

function commitOf(number: number): CommitInfo {
  return { hash: String(number).padStart(40, '0'), authorDate: number, subject: `commit ${number}` }
}

function put(path: string, content: string | Uint8Array): Change {
  return { type: 'put', path: Buffer.from(path), content: Buffer.from(content) }
}

function historyOf(parts: () => AsyncGenerator<CommitPart, void, void>, commitCount = 1): History {
  return { title: 'test', commitCount, parts }
}

async function* each<T>(items: Iterable<T>): AsyncGenerator<T, void, void> {
  yield* items
}

const quiet = { onProgress: (): void => {}, signal: new AbortController().signal }

describe('loadHistory()', () => {
  test('makes one revision of each commit, in order, with its files and its record', async () => {
    const count = WINDOW * 3 + 1
    const seen: number[] = []
    const history = historyOf(async function* () {
      for (let number = 1; number <= count; number++) {
        const changes = [put('a', `${number}`), put(`only-in-${number}`, 'x')]
        if (number > 1) changes.push({ type: 'delete', path: Buffer.from(`only-in-${number - 1}`) })
        yield* cutIntoParts(commitOf(number), each(changes))
      }
    })
    const onProgress = (commits: number): number => seen.push(commits)
    const result = await loadHistory(db, history, { ...quiet, onProgress })
    expect(result).toMatchObject({ commits: count, transactions: count, puts: count * 2 })
    expect(result.deletes).toBe(count - 1)
    expect(result.latenciesMs.length).toBe(count)
    expect(seen).toEqual(Array.from({ length: count }, (_, index) => index + 1))
    for (let number = 1; number <= count; number += 17) {
      const revision = number + 1
      const record = await db.get(commitKey(number))
      expect(record?.modRevision).toBe(revision)
      expect(decodeCommit(record!.value)).toEqual(commitOf(number))
      const { kvs } = await db.range({ prefix: FILE_PREFIX, revision })
      expect(kvs.map((kv) => Buffer.from(kv.key).toString())).toEqual([
        'file/a',
        `file/only-in-${number}`,
      ])
      expect(Buffer.from(kvs[0]!.value).toString()).toBe(`${number}`)
    }
  })

  test('cuts a commit with very many files, and records it when it is whole', async () => {
    const names = Array.from({ length: PART_CHANGES_MAX + 5 }, (_, index) => `f${index}`)
    const history = historyOf(async function* () {
      yield* cutIntoParts(commitOf(1), each(names.map((name) => put(name, ''))))
      yield* cutIntoParts(commitOf(2), each([put('last', '')]))
    })
    const result = await loadHistory(db, history, quiet)
    expect(result).toMatchObject({ commits: 2, transactions: 3, puts: names.length + 1 })
    const countAt = async (prefix: string, revision: number): Promise<number> =>
      (await db.range({ prefix, revision, countOnly: true })).count
    expect(await countAt(FILE_PREFIX, 2)).toBe(PART_CHANGES_MAX)
    expect(await countAt(COMMIT_PREFIX, 2)).toBe(0)
    expect(await countAt(FILE_PREFIX, 3)).toBe(names.length)
    expect(await countAt(COMMIT_PREFIX, 3)).toBe(1)
    const numbers = [2, 3, 4].map(async (each) => (await commitOfRevision(db, each))?.number)
    expect(await Promise.all(numbers)).toEqual([1, 1, 2])
  })

  test('cuts a commit with very much content', async () => {
    const half = Buffer.alloc(PART_BYTES_MAX / 2, 'x')
    const history = historyOf(() =>
      cutIntoParts(commitOf(1), each([put('a', half), put('b', half), put('c', half)])),
    )
    const result = await loadHistory(db, history, quiet)
    expect(result).toMatchObject({ commits: 1, transactions: 2, contentBytes: half.length * 3 })
    expect((await db.get(fileKey(Buffer.from('c'))))?.modRevision).toBe(3)
  })

  test('an empty history is loaded at once', async () => {
    const result = await loadHistory(
      db,
      historyOf(() => each([]), 0),
      quiet,
    )
    expect(result).toMatchObject({ commits: 0, transactions: 0, puts: 0 })
    expect((await db.status()).revision).toBe(1)
  })

  test('throws what reading throws, with nothing left under way', async () => {
    const history = historyOf(async function* () {
      yield* cutIntoParts(commitOf(1), each([put('a', '1')]))
      throw new Error('the disk is gone')
    })
    await expect(loadHistory(db, history, quiet)).rejects.toThrow('the disk is gone')
    expect((await db.status()).revision).toBe(2)
  })

  test('throws what the store rejects with, and stops reading', async () => {
    let given = 0
    const history = historyOf(async function* () {
      for (let number = 1; number <= 1000; number++) {
        given++
        // An empty path is still a key, so only the same file twice is refused.
        const changes = number === 3 ? [put('a', '1'), put('a', '2')] : [put('a', `${number}`)]
        yield* cutIntoParts(commitOf(number), each(changes))
      }
    })
    await expect(loadHistory(db, history, quiet)).rejects.toMatchObject({
      code: 'KV_TXN_DUPLICATE_KEY',
    })
    expect(given).toBeLessThan(1000)
  })

  test('stops when it is told to', async () => {
    const abort = new AbortController()
    const history = historyOf(async function* () {
      for (let number = 1; ; number++) {
        if (number === 100) abort.abort(new Error('enough'))
        yield* cutIntoParts(commitOf(number), each([put('a', `${number}`)]))
      }
    })
    const loading = loadHistory(db, history, { ...quiet, signal: abort.signal })
    await expect(loading).rejects.toThrow('enough')
    expect((await db.status()).revision).toBe(100)
  })
})
