/** watch, history and txn: what they print, to the letter. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { open } from '../../index.ts'
import type { Ran, RunOptions } from '../../proptest/bolt/run-bolt.ts'
import { jsonLines, storeIn } from '../../proptest/bolt/run-bolt.ts'
import { newestFirst } from './history.ts'
import { splitWords } from './words.ts'

let made = ''
let directory = ''

beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  const db = await open(join(made, 'data'))
  await db.put('a', '1')
  await db.put('b', 'x')
  await db.put('a', '2')
  await db.delete('a')
  await db.put('a', 'line 1\nline 2\nline 3\n')
  await db.put('a', 'line 1\nline two\nline 3\nline 4\n')
  await db.close()
})

afterAll(async () => {
  await rm(made, { recursive: true, force: true })
})

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  await cp(made, directory, { recursive: true })
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

const run = (args: readonly string[], options?: RunOptions): Promise<Ran> =>
  storeIn(directory, args, options)

async function out(args: readonly string[], options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await run(args, options)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

/** As a script is written here: a line each. */
function lines(...each: readonly string[]): string {
  return each.map((line) => `${line}\n`).join('')
}

const HISTORY = [
  '      2  PUT     a  1',
  '      3  PUT     b  x',
  '      4  PUT     a  1 → 2',
  '      5  DELETE  a  was 2',
  '      6  PUT     a  "line 1\\nline 2\\nline 3\\n"',
  '      7  PUT     a  +2 -1 lines',
  '    - line 2',
  '    + line two',
  '    + line 4',
]

describe('watch --once', () => {
  test('shows the history, each event with what changed', async () => {
    expect(await out(['watch', '--once'])).toBe(lines(...HISTORY))
    expect(await out(['watch', '--once', '--rev', '5', 'a', 'b'])).toBe(lines(...HISTORY.slice(3)))
    expect(await out(['watch', '--once', 'b'])).toBe(lines(HISTORY[1] ?? ''))
    expect(await out(['watch', '--once', '--only', 'delete'])).toBe(lines(HISTORY[3] ?? ''))
    expect(await out(['watch', '--once', '--rev', '99'])).toBe('')
  })

  test('--json is an event a line, with --prev also what was there', async () => {
    expect(jsonLines(await run(['watch', '--once', '--rev', '4', '--json'])).slice(0, 2)).toEqual([
      {
        type: 'put',
        revision: '4',
        kv: {
          key: { hex: '61', text: 'a' },
          value: { hex: '32', text: '2' },
          createRevision: '2',
          modRevision: '4',
          version: '2',
          lease: '0',
        },
      },
      { type: 'delete', revision: '5', key: { hex: '61', text: 'a' }, modRevision: '5' },
    ])
    const args = ['watch', '--once', '--rev', '5', '--only', 'delete', '--json', '--prev']
    expect(jsonLines(await run(args))).toMatchObject([{ previous: { value: { text: '2' } } }])
  })

  test('below the compacted revision it fails; without --rev it begins there', async () => {
    await run(['compact', '5'])
    expect(await out(['watch', '--once'])).toBe(lines('      5  DELETE  a', ...HISTORY.slice(4)))
    const { code, stderr } = await run(['watch', '--once', '--rev', '4'])
    expect(code).toBe(1)
    expect(stderr).toBe(
      'revbolt: revision 4 has been compacted; the oldest readable revision is 5 (KV_COMPACTED)\n',
    )
  })
})

