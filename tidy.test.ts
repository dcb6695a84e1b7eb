/**
 * The house's own rules, held against every file; and, for each rule, a planted source that it
 * must refuse beside one that it must let through. A rule that can't fail is no rule.
 */
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { declaredCodes } from './proptest/tidy/error-codes.ts'
import { words } from './proptest/tidy/names.ts'
import { RULES, formatFindings } from './proptest/tidy/rules.ts'
import { doors } from './proptest/tidy/rooms.ts'
import { shortFunctionsExcept } from './proptest/tidy/sizes.ts'
import { type Rule, type Tree, plant, readTree } from './proptest/tidy/tree.ts'

const project: Tree = readTree(fileURLToPath(new URL('.', import.meta.url)))

describe('the project', () => {
  test('is seen whole by the rules', () => {
    const paths = project.files.map((file) => file.path)
    expect(paths).toContain('index.ts')
    expect(paths).toContain('base/errors.ts')
    expect(paths).toContain('tidy.test.ts')
    expect(paths).toContain('docs/errors.md')
    expect(paths).toContain('package-lock.json')
    expect(paths).toContain('.ci/run')
    expect([...doors(project)]).toContain('index.ts')
    expect(declaredCodes(project).length).toBeGreaterThan(20)
  })

  test.each(RULES.map((rule) => [rule.claim, rule] as const))('holds: %s', (_claim, rule) => {
    expect(formatFindings(rule.check(project))).toBe('')
  })
})

type Planted = Readonly<Record<string, string>>

interface Canary {
  readonly claim: string
  /** Each must be refused, with a finding that says so. */
  readonly refused: Readonly<Record<string, readonly [planted: Planted, message: RegExp]>>
  /** Each must pass. */
  readonly passed: Readonly<Record<string, Planted>>
}

const PACKAGE_JSON = JSON.stringify({
  exports: {
    '.': { types: './dist/index.d.ts', default: './dist/index.js' },
    './engine': { default: './dist/engine/index.js' },
    './package.json': './package.json',
  },
})

const ERRORS_TS = "export const ERROR_CODES = [\n  'KV_CLOSED',\n  'KV_CORRUPT',\n] as const\n"
const ERROR_ROWS = '| `KV_CLOSED` | closed | reopen |\n| `KV_CORRUPT` | damage | restore |\n'
const RAISES = "throw new KvError('KV_CLOSED', '')\nthrow new CorruptionError('', place)\n"
const NAMES = "expectCode('KV_CLOSED')\nexpectCode('KV_CORRUPT')\n"

