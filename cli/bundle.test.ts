import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { brotliCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hasGit, makeRepository } from '../proptest/git-repository.ts'
import { BundleError, createBundleCompressor, encodeBundle, openBundle } from './bundle.ts'
import type { Change, CommitInfo, History } from './history.ts'
import { newestCommits } from './history.ts'
import { exportHistory } from './history-export.ts'
import { bundlePath, findHome } from './source.ts'

let directory = ''
let path = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  path = join(directory, 'history.br')
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

interface PlainCommit {
  readonly commit: CommitInfo
  /** Path and content, or null for a deleted file. */
  readonly files: readonly (readonly [string, Uint8Array | null])[]
}

const commits: fc.Arbitrary<readonly PlainCommit[]> = fc.array(
  fc.record({
    commit: fc.record({
      hash: fc.stringMatching(/^[0-9a-f]{40}$/),
      authorDate: fc.integer(),
      subject: fc.string({ unit: 'grapheme' }),
    }),
    files: fc.uniqueArray(
      fc.tuple(
        fc.oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.constantFrom('a', 'b', 'c')),
        fc.option(fc.uint8Array({ maxLength: 300 }), { nil: null }),
      ),
      { selector: ([name]) => name },
    ),
  }),
  { maxLength: 8 },
)

function changesOf({ files }: PlainCommit): Change[] {
  return files.map(([name, content]) =>
    content === null
      ? { type: 'delete', path: Buffer.from(name) }
      : { type: 'put', path: Buffer.from(name), content },
  )
}

async function writeBundle(list: readonly PlainCommit[]): Promise<void> {
  const encoded = encodeBundle(
    { title: 'a test', commitCount: list.length },
    Readable.from(list.map((each) => ({ commit: each.commit, changes: changesOf(each) }))),
  )
  await pipeline(Readable.from(encoded), createBundleCompressor(), createWriteStream(path))
}

async function readAll(history: History): Promise<readonly PlainCommit[]> {
  const list: PlainCommit[] = []
  for await (const { commit, changes } of history.parts()) {
    const { hash, authorDate, subject } = commit
    const files = changes.map((change) => {
      const content = change.type === 'put' ? Uint8Array.from(change.content) : null
      return [Buffer.from(change.path).toString(), content] as const
    })
    list.push({ commit: { hash, authorDate, subject }, files })
  }
  return list
}

function treesOf(list: readonly PlainCommit[]): readonly ReadonlyMap<string, Uint8Array>[] {
  const tree = new Map<string, Uint8Array>()
  return list.map(({ files }) => {
    for (const [name, content] of files) {
      if (content === null) tree.delete(name)
      else tree.set(name, content)
    }
    return new Map(tree)
  })
}

