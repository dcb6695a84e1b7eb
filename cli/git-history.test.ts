import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PlannedCommit } from '../proptest/git-repository.ts'
import { git, hasGit, makeRepository } from '../proptest/git-repository.ts'
import { BlobReader } from './git-blobs.ts'
import { openGitHistory } from './git-history.ts'
import { GitError } from './git-process.ts'
import type { CommitInfo, CommitPart, History } from './history.ts'
import { FILE_BYTES_MAX, newestCommits } from './history.ts'

let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

interface ReadCommit {
  readonly commit: CommitInfo
  /** Path, as latin1, to content, or null for a deleted file. */
  readonly files: Readonly<Record<string, string | null>>
}

function readable(part: CommitPart): ReadCommit {
  const files: Record<string, string | null> = {}
  for (const change of part.changes) {
    const content = change.type === 'put' ? Buffer.from(change.content).toString('latin1') : null
    files[Buffer.from(change.path).toString('latin1')] = content
  }
  return { commit: part.commit, files }
}

async function readAll(history: History): Promise<readonly ReadCommit[]> {
  const commits: ReadCommit[] = []
  for await (const part of history.parts()) commits.push(readable(part))
  return commits
}

async function filesOf(plan: Iterable<PlannedCommit>): Promise<readonly ReadCommit['files'][]> {
  await makeRepository(directory, plan)
  const history = await openGitHistory(directory)
  const commits = await readAll(history)
  expect(commits.length).toBe(history.commitCount)
  return commits.map((commit) => commit.files)
}

function plan(...files: readonly PlannedCommit['files'][]): PlannedCommit[] {
  return files.map((each, index) => ({ subject: `commit ${index}`, date: index, files: each }))
}

