/** The whole run on a small repository, its printed facts checked against git itself. */
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Capture } from '../proptest/capture.ts'
import type { PlannedCommit } from '../proptest/git-repository.ts'
import { git, hasGit, makeRepository } from '../proptest/git-repository.ts'
import { open } from '../index.ts'
import { openEngine } from '../engine/index.ts'
import { readArguments } from './arguments.ts'
import { displayWidth } from './format.ts'
import type { Environment } from './screen.ts'
import { Screen } from './screen.ts'
import { findHome } from './source.ts'
import { walkThrough } from './walkthrough.ts'

const MAIN_FILE = 'docs/the guide "1".md'
const COMMITS = 60

let root = ''
let repository = ''

/** Lines that come, change and go, and a file in each commit. */
function plan(): PlannedCommit[] {
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`)
  return Array.from({ length: COMMITS }, (_, number): PlannedCommit => {
    const files: PlannedCommit['files'][number][] = [[`extra/${number % 25}`, `${number}`]]
    if (number % 3 === 0) {
      lines[(number * 7) % lines.length] = `changed in ${number}`
      lines.splice((number * 5) % lines.length, number % 2, `new in ${number}\t\u001b[31m`)
      files.push([MAIN_FILE, `${lines.join('\n')}\n`])
    }
    if (number === 10) files.push(['binary', Buffer.alloc(1000)], ['gone later', 'x'])
    if (number === 55) files.push(['gone later', null], ['renamed', 'x'])
    return { subject: `commit ${number} \u001b[0m`, date: 1_600_000_000 + number * 86_400, files }
  })
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  repository = join(root, 'repository')
  if (hasGit) await makeRepository(repository, plan())
})

afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

async function run(
  args: readonly string[],
  options: { readonly output?: Capture; readonly environment?: Environment; home?: string } = {},
): Promise<string> {
  const output = options.output ?? new Capture()
  const screen = new Screen(output, options.environment ?? {})
  await walkThrough(readArguments(args), {
    screen,
    progressScreen: screen,
    directory: root,
    signal: new AbortController().signal,
    home: options.home ?? findHome(),
  })
  return output.text
}

function find(text: string, pattern: RegExp): readonly string[] {
  const match = pattern.exec(text)
  if (match === null) throw new Error(`nothing like ${pattern} in\n${text}`)
  return match.slice(1)
}

function gitText(...args: readonly string[]): string {
  return git(repository, ...args).toString()
}

/** The lines below a title, up to the next line that is not one of them. */
function excerpt(text: string, title: RegExp): readonly string[] {
  const lines = text.split('\n')
  const first = lines.findIndex((line) => title.test(line)) + 1
  const rest = lines.slice(first)
  const end = rest.findIndex((line) => !line.startsWith('    '))
  return rest.slice(0, end).map((line) => line.trim())
}

function numbered(content: string, from: number): readonly string[] {
  return content
    .split('\n')
    .slice(from - 1, from + 2)
    .map((line, index) => `${from + index}  ${line}`.replace('\t\u001b', '  ·').trim())
}

describe.skipIf(!hasGit)('the first run', () => {
  test('prints what git says too', async () => {
    const text = await run(['repository'])
    expect(text).toContain(`git history of repository, branch main, ${COMMITS} commits`)
    expect(text).toContain(`${COMMITS} transactions: `)
    expect(text).not.toContain('\u001b')
    expect(text.trimEnd().split('\n').length).toBeLessThan(60)
    for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(80)

    const hashes = gitText('log', '--format=%h', '--abbrev=7', '--', MAIN_FILE).trim().split('\n')
    expect(find(text, /"1"\.md: put (\d+) times/)).toEqual([`${hashes.length}`])
    const listed = [...text.matchAll(/revision (\d+) {2}.* {2}([0-9a-f]{7}) {2}commit (\d+)/g)]
    expect(listed.map((match) => match[2])).toEqual(hashes.slice(0, 5))
    for (const [, revision, , number] of listed) expect(Number(revision)).toBe(Number(number) + 2)

    const [ago, from] = find(text, /The same file (\d+) commits ago and now, from line (\d+)/)
    const past = gitText('show', `HEAD~${ago}:${MAIN_FILE}`)
    const present = gitText('show', `HEAD:${MAIN_FILE}`)
    expect(past).not.toBe(present)
    const hash = gitText('rev-parse', '--short=7', `HEAD~${ago}`).trim()
    expect(text).toContain(`${ago} commits ago: ${hash}, revision ${COMMITS - Number(ago) + 1}`)
    expect(excerpt(text, /commits ago: /)).toEqual(numbered(past, Number(from)))
    expect(excerpt(text, /^ {2}now: /)).toEqual(numbered(present, Number(from)))
  })

  test('tells what changed as git diff does', async () => {
    const text = await run(['repository'])
    const span = ['HEAD~10', 'HEAD'] as const
    const status = gitText('diff', '--name-status', '--no-renames', ...span)
    const count = (kind: string): number =>
      [...status.matchAll(new RegExp(`^${kind}`, 'gm'))].length
    expect(text).toContain(`from revision ${COMMITS - 9} to ${COMMITS + 1}`)
    expect(text).toContain(`${count('A')} file added, ${count('M')} changed, ${count('D')} deleted`)
    expect(text).toContain('  + renamed\n')
    expect(text).toContain('  - gone later\n')
    const stat = gitText('diff', '--numstat', '--minimal', ...span, '--', MAIN_FILE)
    const [added, deleted] = stat.split('\t')
    expect(text).toContain(`"1".md: +${added} -${deleted} lines`)
    const files = gitText('ls-tree', '-r', '--name-only', 'HEAD').trim().split('\n').length
    expect(text).toContain(`${COMMITS} revisions, all readable; ${files} files now`)
    expect(text).toMatch(/check +no damage in \d+ pages, \d+ entries, in /)
    expect(text).toMatch(/reopen +\S+ \S+; same revision/)
    expect(text).toMatch(/a bbolt file without a log, two syncs +\S+\/s +p50 /)
    expect(text).toMatch(/`await put`, 64 callers +\S+\/s +p50 /)
  })

  test('leaves nothing behind, unless it is told to keep the store', async () => {
    const temporary = find(await run(['repository']), /into +(\S+) \(removed at the end\)/)[0]!
    expect(existsSync(temporary)).toBe(false)
    await run(['repository', '--data', 'kept', '--commits', '12'])
    await run(['repository', '--data', 'kept', '--commits', '20'])
    const db = await open(join(root, 'kept'))
    try {
      expect((await db.status()).revision).toBe(21)
      const { value } = (await db.get(`file/${MAIN_FILE}`))!
      expect(value).toBe(gitText('show', `HEAD:${MAIN_FILE}`))
      const then = await db.get(`file/${MAIN_FILE}`, { revision: 21 - 15 })
      expect(then?.value).toBe(gitText('show', `HEAD~15:${MAIN_FILE}`))
    } finally {
      await db.close()
    }
    const engine = await openEngine(join(root, 'kept', 'db'), { readOnly: true })
    expect(engine.check().isClean).toBe(true)
    await engine.close()
  })

  test('refuses a directory that is not its own, and a path that is no repository', async () => {
    await expect(run(['repository', '--data', 'repository'])).rejects.toThrow(/not empty/)
    expect(await readdir(repository)).toEqual(['.git'])
    await expect(run(['nowhere'])).rejects.toThrow(/nowhere/)
  })

  test('shows histories with next to nothing in them', async () => {
    const cases: readonly (readonly PlannedCommit[])[] = [
      [{ subject: '', date: 0, files: [] }],
      [{ subject: 'one', date: 0, files: [['only', 'text']] }],
      [
        { subject: 'binary', date: 0, files: [['b', Buffer.alloc(10)]] },
        { subject: 'all gone', date: 0, files: [['b', null]] },
      ],
      [
        { subject: 'empty', date: 0, files: [['a', '']] },
        { subject: 'mode', date: 0, files: [['a', { mode: '100755', content: '' }]] },
      ],
    ]
    for (const [index, commits] of cases.entries()) {
      await makeRepository(join(root, `small-${index}`), commits)
      const text = await run([`small-${index}`])
      expect(text).toContain(`Loaded ${commits.length} commit`)
      expect(text).toContain('no damage in')
    }
  })

  test('colours a terminal, unless NO_COLOR is set, and fits its width', async () => {
    const narrow = { isTTY: true, columns: 50 }
    const coloured = await run(['repository'], { output: new Capture(narrow) })
    // oxlint-disable-next-line no-control-regex
    const plain = coloured.replaceAll(/\u001b\[\d*[mK]/g, '')
    expect(coloured).toContain('\u001b[1m')
    expect(plain).not.toContain('\u001b')
    for (const line of plain.split(/[\r\n]/)) expect(displayWidth(line)).toBeLessThanOrEqual(50)
    const output = new Capture(narrow)
    const text = await run(['repository'], { output, environment: { NO_COLOR: '1' } })
    expect(text).not.toMatch(/\u001b\[\d+m/) // oxlint-disable-line no-control-regex
  })
})

describe('without a history at hand', () => {
  test('the first run shows the bundled export, and says so', async () => {
    // Tests may run where the project has no history, so it is always looked for in vain here.
    const text = await run(['--commits', '15'], { home: await homeWithoutHistory() })
    expect(text).toContain('(the export that comes along), 15 commits')
    expect(text).toMatch(/why +git: /)
    expect(text).toContain('no damage in')
  })
})

async function homeWithoutHistory(): Promise<string> {
  const home = join(root, 'home')
  await cp(join(findHome(), 'testdata', 'history'), join(home, 'testdata', 'history'), {
    recursive: true,
  })
  return home
}
