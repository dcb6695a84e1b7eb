/** Commands on a store: what they print, to the letter, and what they leave behind. */
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { open } from '../../index.ts'
import type { Ran, RunOptions } from '../../proptest/bolt/run-bolt.ts'
import { jsonLines, storeIn } from '../../proptest/bolt/run-bolt.ts'
import { nearest } from '../bolt/call.ts'
import { LEASE_COMMANDS } from './lease.ts'
import { COMMANDS, NAMES } from './store.ts'

let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

const run = (args: readonly string[], options?: RunOptions): Promise<Ran> =>
  storeIn(directory, args, options)

/** Standard output of a call that must do well. */
async function out(args: readonly string[], options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await run(args, options)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

let made = ''

beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  const db = await open(join(made, 'data'))
  await db.put('config/theme', 'dark')
  await db.put('config/lang', '{"name":"en"}')
  await db.put('config/theme', 'light')
  await db.put(Buffer.from([0xff, 0]), Buffer.from([0x1b, 0x80]))
  await db.put('note', 'a\nb\u001b[31m')
  await db.put('empty', '')
  await db.delete('config/lang')
  await db.close()
})

afterAll(async () => {
  await rm(made, { recursive: true, force: true })
})

/** Gives a test a store of its own. */
async function fill(): Promise<void> {
  await cp(made, directory, { recursive: true })
}

const colours = { environment: { FORCE_COLOR: '1' }, isTerminal: true, columns: 80 }

/** They read something else first, or make a store. */
const READING: ReadonlySet<string> = new Set(['put', 'txn', 'import'])