describe.skipIf(!hasGit)('a git history', () => {
  test('keeps every name that git keeps', async () => {
    const names = [
      'with space',
      ' leading and trailing ',
      '"quoted"',
      'back\\slash',
      'new\nline',
      'tab\there',
      ':100644 100644 like a raw entry M',
      'ünïcode/日本語',
      '-option',
      '\u001b[31mred',
    ]
    const files = names.map((name, index) => [name, `${index}`] as const)
    const invalid = Buffer.from([0x66, 0xff, 0xfe])
    const [root] = await filesOf(plan([...files, [invalid, 'not UTF-8']]))
    const expected = files.map(([name, text]) => [Buffer.from(name).toString('latin1'), text])
    expect(root).toEqual({
      ...Object.fromEntries(expected),
      [invalid.toString('latin1')]: 'not UTF-8',
    })
  })

  test('has puts, deletes, renames as both, and commits that change nothing', async () => {
    const commits = await filesOf(
      plan(
        [],
        [
          ['a', '1'],
          ['b', '2'],
        ],
        [
          ['a', null],
          ['c', '1'],
        ],
        [],
        [['b', '']],
        [['b', '2']],
      ),
    )
    expect(commits).toEqual([
      {},
      { a: '1', b: '2' },
      { a: null, c: '1' },
      {},
      { b: '' },
      { b: '2' },
    ])
  })

  test('has a file that becomes a directory, and the way back', async () => {
    const commits = await filesOf(
      plan(
        [['a', 'file']],
        [
          ['a', null],
          ['a/b', 'inside'],
        ],
        [
          ['a/b', null],
          ['a', 'file again'],
        ],
      ),
    )
    expect(commits[1]).toEqual({ a: null, 'a/b': 'inside' })
    expect(commits[2]).toEqual({ a: 'file again', 'a/b': null })
  })

  test('puts a file whose mode alone changed, links as targets, submodules as a line', async () => {
    const hash = 'a'.repeat(40)
    const commits = await filesOf(
      plan(
        [['run', '#!/bin/sh']],
        [['run', { mode: '100755', content: '#!/bin/sh' }]],
        [['link', { mode: '120000', content: 'run' }]],
        [['module', { mode: '160000', content: hash }]],
        [['module', 'now a file']],
        [['module', null]],
      ),
    )
    expect(commits.slice(1)).toEqual([
      { run: '#!/bin/sh' },
      { link: 'run' },
      { module: `Subproject commit ${hash}\n` },
      { module: 'now a file' },
      { module: null },
    ])
  })

  test('keeps every byte of a file, and notes one that is too large', async () => {
    const binary = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const limit = Buffer.alloc(FILE_BYTES_MAX, 'x')
    const large = Buffer.alloc(FILE_BYTES_MAX + 1, 'y')
    const [root, next] = await filesOf(
      plan(
        [
          ['a large', large],
          ['binary', binary],
          ['limit', limit],
        ],
        [['after', 'still in step']],
      ),
    )
    expect(root?.['binary']).toBe(binary.toString('latin1'))
    expect(root?.['limit'] === limit.toString('latin1')).toBe(true)
    expect(root?.['a large']).toBe(`content of ${large.length} bytes left out\n`)
    expect(next).toEqual({ after: 'still in step' })
  })

  test('follows first parents: a merge brings in what its branch did', async () => {
    const commits = await filesOf([
      { subject: 'root', date: 1, files: [['a', '1']] },
      { subject: 'side', date: 2, files: [['side', 's']], parents: [0] },
      { subject: 'more side', date: 3, files: [['side', 't']], parents: [1] },
      { subject: 'main', date: 4, files: [['a', '2']], parents: [0] },
      { subject: 'merge', date: 5, files: [['side', 't']], parents: [3, 2] },
    ])
    expect(commits).toEqual([{ a: '1' }, { a: '2' }, { side: 't' }])
  })

  test('tells hash, author date and subject, whatever the message is', async () => {
    const messages = ['', 'plain', 'first line\nsecond line\n\nbody', ':100644 colon', 'Grüße 日本']
    await makeRepository(
      directory,
      messages.map((subject, index) => ({ subject, date: 1_700_000_000 + index, files: [] })),
    )
    const hashes = git(directory, 'rev-list', '--reverse', 'HEAD').toString().trim().split('\n')
    const commits = await readAll(await openGitHistory(directory))
    expect(commits.map((each) => each.commit)).toEqual(
      ['', 'plain', 'first line second line', ':100644 colon', 'Grüße 日本'].map(
        (subject, index) => ({ hash: hashes[index], authorDate: 1_700_000_000 + index, subject }),
      ),
    )
  })

  test('does not care how git is configured', async () => {
    await makeRepository(
      directory,
      plan(
        [['ä', '1']],
        [
          ['ä', null],
          ['b', '1'],
        ],
      ),
    )
    const before = await readAll(await openGitHistory(directory))
    for (const [name, value] of [
      ['diff.renames', 'copies'],
      ['core.quotePath', 'true'],
      ['log.showSignature', 'true'],
      ['log.showRoot', 'false'],
      ['diff.noprefix', 'true'],
      ['color.ui', 'always'],
      ['i18n.logOutputEncoding', 'latin1'],
      ['diff.orderFile', '/dev/null'],
    ] as const) {
      git(directory, 'config', name, value)
    }
    expect(await readAll(await openGitHistory(directory))).toEqual(before)
  })

  test('limited to the newest commits begins with a whole tree', async () => {
    await makeRepository(
      directory,
      plan([['a', '1']], [['b', '2']], [['a', null]], [['c', '3']], [['b', '4']]),
    )
    const limited = await openGitHistory(directory, { commitsMax: 2 })
    const commits = await readAll(limited)
    expect(limited.commitCount).toBe(2)
    expect(commits.map((each) => each.files)).toEqual([{ b: '2', c: '3' }, { b: '4' }])
    // The same as when the whole is read and folded.
    expect(await readAll(newestCommits(await openGitHistory(directory), 2))).toEqual(commits)
    expect((await openGitHistory(directory, { commitsMax: 9 })).commitCount).toBe(5)
  })

  test('of a shallow clone begins where the clone does', async () => {
    await makeRepository(directory, plan([['a', '1']], [['b', '2']], [['c', '3']]))
    const clone = join(directory, 'clone')
    git('.', 'clone', '--quiet', '--depth=2', pathToFileURL(directory).href, clone)
    const commits = await readAll(await openGitHistory(clone))
    expect(commits.map((each) => each.files)).toEqual([{ a: '1', b: '2' }, { c: '3' }])
  })

  test('reads far more commits and files than it looks ahead', async () => {
    const count = 700
    const files = await filesOf(
      Array.from({ length: count }, (_, index) => ({
        subject: `${index}`,
        date: index,
        files: Array.from(
          { length: 1 + (index % 5) },
          (_, file) => [`${file}`, `${index}`] as const,
        ),
      })),
    )
    expect(files.length).toBe(count)
    files.forEach((each, index) => {
      expect(Object.keys(each).length).toBe(1 + (index % 5))
      expect(new Set(Object.values(each))).toEqual(new Set([`${index}`]))
    })
  })

  test('can be left early, and ends its processes', async () => {
    await filesOf(plan([['a', '1']], [['a', '2']], [['a', '3']]))
    const history = await openGitHistory(directory)
    for await (const part of history.parts()) {
      expect(part.commit.subject).toBe('commit 0')
      break
    }
  })
})