const CANARIES: readonly Canary[] = [
  {
    claim: 'rooms import only downwards, types among them',
    refused: {
      'a value': [{ 'engine/a.ts': "import { x } from '../mvcc/x.ts'" }, /engine\/ .*mvcc\//],
      'a type': [{ 'base/a.ts': "import type { D } from '../disk/disk.ts'" }, /base\/ .*disk\//],
      'a dynamic import': [{ 'mvcc/a.ts': "await import('../store/s.ts')" }, /mvcc\/ .*store\//],
      'an import in a type': [
        { 'proto/a.ts': "export type T = import('../engine/e.ts').T" },
        /proto\/ .*engine\//,
      ],
      'a re-export': [{ 'disk/a.ts': "export * from '../engine/e.ts'" }, /disk\/ .*engine\//],
      'a shipped file that leans on a model': [
        { 'store/a.ts': "import { m } from '../proptest/m.ts'" },
        /store\/ .*proptest\//,
      ],
      'a test that climbs': [
        { 'engine/a.test.ts': "import '../store/s.ts'" },
        /engine\/ .*store\//,
      ],
      'the door itself, from below': [{ 'engine/a.ts': "import '../index.ts'" }, /index\.ts/],
      'a room nobody named': [{ 'misc/a.ts': "import '../base/x.ts'" }, /no room/],
      'the command, past the doors': [
        { 'cli/a.ts': "import '../engine/tree.ts'", 'package.json': PACKAGE_JSON },
        /public doors only/,
      ],
      'models that lean on benchmarks': [
        { 'proptest/a.ts': "import '../bench/b.ts'" },
        /proptest\/ .*bench\//,
      ],
    },
    passed: {
      'down and sideways': {
        'engine/a.ts':
          "import '../base/x.ts'\nimport type { D } from '../disk/d.ts'\nimport './b.ts'",
      },
      'a test that uses a model': { 'engine/a.test.ts': "import '../proptest/m.ts'" },
      'the command, through doors': {
        'cli/a.ts': "import '../index.ts'\nimport '../engine/index.ts'\nimport './b.ts'",
        'package.json': PACKAGE_JSON,
      },
      'text that only looks like an import': {
        'base/a.ts': "// import '../engine/e.ts'\nconst text = \"import '../engine/e.ts'\"",
      },
    },
  },
  {
    claim: 'packages are loaded only in the rooms that name them',
    refused: {
      'locks outside disk/': [{ 'engine/a.ts': "import fs from 'fs-ext'" }, /package fs-ext/],
      'a tool in shipped code': [{ 'mvcc/a.ts': "import fc from 'fast-check'" }, /fast-check/],
      'a scoped package': [{ 'store/a.ts': "import g from '@grpc/grpc-js/x'" }, /@grpc\/grpc-js$/],
      'the package in itself': [
        { 'store/a.ts': "import { open } from 'revbolt'" },
        /package revbolt/,
      ],
      'a lazy require': [{ 'base/a.ts': "const m = require('msgpackr')" }, /msgpackr/],
    },
    passed: {
      'where they belong': {
        'disk/a.ts': "await import('fs-ext')",
        'disk/a.test.ts': "import { test } from 'vitest'",
        'proptest/a.ts': "import fc from 'fast-check'",
        'store/a.ts': "import { join } from 'node:path'",
        'examples/a.ts': "import { lock } from 'revbolt/recipes'",
      },
    },
  },
  {
    claim: 'only a public door hands on what other files declare',
    refused: {
      'a barrel in a room': [
        { 'mvcc/index.ts': "export { x } from './x.ts'", 'package.json': PACKAGE_JSON },
        /re-exports \.\/x\.ts/,
      ],
      'a barrel of types': [
        { 'base/all.ts': "export type * from './x.ts'", 'package.json': PACKAGE_JSON },
        /re-exports/,
      ],
    },
    passed: {
      'a door': { 'engine/index.ts': "export { x } from './x.ts'", 'package.json': PACKAGE_JSON },
      'a file that exports its own': { 'base/a.ts': 'const x = 1\nexport { x }' },
    },
  },
  {
    claim: 'no ambient time, chance, environment or file system below store/',
    refused: {
      'the wall clock': [{ 'mvcc/a.ts': 'const t = Date.now()' }, /Date\.now: ambient time/],
      'the date of today': [{ 'mvcc/a.ts': 'const t = new Date()' }, /new Date\(\): ambient time/],
      'a timer': [{ 'engine/a.ts': 'setTimeout(f, 1)' }, /setTimeout: ambient time/],
      'a timer by import': [
        { 'engine/a.ts': "import { setTimeout } from 'node:timers/promises'" },
        /node:timers\/promises/,
      ],
      'the dice': [{ 'engine/a.ts': 'const r = Math.random()' }, /Math\.random: ambient chance/],
      'the environment': [{ 'base/a.ts': "process.env['X']" }, /process: ambient environment/],
      'the process, passed on': [{ 'base/a.ts': 'f(process)' }, /process: ambient environment/],
      files: [{ 'engine/a.ts': "import fs from 'node:fs'" }, /node:fs: ambient system/],
      'files, in the simulated disk': [
        { 'disk/memory-disk.ts': "import fs from 'node:fs/promises'" },
        /node:fs\/promises/,
      ],
      'dice in the real disk': [{ 'disk/real-file.ts': 'Math.random()' }, /ambient chance/],
    },
    passed: {
      'the named files': {
        'base/assert.ts': "export const on: boolean = process.env['KV_VERIFY'] === 'all'",
        'base/clock.ts': 'export const now = (): number => Date.now()',
        'base/random.ts': 'export const roll = (): number => Math.random()',
        'disk/real-file.ts': "import { openSync } from 'node:fs'\nsetTimeout(f, process.pid)",
      },
      'tests and what lies above': {
        'engine/a.test.ts': "import { tmpdir } from 'node:os'\nDate.now()",
        'store/a.ts': 'Date.now()',
      },
      'a given moment, and members of those names': {
        'mvcc/a.ts': 'new Date(ms)\nclock.now()\nrow.process\nconst o = { crypto: 1, process: 2 }',
        'base/a.ts': 'interface A { process(): void; readonly performance: number }',
      },
    },
  },
  {
    claim: 'nothing prints outside cli/, examples/ and the workshops',
    refused: {
      console: [{ 'store/a.ts': "console.warn('x')" }, /console\.warn/],
      stdout: [{ 'store/a.ts': "process.stdout.write('x')" }, /process\.stdout/],
    },
    passed: {
      'the command': { 'cli/a.ts': "console.log('x')" },
      'an example': { 'examples/a.ts': "console.log('x')" },
      'a comment': { 'store/a.ts': '// console.log is for cli/' },
    },
  },
  {
    claim: 'a file has at most 500 lines, a test 1000',
    refused: {
      'a long file': [{ 'base/a.ts': '\n'.repeat(501) }, /501 lines/],
      'a long test': [{ 'base/a.test.ts': '\n'.repeat(1001) }, /1001 lines/],
    },
    passed: { 'the longest there may be': { 'base/a.ts': '\n'.repeat(500) } },
  },
  {
    claim: 'a function has at most 70 lines, unless listed',
    refused: {
      'a function': [{ 'base/a.ts': `function f() {${'\n'.repeat(70)}}` }, /a\.ts › f has 71/],
      'an arrow': [{ 'base/a.ts': `const f = () => {${'\n'.repeat(70)}}` }, /› f has 71/],
      'a method': [{ 'base/a.ts': `class A { #m() {${'\n'.repeat(70)}} }` }, /› #m has 71/],
      'a test': [{ 'base/a.test.ts': `test('x', () => {${'\n'.repeat(70)}})` }, /\(anonymous\)/],
    },
    passed: {
      'the longest there may be': { 'base/a.ts': `function f() {${'\n'.repeat(69)}}` },
      'a group of tests': { 'base/a.test.ts': `describe('x', () => {${'\n'.repeat(200)}})` },
    },
  },
  {
    claim: 'a line has at most 100 columns',
    refused: { 'a long line': [{ 'base/a.ts': '/'.repeat(101) }, /101 columns/] },
    passed: {
      'the longest there may be': { 'base/a.ts': '/'.repeat(100) },
      'the claim of a test': { 'base/a.test.ts': `  test('${'f() is '.repeat(20)}', () => {` },
    },
  },
  {
    claim: 'names use the words of the glossary',
    refused: {
      'a variable': [{ 'engine/a.ts': 'const blockSize = 1' }, /"page", not "block"/],
      'a constant': [{ 'base/a.ts': 'const SUPERBLOCK_SIZE = 1' }, /"meta"/],
      'a parameter': [{ 'disk/a.ts': 'function copy(src: string) {}' }, /"source"/],
      'a private field': [{ 'engine/a.ts': 'class A { #txnCount = 0 }' }, /"tx"/],
    },
    passed: {
      'words inside words': { 'engine/a.ts': 'const resource = 1\nconst blockade = 2' },
      'words of another room': {
        'mvcc/a.ts': 'class WriteTxn {}',
        'disk/a.ts': 'let blockSize = 1',
      },
    },
  },
  {
    claim: 'a file is named in kebab case, after one noun',
    refused: {
      'a drawer': [{ 'base/utils.ts': '' }, /which noun/],
      'a drawer of tests': [{ 'engine/helpers.test.ts': '' }, /which noun/],
      'another case': [{ 'engine/keyIndex.ts': '' }, /kebab-case/],
    },
    passed: { 'a noun': { 'engine/key-index.ts': '', 'engine/key-index.test.ts': '' } },
  },
  {
    claim: 'no note to self is left',
    refused: {
      'in code': [{ 'base/a.ts': '// TODO: sync' }, /TODO/],
      'in a document': [{ 'docs/a.md': 'FIXME later' }, /FIXME/],
    },
    passed: { 'words that hold it': { 'base/a.ts': 'const TODOS = 1 // mastodon' } },
  },
  {
    claim: 'no path of one machine is written down',
    refused: {
      'a home': [{ 'docs/a.md': 'see /home/sam/notes' }, /\/home\/sam/],
      'a temporary file': [{ 'base/a.test.ts': "open('/tmp/db')" }, /\/tmp\/db/],
      'a registry': [{ '.ci/run': 'npm --registry https://registry.example.org' }, /registry/],
    },
    passed: {
      'relative and general paths': {
        'docs/a.md': 'proptest/tmp/x, ./work/x, ~/data, /etc/hosts, ${dir}/tmp/x',
      },
    },
  },
  {
    claim: 'the lock file says what is installed, not where from',
    refused: {
      'an address': [
        { 'package-lock.json': '"integrity": "sha512-x", "resolved": "https://x.y"' },
        /resolved/,
      ],
      'no checksums': [{ 'package-lock.json': '{}' }, /names no checksum/],
    },
    passed: { 'checksums alone': { 'package-lock.json': '"integrity": "sha512-x"' } },
  },
  {
    claim: 'what the documents point to is there',
    refused: {
      'a dead link': [{ 'docs/a.md': '[x](gone.md)' }, /no file docs\/gone\.md/],
      'a file that went': [{ 'docs/a.md': '`base/gone.ts › f`' }, /no file base\/gone\.ts/],
      'a symbol that went': [
        { 'docs/a.md': '`base/a.ts › Gone.f`', 'base/a.ts': 'class A {}' },
        /has no Gone\.f/,
      ],
    },
    passed: {
      'links that hold': {
        'docs/a.md': '[b](b.md#part) [c](../base/a.ts) [d](https://x.y) `base/a.ts › A.f`',
        'docs/b.md': '',
        'base/a.ts': 'class A { f() {} }',
      },
    },
  },
  {
    claim: 'every error code is documented, and tested where it is raised',
    refused: {
      'no row': [
        { 'base/errors.ts': ERRORS_TS, 'docs/errors.md': '', 'disk/a.ts': RAISES },
        /KV_CLOSED has no row/,
      ],
      'no test': [
        { 'base/errors.ts': ERRORS_TS, 'docs/errors.md': ERROR_ROWS, 'disk/a.ts': RAISES },
        /KV_CORRUPT is raised, and no test/,
      ],
      'nothing raises it': [
        {
          'base/errors.ts': ERRORS_TS,
          'docs/errors.md': ERROR_ROWS,
          'disk/a.ts': `/* ${RAISES} */`,
        },
        /nothing raises KV_CLOSED/,
      ],
      'a reserve that is used': [
        {
          'base/errors.ts': ERRORS_TS,
          'docs/errors.md': ERROR_ROWS.replace('closed', 'Not raised yet.'),
          'disk/a.ts': RAISES,
          'disk/a.test.ts': NAMES,
        },
        /KV_CLOSED is raised now/,
      ],
      'a row without a code': [
        { 'base/errors.ts': ERRORS_TS, 'docs/errors.md': '| `KV_GONE` | a | b |' },
        /KV_GONE is no code/,
      ],
    },
    passed: {
      'rows and tests': {
        'base/errors.ts': ERRORS_TS,
        'docs/errors.md': ERROR_ROWS,
        'disk/a.ts': RAISES,
        'disk/a.test.ts': NAMES,
      },
      'a reserve': {
        'base/errors.ts': ERRORS_TS,
        'docs/errors.md': ERROR_ROWS.replace('closed', 'Not raised yet.').replace(
          'damage',
          'Not raised yet.',
        ),
      },
    },
  },
]

function ruleOf(claim: string): Rule {
  const rule = RULES.find((known) => known.claim === claim)
  if (rule === undefined) throw new Error(`no rule claims "${claim}"`)
  return rule
}

describe('the canaries', () => {
  test('cover every rule, each with something refused and something passed', () => {
    expect(CANARIES.map((canary) => canary.claim).sort()).toEqual(
      RULES.map((rule) => rule.claim).sort(),
    )
    for (const canary of CANARIES) {
      expect(Object.keys(canary.refused)).not.toHaveLength(0)
      expect(Object.keys(canary.passed)).not.toHaveLength(0)
    }
  })

  for (const canary of CANARIES) {
    describe(`the rule that ${canary.claim}`, () => {
      test.each(Object.entries(canary.refused))('refuses %s', (_name, [planted, message]) => {
        expect(formatFindings(ruleOf(canary.claim).check(plant(planted)))).toMatch(message)
      })

      test.each(Object.entries(canary.passed))('passes %s', (_name, planted) => {
        expect(formatFindings(ruleOf(canary.claim).check(plant(planted)))).toBe('')
      })
    })
  }

  test('a listed long function may not grow, and its row goes when it is short', () => {
    const rule = shortFunctionsExcept({ 'base/a.ts › f': 75 })
    const withLines = (count: number): Tree =>
      plant({ 'base/a.ts': `function f() {${'\n'.repeat(count - 1)}}` })
    expect(rule.check(withLines(75))).toEqual([])
    expect(formatFindings(rule.check(withLines(76)))).toMatch(/has 76 lines/)
    expect(formatFindings(rule.check(withLines(60)))).toMatch(/drop its row/)
  })
})

describe('words()', () => {
  test('splits camel, pascal and screaming case', () => {
    expect(words('pageSizeBytes')).toEqual(['page', 'size', 'bytes'])
    expect(words('WriteTxn')).toEqual(['write', 'txn'])
    expect(words('META_MAGIC')).toEqual(['meta', 'magic'])
    expect(words('#txid')).toEqual(['txid'])
  })
})