describe('every command', () => {
  const all = [
    ...COMMANDS.map((command) => ({ command, words: [command.name] })),
    ...LEASE_COMMANDS.map((command) => ({ command, words: ['lease', command.name] })),
  ]

  test.each(all)('$words --help is readable, with an example', async ({ words }) => {
    const { code, stdout } = await run([...words, '--help'])
    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^Usage: revbolt ${words.join(' ')} .*\\n\\n`))
    expect(stdout).toContain('  $ ')
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  test.each([[['--help']], [['lease', '--help']]])('%j lists them', async (words) => {
    const { code, stdout } = await run(words)
    expect(code).toBe(0)
    const names = words.length === 1 ? COMMANDS : LEASE_COMMANDS
    for (const { name } of names) expect(stdout).toContain(`\n  ${name}`)
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  test.each(all.filter(({ command }) => !READING.has(command.name)))(
    '$words makes no store where there is none, unless it is to write a new thing',
    async ({ command, words }) => {
      if (command.name === 'grant') return
      const argument = command.counts[0] === 0 ? [] : ['1']
      const extra = command.name === 'compact' || command.name === 'get' ? ['1'] : argument
      const { code, stderr } = await run([...words, ...extra])
      expect(code).toBe(3)
      expect(stderr).toContain('there is no store in data\n  → --data DIR or $REVBOLT_DATA')
      expect(await readdir(directory)).toEqual([])
    },
  )

  test.each([
    [['gte', 'a'], 'there is no command gte; did you mean get?'],
    [['get'], 'KEY is missing'],
    [['get', ''], 'KEY is empty'],
    [['get', 'a', 'b', 'c'], 'usage: revbolt get KEY [END]'],
    [['get', 'a', 'b', '--prefix'], 'END does not go with --prefix'],
    [['get', 'b', 'a'], 'END is not behind KEY'],
    [['get', 'a', '--prefix', '--from-key'], 'choose one'],
    [['get', 'a', '--prfix'], 'get has no option --prfix; did you mean --prefix?'],
    [['get', 'a', '--rev', '0'], '--rev: expected a whole number of 1 or more, got 0'],
    [['get', 'a', '--order', 'up'], '--order: expected ascend, descend; got up'],
    [['get', 'a', '--prefix', '--raw'], '--raw is for one key'],
    [['get', 'abc', '--hex'], 'abc is not hex'],
    [['get', 'a', '--base64'], 'a is not base64'],
    [['get', 'a', '--hex', '--base64'], 'choose one'],
    [['put', '', 'x'], 'KEY is empty'],
    [['put', 'k', '-5'], 'what begins with - and is no option goes behind --'],
    [['put', 'k', 'v', '--ignore-value'], 'leave VALUE away'],
    [['put', 'k', 'v', '--lease', 'xyz'], '--lease: expected up to 16 hex digits, got xyz'],
    [['put', 'k', 'v', '--lease', '0'], '--lease: 0 is no lease'],
    [['put', 'k', 'v', '--lease', '1', '--ignore-lease'], 'choose one'],
    [['put', 'k', 'v', '--wait', 'long'], '--wait: expected seconds, got long'],
    [['put', 'k', 'v', '--data', ''], '--data: it is empty'],
    [['compact'], 'name the revision, or how many to --keep'],
    [['compact', 'x'], 'REV: expected a whole number'],
    [['watch', '--only', 'puts'], '--only: expected put or delete'],
    [['watch', '--once', '--progress'], '--progress does not go with --once'],
    [['history', ''], 'an argument is empty'],
    [['lease', 'grant', '1.5'], 'SECONDS: expected a whole number'],
    [['lease', 'rewnew', '1'], 'did you mean renew?'],
  ])('%j exits with 2, says why and makes nothing', async (args, message) => {
    const { code, stdout, stderr } = await run(args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(await readdir(directory)).toEqual([])
  })

  test('--json says what is wrong on standard output', async () => {
    const [failure] = jsonLines(await run(['get', 'a', '--json']))
    expect(failure).toMatchObject({ error: { message: 'there is no store in data', exitCode: 3 } })
    const [slip] = jsonLines(await run(['get', 'a', '--raw', '--json']))
    expect(slip).toMatchObject({ error: { message: '--json does not go with --raw', exitCode: 2 } })
    await fill()
    const [future] = jsonLines(await run(['get', 'a', '--rev', '99', '--json']))
    expect(future).toMatchObject({ error: { code: 'KV_FUTURE_REVISION', exitCode: 1 } })
  })

  test('the directory: --data, else $REVBOLT_DATA, else ./data', async () => {
    const environment = { REVBOLT_DATA: 'two' }
    await run(['put', 'k', '1', '--data', 'one'])
    await run(['put', 'k', '2'], { environment })
    await run(['put', 'k', '3'])
    expect((await readdir(directory)).sort()).toEqual(['data', 'one', 'two'])
    expect(await out(['get', 'k', '--data', 'one'], { environment })).toBe('k = 1\n')
    expect(await out(['get', 'k'], { environment })).toBe('k = 2\n')
    expect(await out(['get', 'k'])).toBe('k = 3\n')
  })

  test('a directory of something else is left alone', async () => {
    await mkdir(join(directory, 'data'))
    await writeFile(join(directory, 'data', 'report.csv'), '1')
    const { code, stderr } = await run(['put', 'k', 'v'])
    expect(code).toBe(3)
    expect(stderr).toContain('revbolt: data holds report.csv and no store\n')
    expect(await readdir(join(directory, 'data'))).toEqual(['report.csv'])
    const file = await run(['get', 'k', '--data', 'data/report.csv'])
    expect(file.code).toBe(3)
    expect(file.stderr).toContain('data/report.csv is a file, not a directory')
  })

  test('a store that is open elsewhere: KV_LOCKED, by whom, and what to do', async () => {
    const db = await open(join(directory, 'data'))
    try {
      const { code, stderr } = await run(['get', 'k'])
      expect(code).toBe(3)
      expect(stderr).toMatch(/^revbolt: data is in use: .* \(KV_LOCKED\)$/m)
      expect(stderr).toContain(String(process.pid))
      expect(stderr).toContain('--wait SECONDS')
    } finally {
      await db.close()
    }
  })

  test('names are near enough to be found', () => {
    expect(nearest('wacth', NAMES)).toBe('watch')
    expect(nearest('hist', NAMES)).toBe('history')
  })
})

describe('put', () => {
  test('tells the revision, and with --prev what was there', async () => {
    expect(await run(['put', 'k', 'a'])).toEqual({
      code: 0,
      stdout: 'revision 2\n',
      stderr: 'made a new store in data\n',
    })
    expect(await out(['put', 'k', '', '--prev'])).toBe(
      'revision 3\nwas k = a  create 2  mod 2  version 1\n',
    )
    expect(await out(['get', 'k'])).toBe('k = ""\n')
    const [json] = jsonLines(await run(['put', 'k', 'c', '--prev', '--json']))
    expect(json).toEqual({
      revision: '4',
      previous: {
        key: { hex: '6b', text: 'k' },
        value: { hex: '', text: '' },
        createRevision: '2',
        modRevision: '3',
        version: '2',
        lease: '0',
      },
    })
  })

  test('takes standard input without a value and for -, to the byte', async () => {
    const input = Uint8Array.from([0, 0xff, 0x0a])
    await run(['put', 'a'], { input })
    await out(['put', 'b', '-'], { input })
    expect(await out(['get', 'a'])).toBe('a = 0x00ff0a\n')
    expect(await out(['get', 'b'])).toBe('b = 0x00ff0a\n')
  })

  test('--hex and --base64 are for keys and values', async () => {
    await run(['put', '--hex', '00ff', '0x1b'])
    expect(await out(['get', '--prefix'])).toBe('0x00ff = "\\u001b"\n')
    expect(await out(['get', '--hex', '00ff'])).toBe('00ff = 1b\n')
    expect(await out(['get', '--base64', 'AP8='])).toBe('AP8= = Gw==\n')
  })

  test('--ignore-value keeps the value, and fails without a key', async () => {
    await run(['put', 'k', 'v'])
    expect(await out(['put', 'k', '--ignore-value'])).toBe('revision 3\n')
    expect(await out(['get', 'k', '--long'])).toBe('k = v  create 2  mod 3  version 2\n')
    const { code, stderr } = await run(['put', 'other', '--ignore-value'])
    expect(code).toBe(1)
    expect(stderr).toContain('(KV_KEY_NOT_FOUND)\n')
  })
})

describe('get', () => {
  beforeEach(fill)

  test('one key', async () => {
    expect(await out(['get', 'config/theme'])).toBe('config/theme = light\n')
    expect(await out(['get', 'config/theme', '--rev', '2'])).toBe('config/theme = dark\n')
    expect(await out(['get', 'config/theme', '--print-value-only'])).toBe('light\n')
    expect(await out(['get', 'config/theme', '--raw'])).toBe('light')
    expect(await out(['get', 'config/theme', '--keys-only'])).toBe('config/theme\n')
    expect(await out(['get', 'config/theme', '--count-only'])).toBe('1\n')
  })

  test('ranges: quoted where a terminal would mind, hex where it is no text', async () => {
    expect(await out(['get', '--prefix'])).toBe(
      'config/theme = light\n' +
        'empty = ""\n' +
        'note = "a\\nb\\u001b[31m"\n' +
        '0xff00 = 0x1b80\n',
    )
    expect(await out(['get', 'd', 'nz', '--keys-only'])).toBe('empty\nnote\n')
    expect(await out(['get', 'n', '--from-key', '--keys-only'])).toBe('note\n0xff00\n')
    expect(await out(['get', 'config/', '--prefix', '--rev', '4', '--order', 'DESCEND'])).toBe(
      'config/theme = light\nconfig/lang = {"name":"en"}\n',
    )
    expect(await out(['get', '--prefix', '--sort-by', 'mod', '--limit', '2', '--long'])).toBe(
      'config/theme = light  create 2  mod 4  version 2\n' +
        '0xff00 = 0x1b80  create 5  mod 5  version 1\n',
    )
    expect(await out(['get', '--prefix', '--min-mod-rev', '6', '--keys-only'])).toBe(
      'empty\nnote\n',
    )
    expect(await out(['get', 'zzz', '--prefix'])).toBe('')
  })

  test('a key that is not there: nothing on standard output, exit code 1', async () => {
    expect(await run(['get', 'config/'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'revbolt: there is no key config/\n  → 1 key begins with it: --prefix\n',
    })
    expect(await run(['get', 'config/theme', '--rev', '1'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'revbolt: there is no key config/theme at revision 1\n',
    })
    expect(await run(['get', 'config/theme', '--min-mod-rev', '5'])).toMatchObject({
      code: 1,
      stderr: 'revbolt: config/theme is there, but not within those revisions\n',
    })
    const json = await run(['get', 'nope', '--json'])
    expect(json).toMatchObject({ code: 1, stderr: '' })
    expect(jsonLines(json)).toEqual([{ kvs: [], count: '0', more: false, revision: '8' }])
  })

  test('--json is one object, and says whether there is more', async () => {
    const [page] = jsonLines(await run(['get', '--prefix', '--limit', '1', '--json']))
    expect(page).toEqual({
      kvs: [
        {
          key: { hex: Buffer.from('config/theme').toString('hex'), text: 'config/theme' },
          value: { hex: Buffer.from('light').toString('hex'), text: 'light' },
          createRevision: '2',
          modRevision: '4',
          version: '2',
          lease: '0',
        },
      ],
      count: '4',
      more: true,
      revision: '8',
    })
    const [keys] = jsonLines(await run(['get', '--prefix', '--keys-only', '--json', '--base64']))
    expect(keys).toMatchObject({ more: false })
    expect(keys?.['kvs'][0].key.base64).toBe(Buffer.from('config/theme').toString('base64'))
    expect(keys?.['kvs'][0].value).toBeUndefined()
    const [count] = jsonLines(await run(['get', '--prefix', '--count-only', '--json']))
    expect(count).toEqual({ kvs: [], count: '4', more: false, revision: '8' })
  })

  test('on a terminal: colours, a line each, and no bytes that disturb it', async () => {
    await out(['put', 'wide', 'x'.repeat(200)])
    const wide = await out(['get', 'w', '--prefix'], colours)
    expect(wide).toBe(`\u001b[36mwide\u001b[39m \u001b[2m=\u001b[22m ${'x'.repeat(72)}…\n`)
    expect(await out(['get', 'wide'], colours)).toContain('x'.repeat(200))
    const noted = { ...colours, environment: { NO_COLOR: '1', FORCE_COLOR: '1' } }
    expect(await out(['get', 'note', '--print-value-only'], noted)).toBe('"a\\nb\\u001b[31m"\n')
    expect(await run(['get', 'note', '--raw'], noted)).toMatchObject({ code: 1, stdout: '' })
    expect(await out(['get', 'note', '--raw'])).toBe('a\nb\u001b[31m')
  })
})

describe('del', () => {
  beforeEach(fill)

  test('tells how many, and with --prev what', async () => {
    expect(await out(['del', 'config/', '--prefix', '--prev'])).toBe(
      '1 key deleted, revision 9\nwas config/theme = light  create 2  mod 4  version 2\n',
    )
    expect(await out(['del', 'config/', '--prefix'])).toBe('0 keys deleted\n')
    expect(jsonLines(await run(['del', 'a', 'o', '--json']))).toEqual([
      { deleted: '2', revision: '10', previous: [] },
    ])
  })
})

describe('lease', () => {
  test('grant, info, list, renew, revoke', async () => {
    const granted = await run(['lease', 'grant', '60', '--id', '7b'])
    expect(granted.stdout).toBe('lease 000000000000007b, 60 s\n')
    await out(['put', 'up/1', 'yes', '--lease', '7b'])
    await out(['put', 'up/2', 'yes', '--lease', '000000000000007B'])
    expect(await out(['get', 'up/1', '--long'])).toBe(
      'up/1 = yes  create 2  mod 2  version 1  lease 000000000000007b\n',
    )
    expect(await out(['lease', 'list'])).toBe('000000000000007b  60 s of 60 s  2 keys\n')
    expect(await out(['lease', 'info', '7b'])).toBe(
      '  lease  000000000000007b\n  left   60 s of 60 s\n  keys   2 keys\n  up/1\n  up/2\n',
    )
    const [info] = jsonLines(await run(['lease', 'info', '7b', '--json']))
    expect(info).toMatchObject({ id: '123', hex: '000000000000007b', ttlSeconds: '60' })
    expect(info?.['keys'][1]).toEqual({ hex: '75702f32', text: 'up/2' })
    expect(await out(['lease', 'renew', '7b'])).toBe('lease 000000000000007b has 60 s again\n')
    expect(await out(['lease', 'revoke', '7b'])).toBe(
      'lease 000000000000007b ended: 2 keys deleted, revision 4\n',
    )
    expect(await out(['lease', 'list'])).toBe('')
    expect(await run(['lease', 'info', '7b'])).toMatchObject({ code: 1, stdout: '' })
    const gone = await run(['put', 'k', 'v', '--lease', '7b'])
    expect(gone.code).toBe(1)
    expect(gone.stderr).toContain('there is no lease 000000000000007b (KV_LEASE_NOT_FOUND)\n')
  })

  test('ids are signed 64-bit numbers in JSON, and 16 hex digits for people', async () => {
    const [granted] = jsonLines(
      await run(['lease', 'grant', '2', '--id', 'ffffffffffffffff', '--json']),
    )
    expect(granted).toEqual({ id: '-1', hex: 'ffffffffffffffff', ttlSeconds: '2' })
  })
})

describe('compact and status', () => {
  beforeEach(fill)

  test('compact drops what was before, and says what is left', async () => {
    expect(await out(['compact', '4'])).toBe('history is readable from revision 4 on\n')
    const { code, stderr } = await run(['get', 'config/theme', '--rev', '3'])
    expect(code).toBe(1)
    expect(stderr).toBe(
      'revbolt: revision 3 has been compacted; the oldest readable revision is 4 (KV_COMPACTED)\n',
    )
    expect((await run(['compact', '4'])).code).toBe(1)
    expect((await run(['compact', '99'])).stderr).toContain('(KV_FUTURE_REVISION)')
  })

  test('compact --keep N keeps N revisions, and may be said again', async () => {
    expect(await out(['compact', '--keep', '100'])).toBe(
      'nothing to drop: history is readable from the beginning on\n',
    )
    expect(await out(['compact', '--keep', '3'])).toBe('history is readable from revision 6 on\n')
    expect(jsonLines(await run(['compact', '--keep', '3', '--json']))).toEqual([
      { revision: '8', compactedRevision: '6' },
    ])
  })

  test('status', async () => {
    const stdout = await out(['status'])
    expect(stdout.split('\n').slice(1, 5)).toEqual([
      '  revision  8',
      '  history   whole, nothing was compacted',
      '  keys      4',
      '  leases    0',
    ])
    const [json] = jsonLines(await run(['status', '--json']))
    expect(json).toMatchObject({ revision: '8', compactedRevision: '0', keys: '4', leases: '0' })
  })
})