describe('watch', () => {
  test('shows what is typed meanwhile, with its time; answers go to standard error', async () => {
    const input = lines('put b y', 'put "c d" z', '', "del 'b'", 'get "c d"', 'lease list')
    const { code, stdout, stderr } = await run(['watch'], { input })
    expect(code).toBe(0)
    expect(stdout).toBe(
      lines(
        '14:03:22        8  PUT     b  x → y',
        '14:03:22        9  PUT     c d  z',
        '14:03:22       10  DELETE  b  was y',
      ),
    )
    expect(stderr).toBe(lines('revision 8', 'revision 9', '1 key deleted, revision 10', 'c d = z'))
  })

  test('--rev begins with the history, which has no time', async () => {
    const { stdout } = await run(['watch', 'b', '--rev', '2'], { input: 'put b y\nput a 3\n' })
    expect(stdout).toBe(
      lines('                3  PUT     b  x', '14:03:22        8  PUT     b  x → y'),
    )
  })

  test('goes on after a line that fails, and exits with its code', async () => {
    const input = lines('foo', 'get nope', 'put "x', 'put b y', 'exit', 'put b z')
    const { code, stdout, stderr } = await run(['watch', '--json'], { input })
    expect(code).toBe(2)
    expect(stdout.split('\n')).toHaveLength(2)
    expect(stderr).toContain('error: there is no command foo; see `--help`\n')
    expect(stderr).toContain('error: there is no key nope\n')
    expect(stderr).toContain('the quote "x is not closed\n')
    expect(stderr).toContain('revision 8\n')
    expect(stderr).not.toContain('revision 9\n')
  })

  test('a start that is compacted ends it, whoever types', async () => {
    await run(['compact', '5'])
    const { code, stderr } = await run(['watch', '--rev', '2'], { input: '' })
    expect(code).toBe(1)
    expect(stderr).toContain('(KV_COMPACTED)\n')
  })

  test('with colours', async () => {
    const environment = { FORCE_COLOR: '1' }
    const { stdout } = await run(['watch', 'b'], { environment, input: 'put b y\ndel b\n' })
    const dim = (text: string): string => `\u001b[2m${text}\u001b[22m`
    const start = `${dim('14:03:22')}  \u001b[33m      `
    expect(stdout).toBe(
      lines(
        `${start}8\u001b[39m  \u001b[32mPUT   \u001b[39m  \u001b[36mb\u001b[39m  ` +
          `${dim('x')}${dim(' → ')}y`,
        `${start}9\u001b[39m  \u001b[31mDELETE\u001b[39m  \u001b[36mb\u001b[39m  ${dim('was y')}`,
      ),
    )
  })

  test('no line is wider than the terminal, whatever is in keys and values', async () => {
    const words = 'word '.repeat(60)
    const input = lines(
      `put ${'long/'.repeat(40)} v`,
      `put b "${words}one ${words}"`,
      `put b "${words}two ${words}"`,
      `put b "${'\\n'.repeat(30)}${words}"`,
      `del b`,
    )
    const columns = 60
    const { stdout } = await run(['watch'], { input, columns })
    const widths = stdout.split('\n').map((line) => line.length)
    expect(Math.max(...widths)).toBeLessThanOrEqual(columns)
    expect(stdout).toContain('PUT     b  …rd word one… → …rd word two …\n')
    expect(stdout).toContain('\n    20 lines more\n')
  })
})

