/** `revbolt wal` on the log of a store. */
import { copyFile, mkdtemp, open as openFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { del, put } from '../../index.ts'
import type { Ran, RunOptions } from '../../proptest/bolt/run-bolt.ts'
import { jsonLines, walIn } from '../../proptest/bolt/run-bolt.ts'
import { openStillStore } from '../../proptest/bolt/still-store.ts'
import { COMMANDS } from './wal.ts'

let directory = ''
let segment = ''

const wal = (args: readonly string[], options?: RunOptions): Promise<Ran> =>
  walIn(directory, args, options)

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  const store = await openStillStore(join(directory, 'data'))
  await store.put('greeting', 'hello')
  await Promise.all([store.put('a', '1'), store.put('b', 'x'.repeat(100))])
  await store.txn({ success: [put('c', '1'), del('a')] })
  await store.close()
  segment = (await readdir(join(directory, 'data', 'wal')))[0] ?? ''
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** The line of a revision. */
function revision(number: number): unknown {
  return expect.stringMatching(new RegExp(`^ {4}revision ${number}, 20\\d\\d-[-0-9T:.]+Z$`))
}

/** A copy of the segment with the byte at `offset` changed. */
async function changed(offset: number): Promise<string> {
  const path = join(directory, segment)
  await copyFile(join(directory, 'data', 'wal', segment), path)
  const file = await openFile(path, 'r+')
  await file.write(Buffer.from([0xff]), 0, 1, offset)
  await file.close()
  return segment
}

describe('revbolt wal', () => {
  test('without a command shows its help and exits with 2, with --help with 0', async () => {
    const [bare, help] = [await wal([]), await wal(['--help'])]
    expect([bare.code, help.code]).toEqual([2, 0])
    for (const { name } of COMMANDS) expect(help.stdout).toContain(`\n  ${name} `)
    expect(Math.max(...help.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  test.each(COMMANDS.map(({ name }) => name))('%s --help names its options', async (name) => {
    const { code, stdout } = await wal([name, '--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^Usage: revbolt wal ${name} PATH`))
    expect(stdout).toContain('--json')
    expect(stdout).not.toContain('--generation')
  })

  test('what is no log is refused with 3, and says where one would be', async () => {
    expect(await wal(['verify', 'nothing'])).toMatchObject({
      code: 3,
      stderr: 'revbolt wal: nothing: it is not there\n',
    })
    const empty = await wal(['verify', '.'])
    expect(empty.code).toBe(3)
    expect(empty.stderr).toContain('.: no log is there')
    const file = await wal(['dump', 'data/db'])
    expect(file.code).toBe(3)
    expect(file.stderr).toContain('a segment is named')
    expect((await wal(['verify', 'data', 'data'])).code).toBe(2)
    expect((await wal(['data'])).stderr).toContain('revbolt wal verify data')
  })
})

describe('revbolt wal dump', () => {
  test('shows what each group changed, and when', async () => {
    const { code, stdout } = await wal(['dump', 'data'])
    expect(code).toBe(0)
    const lines = stdout.split('\n')
    expect(lines[0]).toBe(segment)
    const from = lines.findIndex((line) => line.includes('revision 2'))
    expect(lines.slice(from, from + 11)).toEqual([
      revision(2),
      '      put "key" {2, 0}  "greeting" = "hello"',
      expect.stringMatching(/^ {2}group 6 {2}at byte 696, \d+ B, synced through 5$/),
      revision(3),
      '      put "key" {3, 0}  "a" = "1"',
      revision(4),
      `      put "key" {4, 0}  "b" = "${'x'.repeat(40)}"… (100 bytes)`,
      expect.stringMatching(/^ {2}group 7 /),
      revision(5),
      '      put "key" {5, 0}  "c" = "1"',
      '      put "key" {5, 1} deleted  "a"',
    ])
    expect(lines.at(-2)).toMatch(/^ {2}\d groups; the end of the log$/)
  })

  test('takes a data directory, its log, or a segment', async () => {
    const { stdout } = await wal(['dump', 'data'])
    expect((await wal(['dump', 'data/wal'])).stdout).toBe(stdout)
    expect((await wal(['dump', `data/wal/${segment}`])).stdout).toBe(stdout)
  })

  test('--from and --limit choose groups, --json gives an object for each', async () => {
    const ran = await wal(['dump', 'data', '--json', '--from', '6', '--limit', '1'])
    expect(ran.code).toBe(0)
    const [line, ...rest] = jsonLines(ran)
    expect(rest).toEqual([])
    expect(line?.['group']).toMatchObject({ txid: 6, segment, offset: 696, syncedThrough: 5 })
    expect(line?.['group'].entries[0].ops[0]).toMatchObject({
      op: 'put',
      path: [{ text: 'key' }],
      etcd: { revision: { main: 3, sub: 0, isTombstone: false }, kv: { key: { text: 'a' } } },
    })
    const all = jsonLines(await wal(['dump', 'data', '--json']))
    expect(all.at(-1)?.['segment']).toMatchObject({ name: segment, end: { kind: 'open' } })
    expect((await wal(['dump', 'data', '--limit', '0'])).code).toBe(2)
  })
})

describe('revbolt wal verify', () => {
  test('says that a log is whole', async () => {
    const { code, stdout } = await wal(['verify', 'data'])
    expect(code).toBe(0)
    expect(stdout).toContain('sound: opening has nothing to do')
    expect(stdout).toMatch(new RegExp(`${segment} +\\d +3 to \\d +\\d.*the end of the log`))
  })

  test('damage: exit code 1, where it is, and that opening would refuse it', async () => {
    const name = await changed(700)
    const { code, stdout } = await wal(['verify', name])
    expect(code).toBe(1)
    expect(stdout).toContain('damaged at byte 696: group 6 is damaged or missing')
    expect(stdout).toContain('damaged: opening would refuse it')
    const [json] = jsonLines(await wal(['verify', '--json', name]))
    expect(json?.['verdict']).toMatchObject({ kind: 'refused', error: { code: 'KV_CORRUPT' } })
    expect((await wal(['dump', name])).code).toBe(1)
  })

  test('a header that can not be read is damage, too', async () => {
    const { code, stdout } = await wal(['verify', await changed(20)])
    expect(code).toBe(1)
    expect(stdout).toContain("the header's checksum is wrong")
  })
})