describe('a bundle', () => {
  test('gives back what was put in', async () => {
    await fc.assert(
      fc.asyncProperty(commits, async (list) => {
        await writeBundle(list)
        const history = await openBundle(path)
        expect(history.title).toBe('a test')
        expect(history.commitCount).toBe(list.length)
        expect(await readAll(history)).toEqual(list)
      }),
      { numRuns: 30 },
    )
  })

  test('limited to its newest commits leaves the same trees behind', async () => {
    await fc.assert(
      fc.asyncProperty(commits, fc.integer({ min: 1, max: 9 }), async (list, count) => {
        await writeBundle(list)
        const limited = newestCommits(await openBundle(path), count)
        const read = await readAll(limited)
        expect(read.length).toBe(Math.min(count, list.length))
        expect(limited.commitCount).toBe(read.length)
        expect(read.map((each) => each.commit)).toEqual(
          list.slice(-count).map((each) => each.commit),
        )
        expect(treesOf(read)).toEqual(treesOf(list).slice(-count))
      }),
      { numRuns: 30 },
    )
  })

  test('that is cut short, damaged or none at all is refused', async () => {
    await writeBundle([
      {
        commit: { hash: 'a'.repeat(40), authorDate: 1, subject: 's' },
        files: [['a', Buffer.alloc(1000, 'abc')]],
      },
    ])
    const whole = await readFile(path)
    const texts = [
      'something else\n',
      'revbolt-history 1\n',
      'revbolt-history 1\n{"title":"x","commitCount":-1}\n',
      'revbolt-history 1\n{"title":"x","commitCount":1}\n',
      'revbolt-history 1\n{"title":"x","commitCount":1}\nnot json\n',
      'revbolt-history 1\n{"title":"x","commitCount":1}\n{"hash":"a","authorDate":1}\n',
      `revbolt-history 1\n{"title":"x","commitCount":1}\n${JSON.stringify({
        hash: 'a',
        authorDate: 1,
        subject: '',
        changes: [{ path: 'a', sizeBytes: 1e15 }],
      })}\n`,
    ]
    const damaged = [
      Buffer.alloc(0),
      whole.subarray(0, whole.length >> 1),
      Buffer.from('not compressed'),
      ...texts.map((text) => brotliCompressSync(text)),
    ]
    for (const bytes of damaged) {
      await writeFile(path, bytes)
      await expect(openBundle(path).then(readAll)).rejects.toThrow(BundleError)
    }
  })

  test('that comes along can be read to its end', async () => {
    const history = await openBundle(bundlePath(findHome()))
    const list = await readAll(history)
    expect(list.length).toBe(history.commitCount)
    expect(list.length).toBeGreaterThan(10)
    expect(treesOf(list).at(-1)?.has('engine/engine.ts')).toBe(true)
    expect(new Set(list.map((each) => each.commit.hash)).size).toBe(list.length)
  })
})

describe.skipIf(!hasGit)('exportHistory()', () => {
  test('writes one line of all commits, merges as they came out, always the same', async () => {
    const repository = join(directory, 'repository')
    await makeRepository(repository, [
      {
        subject: 'root',
        date: 1,
        files: [
          ['both', 'root'],
          ['kept', '1'],
          ['testdata/x', 'x'],
        ],
      },
      {
        subject: 'side',
        date: 2,
        files: [
          ['both', 'side'],
          ['side', 's'],
        ],
        parents: [0],
      },
      { subject: 'main', date: 3, files: [['both', 'main']], parents: [0] },
      // Keeps main's version of the file that both changed.
      { subject: 'merge', date: 4, files: [['side', 's']], parents: [2, 1] },
      { subject: 'last', date: 5, files: [['kept', null]] },
    ])
    expect(await exportHistory(repository, ['HEAD'], path)).toBe(5)
    const first = await readFile(path)
    await exportHistory(repository, ['HEAD'], path)
    expect(await readFile(path)).toEqual(first)
    const list = await readAll(await openBundle(path))
    const subjects = list.map((each) => each.commit.subject)
    expect(subjects.toSorted()).toEqual(['last', 'main', 'merge', 'root', 'side'])
    expect(subjects.slice(-2)).toEqual(['merge', 'last'])
    const [merged, last] = treesOf(list).slice(-2)
    const text = (content: Uint8Array | undefined): string => Buffer.from(content ?? []).toString()
    const files = [...(merged ?? [])].map(([name, content]) => `${name}: ${text(content)}`)
    expect(files.toSorted()).toEqual(['both: main', 'kept: 1', 'side: s'])
    expect([...(last?.keys() ?? [])].toSorted()).toEqual(['both', 'side'])
  })

  test('refuses a name that is no commit, and leaves the bundle alone', async () => {
    const repository = join(directory, 'repository')
    await makeRepository(repository, [{ subject: 'root', date: 1, files: [['a', '1']] }])
    await writeFile(path, 'the old one')
    await expect(exportHistory(repository, ['none'], path)).rejects.toThrow(/none/)
    expect(await readFile(path, 'utf8')).toBe('the old one')
  })
})