describe.skipIf(!hasGit)('what is no history', () => {
  test('no directory, no repository, no commit: each says so', async () => {
    await expect(openGitHistory(join(directory, 'none'))).rejects.toThrow(/No such file/)
    await expect(openGitHistory(directory)).rejects.toThrow(/not a git repository/)
    git('.', 'init', '--quiet', directory)
    await expect(openGitHistory(directory)).rejects.toThrow(/no commits/)
  })

  test('a directory inside a repository is not one of its own, if it must be', async () => {
    await makeRepository(directory, plan([['a', '1']]))
    const inside = join(directory, 'inside')
    await mkdir(inside)
    await expect(openGitHistory(inside, { mustBeRoot: true })).rejects.toThrow(GitError)
    expect((await openGitHistory(directory, { mustBeRoot: true })).commitCount).toBe(1)
    expect((await openGitHistory(inside)).commitCount).toBe(1)
  })

  async function damage(what: string, how: (path: string) => Promise<void>): Promise<History> {
    // So few objects are left loose, each in a file of its own.
    await makeRepository(directory, plan([['a', '1']], [['a', '2']], [['a', '3']]))
    const id = git(directory, 'rev-parse', what).toString().trim()
    const history = await openGitHistory(directory)
    await how(join(directory, '.git', 'objects', id.slice(0, 2), id.slice(2)))
    return history
  }

  test('a repository with a hole ends in what git says, not in a hang', async () => {
    const history = await damage('HEAD^{tree}', (path) => rm(path))
    await expect(readAll(history)).rejects.toThrow(GitError)
  })

  test('so does one with a hole where history begins', async () => {
    const history = await damage('HEAD~2^{tree}', (path) => rm(path))
    await expect(readAll(history)).rejects.toThrow(GitError)
  })

  test('so does one with damaged contents', async () => {
    const history = await damage('HEAD~1:a', async (path) => {
      await rm(path)
      await writeFile(path, 'no object')
    })
    await expect(readAll(history)).rejects.toThrow(GitError)
  })

  test('so does one with a content that is gone', async () => {
    const history = await damage('HEAD~1:a', (path) => rm(path))
    await expect(readAll(history)).rejects.toThrow(/missing or damaged/)
  })

  test('a content that a partial clone does not have is passed over', async () => {
    await makeRepository(directory, plan([['a', 'here']]))
    const oid = git(directory, 'rev-parse', 'HEAD:a').toString().trim()
    const blobs = new BlobReader(directory, { sizeBytesMax: 100, mayMiss: true })
    try {
      blobs.ask(['f'.repeat(40), oid])
      expect(await blobs.read()).toEqual({ content: undefined, sizeBytes: undefined })
      expect(Buffer.from((await blobs.read()).content ?? []).toString()).toBe('here')
    } finally {
      blobs.stop()
    }
  })
})

describe('without git', () => {
  test('says so', async () => {
    const { PATH } = process.env
    try {
      process.env['PATH'] = directory
      await writeFile(join(directory, 'not-git'), '')
      await expect(openGitHistory(directory)).rejects.toMatchObject({
        name: 'GitError',
        isAbsent: true,
        message: 'no git program was found',
      })
    } finally {
      process.env['PATH'] = PATH
    }
    expect(execFileSync(process.execPath, ['-e', 'console.log(1)']).toString()).toBe('1\n')
  })
})
