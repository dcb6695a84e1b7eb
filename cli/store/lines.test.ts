/** `revbolt export`, `import` and `defrag`: what they print, and what they leave behind. */
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { open } from '../../index.ts'
import type { Ran, RunOptions } from '../../proptest/bolt/run-bolt.ts'
import { jsonLines, storeIn } from '../../proptest/bolt/run-bolt.ts'

let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  const db = await open(join(directory, 'data'))
  await db.grant({ id: 7n, ttlSeconds: 500 })
  await db.put('config/theme', 'dark')
  await db.put('config/theme', 'light', { lease: 7n })
  await db.put(Buffer.from([0xff, 0]), '')
  await db.delete(Buffer.from([0xff, 0]))
  await db.put('note', 'a\nb')
  await db.close()
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

const run = (args: readonly string[], options?: RunOptions): Promise<Ran> =>
  storeIn(directory, args, options)

async function out(args: readonly string[], options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await run(args, options)
  expect({ code, stderr: stderr.replace(/^made a new store in \S+\n/, '') }).toEqual({
    code: 0,
    stderr: '',
  })
  return stdout
}

const HEAD = '{"type":"head","format":"revbolt-lines","formatVersion":1,'
const KEYS =
  `${HEAD}"content":"keys","revision":6}\n` +
  '{"type":"key","key":"config/theme","value":"light","createRevision":2,"modRevision":3,' +
  '"version":2,"lease":"7"}\n' +
  '{"type":"key","key":"note","value":"a\\nb","createRevision":6,"modRevision":6,"version":1}\n' +
  '{"type":"end","count":2,"revision":6,"sha256":"'

describe('export', () => {
  test('writes keys to standard output, and nothing else', async () => {
    expect((await out(['export'])).startsWith(KEYS)).toBe(true)
    expect((await out(['export', 'data'])).startsWith(KEYS)).toBe(true)
    const older = await out(['export', '--rev', '4', '--prefix', 'ff', '--hex'])
    expect(older).toContain('"prefix":{"base64":"/w=="}}\n{"type":"key","key":{"base64":"/wA="}')
    expect(older.split('\n')).toHaveLength(4)
  })

  test('writes a new file, and says what is in it', async () => {
    expect(await out(['export', '-o', 'keys.jsonl'])).toMatch(/^2 keys → keys.jsonl, \d+ B\n$/)
    expect(await readFile(join(directory, 'keys.jsonl'), 'utf8')).toBe(await out(['export']))
    expect(await out(['export', '--history', '--output', 'all.jsonl'])).toMatch(
      /^6 leases and changes → all.jsonl, \d+ B\n$/,
    )
    const [json] = jsonLines(await run(['export', '-o', 'two.jsonl', '--json']))
    expect(json).toMatchObject({ output: 'two.jsonl', history: false, lines: '2' })
    expect((await readdir(directory)).sort()).toEqual([
      'all.jsonl',
      'data',
      'keys.jsonl',
      'two.jsonl',
    ])
  })

  test('replaces no file, and leaves nothing where it can’t write', async () => {
    await writeFile(join(directory, 'there'), 'mine')
    expect(await run(['export', '-o', 'there'])).toEqual({
      code: 3,
      stdout: '',
      stderr:
        'revbolt: there exists\n' +
        '  → nothing is replaced: name another file, or remove that one first\n',
    })
    const nowhere = await run(['export', '-o', 'no/where'])
    expect(nowhere).toMatchObject({ code: 3, stdout: '' })
    expect(nowhere.stderr).toContain('no/where can’t be written: there is no directory for it')
    const future = await run(['export', '--rev', '99', '-o', 'future'])
    expect(future).toMatchObject({ code: 1, stdout: '' })
    expect(future.stderr).toContain('(KV_FUTURE_REVISION)')
    expect((await readdir(directory)).sort()).toEqual(['data', 'there'])
  })
})

