/** Every command on sound files. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEngine } from '../../engine/index.ts'
import type { Ran, RunOptions } from '../../proptest/bolt/run-bolt.ts'
import { boltIn, jsonLines } from '../../proptest/bolt/run-bolt.ts'
import { COMMANDS } from './bolt.ts'
import { nearest } from './call.ts'

let directory = ''

const bolt = (args: readonly string[], options?: RunOptions): Promise<Ran> =>
  boltIn(directory, args, options)

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  const engine = await openEngine(join(directory, 'db'), { pageSizeBytes: 1024 })
  engine.update((tx) => {
    const fruit = tx.createBucket('fruit')
    for (let i = 0; i < 200; i++) fruit.put(`apple ${String(i).padStart(3, '0')}`, `red ${i}`)
    fruit.put('banana', 'yellow\nand sweet')
    fruit.put(Buffer.from('00ff10', 'hex'), Buffer.from('fe', 'hex'))
    fruit.put(Buffer.from('ffff', 'hex'), 'last')
    fruit.setSequence(2n ** 63n)
    fruit.createBucket('inner').put('kiwi', 'green')
    tx.createBucket('big').put('value', Buffer.alloc(5000, 'abc'))
    tx.createBucket('gone')
    for (let i = 0; i < 100; i++) tx.bucket('gone')?.put(`${i}`, Buffer.alloc(100))
  })
  engine.update((tx) => tx.deleteBucket('gone'))
  await engine.close()
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

describe('revbolt bolt', () => {
  test('without a command shows its help and exits with 2, with --help with 0', async () => {
    const bare = await bolt([])
    const help = await bolt(['--help'])
    expect([bare.code, help.code]).toEqual([2, 0])
    expect(help.stdout).toBe(bare.stdout)
    for (const { name } of COMMANDS) expect(help.stdout).toContain(`\n  ${name} `)
    expect(Math.max(...help.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  test.each(COMMANDS.map(({ name }) => name))(
    '%s --help names its options and the exit codes',
    async (name) => {
      const { code, stdout } = await bolt([name, '--help'])
      expect(code).toBe(0)
      expect(stdout).toMatch(new RegExp(`^Usage: revbolt bolt ${name} `))
      expect(stdout).toContain('--json')
      expect(stdout).toContain('Exit codes:')
    },
  )

  test.each([
    [['kyes', 'db'], 'did you mean keys?'],
    [['keys', 'db', 'fruit', '--limt', '3'], 'did you mean --limit?'],
    [['db'], 'name a command before the file: revbolt bolt info db'],
    [['keys', 'db'], 'usage: revbolt bolt keys FILE BUCKET…'],
    [['info', 'db', 'db'], 'usage: revbolt bolt info FILE'],
    [['keys', 'db', 'fruit', '--limit', 'x'], '--limit: expected a whole number'],
    [['keys', 'db', 'fruit', '--format', 'x'], '--format: expected auto'],
    [['keys', 'db', 'fruit', '--format', 'hex', '--json'], '--format is for people'],
    [['get', 'db', 'fruit', '0xabc'], 'is not hex'],
    [['info', 'db', '--generation', 'older'], '--generation: expected newest, previous'],
    [['info', 'db', '--page-size', '1000'], '--page-size: expected a power of two'],
    [['info', 'db', '--wait', 'long'], '--wait: expected seconds'],
    [['pages', 'db', '--type', 'leef'], 'did you mean leaf?'],
    [['page', 'db', '-1'], 'revbolt bolt'],
    [['info', ''], 'an argument is empty'],
  ])('%j exits with 2 and says why', async (args, message) => {
    const { code, stdout, stderr } = await bolt(args)
    expect(code).toBe(2)
    expect(stdout + stderr).toContain(message)
  })

  test('finds the nearest name, and none where none is near', () => {
    expect(nearest('chek', ['check', 'copy'])).toBe('check')
    expect(nearest('insp', ['info', 'inspect'])).toBe('inspect')
    expect(nearest('frobnicate', ['check', 'copy'])).toBeUndefined()
  })
})

describe('info', () => {
  test('shows both metas and which is in use', async () => {
    const { code, stdout } = await bolt(['info', 'db'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/page size +1024 bytes \(meta 0\)/)
    expect(stdout).toMatch(/generation +transaction 3, in meta 1/)
    expect(stdout).toMatch(/Meta 0, at offset 0: good, the generation before/)
    expect(stdout).toMatch(/Meta 1, at offset 1024: good, the one in use/)
    expect(stdout).toMatch(/written by +revbolt/)
  })

  test('--json has the same facts', async () => {
    const [facts] = jsonLines(await bolt(['info', 'db', '--json']))
    expect(facts).toMatchObject({ pageSizeBytes: 1024, txid: 3, slot: 1, missingBytes: 0 })
    expect(facts!['metas'].map((meta: { isGood: boolean }) => meta.isGood)).toEqual([true, true])
    expect(facts!['metas'][0].rootSequence).toBe('0')
  })

  test('--generation previous shows the one before', async () => {
    const [facts] = jsonLines(await bolt(['info', 'db', '--json', '--generation', 'previous']))
    expect(facts).toMatchObject({ txid: 2, slot: 0 })
  })
})

describe('buckets', () => {
  test('shows the tree with counts, sequences and what is inline', async () => {
    const { code, stdout } = await bolt(['buckets', 'db'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^big +1 {2}key$/m)
    expect(stdout).toMatch(/^fruit +203 {2}keys {2}sequence 9223372036854775808$/m)
    expect(stdout).toMatch(/^ {2}inner +1 {2}key +inline$/m)
    expect(stdout).toContain('3 buckets, 205 keys')
  })

  test('--json nests them; a path names where to begin', async () => {
    const [tree] = jsonLines(await bolt(['buckets', 'db', 'fruit', '--json']))
    expect(tree!['path']).toEqual([{ hex: '6672756974', text: 'fruit' }])
    expect(tree!['buckets'][0]).toMatchObject({
      keys: 203,
      sequence: '9223372036854775808',
      buckets: [{ name: { text: 'inner' }, keys: 1, isInline: true, buckets: [] }],
    })
  })
})

describe('keys', () => {
  const keys = async (...args: readonly string[]): Promise<readonly string[]> => {
    const { code, stdout } = await bolt(['keys', 'db', 'fruit', ...args])
    expect(code).toBe(0)
    return stdout.split('\n').slice(0, -1)
  }

  test('shows text quoted, other bytes in hex, and buckets as such', async () => {
    const all = await keys()
    expect(all).toHaveLength(204)
    expect(all[0]).toBe('0x00ff10')
    expect(all.at(-1)).toBe('0xffff')
    expect(all).toContain('"apple 007"')
    expect(all).toContain('"inner"  (bucket)')
  })

  test('--prefix, --limit and --reverse go together', async () => {
    expect(await keys('--prefix', 'apple 00', '--limit', '2')).toEqual([
      '"apple 000"',
      '"apple 001"',
    ])
    expect(await keys('--prefix', 'apple 00', '--limit', '2', '--reverse')).toEqual([
      '"apple 009"',
      '"apple 008"',
    ])
    expect(await keys('--prefix', '0xff', '--reverse')).toEqual(['0xffff'])
    expect(await keys('--prefix', 'zzz')).toEqual([])
    expect(await keys('--prefix', 'zzz', '--reverse')).toEqual([])
  })

  test.each([
    ['auto', '"banana" = "yellow\\nand sweet"'],
    ['text', 'banana = yellow·and sweet'],
    ['hex', '0x62616e616e61 = 0x79656c6c6f770a616e64207377656574'],
    ['base64', 'YmFuYW5h = eWVsbG93CmFuZCBzd2VldA=='],
    ['json', '"banana" = "yellow\\nand sweet"'],
  ])('--values --format %s', async (format, line) => {
    expect(await keys('--prefix', 'ban', '--values', '--format', format)).toEqual([line])
  })

  test('--json prints an object a line, with hex and text', async () => {
    const found = jsonLines(await bolt(['keys', 'db', 'fruit', '--values', '--json']))
    expect(found).toHaveLength(204)
    expect(found[0]).toEqual({ key: { hex: '00ff10' }, value: { hex: 'fe' } })
    expect(found.find(({ key }) => key.text === 'inner')).toMatchObject({ isBucket: true })
  })

  test('names of a nested bucket lead into it', async () => {
    const { stdout } = await bolt(['keys', 'db', 'fruit', 'inner', '--values'])
    expect(stdout).toBe('"kiwi" = "green"\n')
  })

  test('a bucket that is not there: exit code 1, and the nearest name', async () => {
    const { code, stdout, stderr } = await bolt(['keys', 'db', 'friut'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toContain('there is no bucket friut')
    expect(stderr).toContain('did you mean fruit?')
    const wrong = await bolt(['keys', 'db', 'fruit', 'banana'])
    expect(wrong.stderr).toContain('banana in fruit is a key with a value, not a bucket')
  })
})

describe('get', () => {
  test('prints a value; --raw its bytes alone', async () => {
    expect((await bolt(['get', 'db', 'fruit', 'apple 003'])).stdout).toBe('"red 3"\n')
    expect((await bolt(['get', 'db', 'fruit', '0x00ff10'])).stdout).toBe('0xfe\n')
    expect((await bolt(['get', 'db', 'fruit', 'inner', 'kiwi', '--raw'])).stdout).toBe('green')
    const hex = ['get', 'db', 'fruit', '00FF10', '--key-format', 'hex']
    expect((await bolt([...hex.slice(0, 2), '6672756974', ...hex.slice(3)])).stdout).toBe('0xfe\n')
  })

  test('a key that is not there: exit code 1, and the next one', async () => {
    const { code, stderr } = await bolt(['get', 'db', 'fruit', 'apple'])
    expect(code).toBe(1)
    expect(stderr).toContain('there is no key "apple" (5 bytes) in fruit')
    expect(stderr).toContain('the next key there is "apple 000"')
    const failed = await bolt(['get', 'db', 'fruit', 'apple', '--json'])
    expect(jsonLines(failed)[0]!['error']).toMatchObject({ exitCode: 1 })
    expect(failed.stderr).toBe('')
  })

  test('a bucket is no value', async () => {
    const { code, stderr } = await bolt(['get', 'db', 'fruit', 'inner'])
    expect(code).toBe(1)
    expect(stderr).toContain('"inner" in fruit is a bucket')
  })
})

describe('check', () => {
  test('says that a sound file is sound, and exits with 0', async () => {
    const { code, stdout } = await bolt(['check', 'db'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^db is sound\n {2}generation {2}transaction 3\n/)
    const [report] = jsonLines(await bolt(['check', 'db', '--json', '--generation', 'previous']))
    expect(report).toMatchObject({ isClean: true, txid: 2, findings: [] })
  })
})

describe('pages, page and dump', () => {
  test('pages lists every page once', async () => {
    const rows = jsonLines(await bolt(['pages', 'db', '--json']))
    let next = 0
    for (const { id, pages } of rows) {
      expect(id).toBe(next)
      next += pages
    }
    const [facts] = jsonLines(await bolt(['info', 'db', '--json']))
    expect(next).toBe(facts!['highWaterMark'])
    const big = rows.find(({ bucket }) => bucket?.[0]?.text === 'big')
    expect(big).toMatchObject({ type: 'leaf', pages: 5, items: 1 })
    const free = jsonLines(await bolt(['pages', 'db', '--json', '--free']))
    expect(free).toEqual(rows.filter(({ type }) => type === 'free'))
    expect(free.length).toBeGreaterThan(0)
    const text = await bolt(['pages', 'db', '--type', 'meta'])
    expect(text.stdout.split('\n').filter((line) => line.includes(' meta'))).toHaveLength(2)
  })

  test('page takes a page apart', async () => {
    const rows = jsonLines(await bolt(['pages', 'db', '--json']))
    const leaf = rows.find(({ type, bucket }) => type === 'leaf' && bucket?.[0]?.text === 'fruit')!
    const { code, stdout } = await bolt(['page', 'db', `${leaf['id']}`])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      new RegExp(`^Page ${leaf['id']}: leaf, 1.00 KiB at offset ${leaf['offset']}`),
    )
    const [page] = jsonLines(await bolt(['page', 'db', `${leaf['id']}`, '--json']))
    expect(page!['elements']).toHaveLength(leaf['items'])
    expect(page!['notes']).toEqual([])
    const overflow = await bolt([
      'page',
      'db',
      `${rows.find(({ pages }) => pages === 5)!['id'] + 2}`,
    ])
    expect(overflow.stdout).toMatch(/: overflow, .*\n.*It continues page \d+/)
    expect(overflow.code).toBe(0)
  })

  test('dump shows the bytes of the file at their offsets', async () => {
    const bytes = await readFile(join(directory, 'db'))
    const { stdout } = await bolt(['dump', 'db', '1'])
    expect(stdout).toContain('00000410  edda 0ced 0200 0000 0004 0000 0000 0000  magic')
    const [dumped] = jsonLines(await bolt(['dump', 'db', '3', '--json']))
    expect(dumped!['hex']).toBe(
      bytes.subarray(3 * 1024, 3 * 1024 + dumped!['sizeBytes']).toString('hex'),
    )
  })

  test('a page beyond the end: exit code 1', async () => {
    const { code, stderr } = await bolt(['page', 'db', '1000000'])
    expect(code).toBe(1)
    expect(stderr).toContain('db has no page 1000000')
  })
})

describe('stats', () => {
  test('agrees with the pages', async () => {
    const [found] = jsonLines(await bolt(['stats', 'db', '--json']))
    const rows = jsonLines(await bolt(['pages', 'db', '--json']))
    const leaves = rows.filter(({ type, bucket }) => type === 'leaf' && bucket?.length > 0)
    expect(found!['total'].leafPages).toBe(leaves.length)
    expect(found!['total']).toMatchObject({ keys: 206, buckets: 3, inlineBuckets: 1 })
    const { stdout } = await bolt(['stats', 'db', 'fruit'])
    expect(stdout).toMatch(/^ {2}fruit +205 +2 /m)
  })
})

describe('inspect', () => {
  const MAP = /│([^│]+)│/g

  test.each([80, 120])('draws each page once, within %d columns', async (columns) => {
    const { code, stdout } = await bolt(['inspect', 'db'], { columns })
    expect(code).toBe(0)
    const cells = [...stdout.matchAll(MAP)]
      .map((match) => match[1])
      .join('')
      .trimEnd()
    const [facts] = jsonLines(await bolt(['info', 'db', '--json']))
    expect(cells).toHaveLength(facts!['highWaterMark'])
    expect(cells).toMatch(/^%%/)
    expect(cells).toMatch(/Bbbbb/)
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(columns)
  })

  test('counts what pages lists', async () => {
    const [picture] = jsonLines(await bolt(['inspect', 'db', '--json']))
    const rows = jsonLines(await bolt(['pages', 'db', '--json']))
    const count = (type: string): number => rows.filter((row) => row['type'] === type).length
    expect(picture!['pages'].leaf).toBe(count('leaf'))
    expect(picture!['pages'].branch).toBe(count('branch'))
    expect(picture!['freeRuns'].count).toBe(count('free'))
    expect(picture!['buckets'].map(({ letter }: { letter: string }) => letter).sort()).toEqual([
      'A',
      'B',
    ])
  })

  test('has colours on a terminal, none with NO_COLOR, and says the same', async () => {
    const plain = await bolt(['inspect', 'db'], { columns: 80 })
    const terminal = { columns: 80, isTerminal: true }
    const coloured = await bolt(['inspect', 'db'], terminal)
    const without = await bolt(['inspect', 'db'], { ...terminal, environment: { NO_COLOR: '1' } })
    expect(without.stdout).toBe(plain.stdout)
    expect(coloured.stdout).not.toBe(plain.stdout)
    // oxlint-disable-next-line no-control-regex
    expect(coloured.stdout.replaceAll(/\u001b\[\d+m/g, '')).toBe(plain.stdout)
  })
})

describe('copy and compact', () => {
  test.each(['copy', 'compact'])('%s writes a sound file, and replaces none', async (command) => {
    const target = `${command}.db`
    const { code, stdout } = await bolt([command, 'db', target])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^db, .* → (copy|compact)\.db, /)
    expect((await bolt(['check', target])).code).toBe(0)
    const left = (await bolt(['keys', 'db', 'fruit', '--values'])).stdout
    expect((await bolt(['keys', target, 'fruit', '--values'])).stdout).toBe(left)
    const before = await readFile(join(directory, target))
    const again = await bolt([command, 'db', target])
    expect(again.code).toBe(3)
    expect(again.stderr).toContain(`${target} exists`)
    expect(await readFile(join(directory, target))).toEqual(before)
  })

  test('compact is smaller; copy of the previous generation has what was deleted', async () => {
    const [small] = jsonLines(await bolt(['compact', 'db', 'small.db', '--json']))
    expect(small!['targetBytes']).toBeLessThan(small!['sourceBytes'])
    expect(small!['targetBytes']).toBe((await stat(join(directory, 'small.db'))).size)
    await bolt(['copy', 'db', 'before.db', '--generation', 'previous'])
    expect((await bolt(['keys', 'before.db', 'gone'])).code).toBe(0)
    expect((await bolt(['keys', 'db', 'gone'])).code).toBe(1)
  })

  test('a target that can’t be written: exit code 3', async () => {
    const { code, stderr } = await bolt(['copy', 'db', join('nowhere', 'x.db')])
    expect(code).toBe(3)
    expect(stderr).toContain('can’t be written')
  })
})

describe('a file in use', () => {
  test('is named as such; --wait waits, --no-lock looks all the same', async () => {
    const engine = await openEngine(join(directory, 'held.db'))
    engine.update((tx) => tx.createBucket('b').put('k', 'v'))
    const refused = await bolt(['keys', 'held.db', 'b'])
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain('held.db is in use: it is locked by')
    expect(refused.stderr).toContain('--wait SECONDS')
    expect((await bolt(['info', 'held.db'])).code).toBe(3)
    expect((await bolt(['keys', 'held.db', 'b', '--no-lock'])).stdout).toBe('"k"\n')
    const waiting = bolt(['keys', 'held.db', 'b', '--wait', '20'])
    await engine.close()
    expect(await waiting).toMatchObject({ code: 0, stdout: '"k"\n' })
  })

  test('several may look at once', async () => {
    const engine = await openEngine(join(directory, 'db'), { readOnly: true })
    expect((await bolt(['check', 'db'])).code).toBe(0)
    await engine.close()
  })
})

test('a stop is passed on', async () => {
  const stop = new AbortController()
  stop.abort(new Error('stopped'))
  await expect(bolt(['pages', 'db'], { signal: stop.signal })).rejects.toThrow('stopped')
})