describe('history', () => {
  const NEWEST_FIRST = [
    ['       7  version 2     +2 -1 lines', '    - line 2', '    + line two', '    + line 4'],
    ['       6  created       "line 1\\nline 2\\nline 3\\n"'],
    ['       5  deleted       was 2'],
    ['       4  version 2     1 → 2'],
    ['       2  created       1'],
  ]

  test('the newest first, each with what changed', async () => {
    expect(await out(['history', 'a'])).toBe(lines(...NEWEST_FIRST.flat()))
    expect(await out(['history', 'a', '--reverse'])).toBe(
      lines(...[...NEWEST_FIRST].reverse().flat()),
    )
  })

  test('--limit says that there is more', async () => {
    const { stdout, stderr } = await run(['history', 'a', '--limit', '2'])
    expect(stdout).toBe(lines(...NEWEST_FIRST.slice(0, 2).flat()))
    expect(stderr).toBe('more: --limit N, --all\n')
    for (const limit of [1, 2, 3, 4, 5]) {
      const some = await run(['history', 'a', '--limit', String(limit)])
      expect(some.stdout).toBe(lines(...NEWEST_FIRST.slice(0, limit).flat()))
      expect(some.stderr).toBe(limit === 5 ? '' : 'more: --limit N, --all\n')
    }
    const oldest = await run(['history', 'a', '--limit', '1', '--reverse'])
    expect(oldest.stdout).toBe(lines(...NEWEST_FIRST.slice(-1).flat()))
  })

  test('reads no other key’s history for the newest revisions of one', async () => {
    const db = await open(':memory:', { encoding: 'bytes' })
    for (let i = 0; i < 9; i++) await db.put(i === 1 ? 'other' : 'k', String(i))
    const unwatched = new Proxy(db, {
      get(target, name) {
        if (name === 'watch') throw new Error('it read all of the history')
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    const walk = { limit: 5, signal: new AbortController().signal }
    const revisions: number[] = []
    for await (const { event } of newestFirst(unwatched, Buffer.from('k'), walk)) {
      if (event.type === 'put') revisions.push(event.kv.modRevision)
      if (revisions.length === 6) break
    }
    expect(revisions).toEqual([10, 9, 8, 7, 6, 5])
    expect(db.stats().viewCount).toBe(0)
    await db.close()
  })

  test('--json is a revision a line', async () => {
    expect(jsonLines(await run(['history', 'a', '--json'])).slice(2, 4)).toEqual([
      { revision: '5', deleted: true, key: { hex: '61', text: 'a' } },
      {
        revision: '4',
        deleted: false,
        key: { hex: '61', text: 'a' },
        value: { hex: '32', text: '2' },
        createRevision: '2',
        modRevision: '4',
        version: '2',
        lease: '0',
      },
    ])
  })

  test('begins with what the key held at the compacted revision', async () => {
    await run(['compact', '4'])
    expect(await out(['history', 'a', '--reverse', '--limit', '9'])).toContain(
      '       4  version 2     2\n       5  deleted       was 2\n',
    )
    expect(await out(['history', 'b'])).toBe('       3  created       x\n')
    expect(await run(['history', 'c'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'revbolt: no revision has a key c\n',
    })
  })
})

describe('txn', () => {
  const swap = lines('version("b") = "1"', '', 'put b y --prev', 'get "" --prefix', '', 'get b')

  test('runs what stands behind compares that hold', async () => {
    expect(await out(['txn'], { input: swap })).toBe(
      lines(
        'success: the compares hold, revision 8',
        '  put b',
        '    was b = x',
        '  get "" --prefix: 2 keys',
        '    a = "line 1\\nline two\\nline 3\\nline 4\\n"',
        '    b = y',
      ),
    )
  })

  test('else what stands behind those; --must-hold makes it an exit code', async () => {
    await run(['txn'], { input: swap })
    expect(await run(['txn', '--must-hold'], { input: swap })).toEqual({
      code: 1,
      stdout: lines('failure: the compares do not hold, revision 8', '  get b: 1 key', '    b = y'),
      stderr: '',
    })
    expect((await run(['txn'], { input: swap })).code).toBe(0)
  })

  test.each([
    ['value("b") = "x"', true],
    ['val("b") != x', false],
    ["value('b')<'y'", true],
    ['mod("b") > "2"', true],
    ['m(b) > 3', false],
    ['create("nope") = "0"', true],
    ['lease("b") = "0"', true],
    ['lease("b") = ff', false],
    ['ver("a") = 2', true],
  ])('compares as etcdctl writes them: %s', async (compare, holds) => {
    const [result] = jsonLines(await run(['txn', '--json'], { input: lines(compare, '') }))
    expect(result).toEqual({ succeeded: holds, revision: '7', results: [] })
  })

  test('takes comments and the headings of etcdctl', async () => {
    const input = lines(
      'compares:',
      '# none',
      '',
      'success requests (get, put, del):',
      'del a b --prev',
      '',
      'failure requests (get, put, del):',
    )
    expect(await out(['txn'], { input })).toContain('\n  del a b: 1 key deleted\n    was a = ')
  })

  test('JSON: the library’s own form, with bytes and numbers as they are printed', async () => {
    const request = {
      compare: [{ key: 'b', target: 'modRevision', operator: '=', value: '3' }],
      success: [
        { type: 'put', key: { hex: 'ff' }, value: { base64: 'AAE=' } },
        { type: 'txn', success: [{ type: 'get', key: 'b', revision: '3' }] },
        { type: 'delete', prefix: 'a', previous: true },
      ],
    }
    const args = ['txn', '--json']
    const [result] = jsonLines(await run(args, { input: JSON.stringify(request) }))
    expect(result).toMatchObject({
      succeeded: true,
      revision: '8',
      results: [
        { type: 'put' },
        { type: 'txn', results: [{ type: 'get', kv: { value: { text: 'x' } } }] },
        { type: 'delete', deleted: '1' },
      ],
    })
    const text = await out(['txn'], { input: `\n${JSON.stringify({ success: request.success })}` })
    expect(text).toBe(
      lines(
        'success: the compares hold, revision 9',
        '  put 0xff',
        '  txn: success',
        '    get b: 1 key',
        '      b = x',
        '  del a --prefix: 0 keys deleted',
      ),
    )
    expect(await out(['get', 'ff', '--hex'])).toBe('ff = 0001\n')
  })

  test.each([
    ['versio("a") = "1"\n', 'line 1: versio("a") = "1" is no compare; one is: mod("key") = "7"'],
    ['mod("a") = "x"\n', 'line 1: the number: expected a whole number of 0 or more, got x'],
    ['mod("a" = "1"\n', 'line 1: mod("a" = "1" is no compare'],
    ['value("a") = "1" "2"\n', 'is no compare'],
    ['\npot a 1\n', 'line 2: there is no request pot; there are put, get and del'],
    ['\nput a\n', 'line 2: VALUE is missing'],
    ['\nput a 1 --prefix\n', 'line 2: put has no option --prefix'],
    ['\n\n\nput a 1\n', 'line 4: it stands behind the third block'],
    ['\nput a "1\n', 'line 2: the quote "1 is not closed'],
    ['{"compare"', 'standard input is not JSON'],
    ['{"comparee":[]}', 'comparee'],
    ['{"compare":[{"key":"a","target":"versio","operator":"=","value":1}]}', 'compare[0].target: '],
  ])('%j exits with 2, says why and writes nothing', async (input, message) => {
    const { code, stdout, stderr } = await run(['txn'], { input })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
  })

  test('what the store refuses exits with 1, and writes nothing', async () => {
    const { code, stderr } = await run(['txn'], { input: '\nput c 1\nput c 2\n' })
    expect(code).toBe(1)
    expect(stderr).toContain('(KV_TXN_DUPLICATE_KEY)\n')
    expect((await run(['get', 'c'])).code).toBe(1)
  })
})

describe('splitWords()', () => {
  test.each([
    ['', []],
    [' a\t b ', ['a', 'b']],
    ['a"b c"d', ['ab cd']],
    ["'a \\n' \"b\\n\\u00e9\" ''", ['a \\n', 'b\né', '']],
    ['"a\tb"', ['a\tb']],
    ['{"a":1}', ['{a:1}']],
  ])('%j', (line, words) => {
    expect(splitWords(line)).toEqual(words)
  })
})