describe('import', () => {
  test('puts keys into a store, from a file or from standard input', async () => {
    await out(['export', '-o', 'keys.jsonl'])
    expect(await run(['import', 'copy', 'keys.jsonl'])).toEqual({
      code: 0,
      stdout: '2 keys put, 1 of them no longer on a lease\n',
      stderr: 'made a new store in copy\n',
    })
    expect(await out(['get', '--prefix', '--data', 'copy'])).toBe(
      'config/theme = light\nnote = "a\\nb"\n',
    )
    const again = await run(['import', 'copy', 'keys.jsonl'])
    expect(again.code).toBe(1)
    expect(again.stderr).toContain('line 2: there is a key "config/theme" already (KV_EXISTS)')
    const input = await readFile(join(directory, 'keys.jsonl'))
    const skip = ['import', '-', '--data', 'copy', '--existing', 'skip']
    expect(await out(skip, { input })).toBe('0 keys put, 2 keys left as they are\n')
    const replace = ['import', '-', '--existing', 'replace', '--prefix', 'note', '--json']
    const [json] = jsonLines(await run(replace, { input }))
    expect(json).toMatchObject({ putCount: '1', skippedCount: '0', revision: '7' })
  })

  test('makes a new store of a history, and none of one that is cut', async () => {
    await out(['export', '--history', '-o', 'all.jsonl'])
    const whole = await readFile(join(directory, 'all.jsonl'), 'utf8')
    expect(await out(['import', 'new', 'all.jsonl'])).toBe('new: 2 keys at revision 6, 1 lease\n')
    expect(await out(['history', 'config/theme', '--data', 'new'])).toBe(
      await out(['history', 'config/theme']),
    )
    expect(await out(['import', 'piped', '-'], { input: whole })).toContain('2 keys')
    const there = await run(['import', 'new', 'all.jsonl'])
    expect(there).toMatchObject({ code: 3, stdout: '' })
    expect(there.stderr).toContain('new is not empty (KV_EXISTS)\n  → a history makes a new store')
    const cut = await run(['import', 'cut', '-'], { input: whole.slice(0, -30) })
    expect(cut).toMatchObject({ code: 1, stdout: '' })
    expect(cut.stderr).toContain('line 8: there is no end: the export was cut off (KV_CORRUPT)')
    expect(await readdir(join(directory, 'cut'))).toEqual(['lock'])
  })

  test('makes nothing of what is no export, or can’t be read', async () => {
    await writeFile(join(directory, 'other'), '{"kvs":[]}\n')
    await mkdir(join(directory, 'folder'))
    const told: (readonly [string, number, string])[] = [
      ['other', 3, 'other is no export: its first line is no head'],
      ['none', 3, 'there is no file none'],
      ['folder', 3, 'folder is a directory, not a file'],
    ]
    for (const [name, code, message] of told) {
      const ran = await run(['import', 'new', name])
      expect(ran).toMatchObject({ code, stdout: '' })
      expect(ran.stderr).toContain(`revbolt: ${message}`)
    }
    const empty = await run(['import', 'new', '-'])
    expect(empty).toMatchObject({ code: 3, stdout: '' })
    expect(empty.stderr).toContain('standard input is no export')
    expect((await readdir(directory)).sort()).toEqual(['data', 'folder', 'other'])
  })
})

describe('defrag', () => {
  test('gives free space back, and says so', async () => {
    const db = await open(join(directory, 'data'))
    for (let i = 0; i < 40; i++) await db.put('big', 'x'.repeat(50_000))
    const { revision } = await db.status()
    await db.compact(revision, { physical: true })
    await db.close()
    await cp(join(directory, 'data'), join(directory, 'same'), { recursive: true })
    expect(await out(['defrag'])).toMatch(/^\d.* MiB → \d.* KiB \(\d.* %\)\n$/)
    expect(await out(['defrag', 'data'])).toMatch(/: it is as short as it gets\n$/)
    const [json] = jsonLines(await run(['defrag', 'same', '--json']))
    expect(Number(json?.['sizeBytesAfter'])).toBeLessThan(Number(json?.['sizeBytesBefore']))
    expect(await out(['get', 'note'])).toBe('note = "a\\nb"\n')
  })
})

test.each([
  [['export', '--history', '--prefix', 'a'], '--prefix does not go with --history'],
  [['export', '--history', '--rev', '2'], '--rev does not go with --history'],
  [['export', '--json'], '--json is for --output'],
  [['export', '--output', ''], '--output: it is empty'],
  [['export', 'data', '--data', 'data'], 'leave one away'],
  [['export', 'a', 'b'], 'usage: revbolt export [DIR]'],
  [['import'], 'usage: revbolt import [DIR] FILE'],
  [['import', 'data', 'x', '--existing', 'keep'], '--existing: expected refuse, replace, skip'],
  [['import', 'x', '--wait', 'long'], '--wait: expected seconds'],
  [['defrag', '--data', ''], '--data: it is empty'],
])('%j exits with 2, says why and changes nothing', async (args, message) => {
  const before = await readdir(directory)
  const { code, stdout, stderr } = await run(args)
  if (!args.includes('--json')) expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(code).toBe(2)
  expect(stdout + stderr).toContain(message)
  expect(await readdir(directory)).toEqual(before)
})
