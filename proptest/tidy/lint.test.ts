/**
 * The linter's canaries: planted sources that the settings must refuse. A linter that lost its type
 * information, or a rule that was renamed, reports nothing and looks like success.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const HEAD = 'const sync = async (path: string): Promise<void> => void path\n\n'

/** Rule → file → source that breaks it, and nothing else that matters here. */
const PLANTED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'typescript(no-floating-promises)': {
    'disk/sync.ts': `${HEAD}export function f(): void {
  sync('a')
}
`,
  },
  'typescript(no-misused-promises)': {
    'disk/each.ts': `${HEAD}export function f(paths: string[]): void {
  paths.forEach(async (path) => {
    await sync(path)
  })
}
`,
  },
  'unicorn(no-thenable)': { 'store/op.ts': 'export const op = { then: (): number => 1 }\n' },
  'typescript(no-explicit-any)': { 'base/any.ts': 'export const a: any = 1\n' },
  'typescript(no-non-null-assertion)': {
    'base/non-null.ts': 'export const f = (a: string[]): string => a[0]!\n',
  },
  'import(no-default-export)': { 'base/default.ts': 'export default 1\n' },
  'unicorn(prefer-node-protocol)': {
    'disk/protocol.ts': "import { join } from 'path'\n\nexport const p: string = join('a')\n",
  },
  'import(no-cycle)': {
    'base/one.ts': "import { two } from './two.ts'\n\nexport const one = (): number => two()\n",
    'base/two.ts': "import { one } from './one.ts'\n\nexport const two = (): number => one()\n",
  },
  'eslint(max-params)': {
    'base/params.ts':
      'export const f = (a: number, b: number, c: number, d: number, e: number): number =>\n' +
      '  a + b + c + d + e\n',
  },
  'typescript(switch-exhaustiveness-check)': {
    'base/switch.ts': `export function f(kind: 'a' | 'b'): void {
  switch (kind) {
    case 'a':
      break
  }
}
`,
  },
  'vitest(consistent-test-it)': {
    'base/it.test.ts':
      "import { expect, it } from 'vitest'\n\nit('f() is', () => {\n  expect(1).toBe(1)\n})\n",
  },
}

interface Diagnostic {
  readonly code?: string
  readonly filename: string
}

let folder: string
let found: readonly Diagnostic[]

function plantIn(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

function runLinter(): Promise<string> {
  const cli = join(ROOT, 'node_modules', 'oxlint', 'bin', 'oxlint')
  const tsgolint = join(ROOT, 'node_modules', '.bin', 'tsgolint')
  const options = {
    cwd: folder,
    env: { ...process.env, OXLINT_TSGOLINT_PATH: tsgolint },
    timeout: 60_000,
  }
  return new Promise((resolve) => {
    execFile(process.execPath, [cli, '--format=json', '.'], options, (_error, stdout) =>
      resolve(stdout),
    )
  })
}

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'revbolt-lint-')))
  cpSync(join(ROOT, '.oxlintrc.json'), join(folder, '.oxlintrc.json'))
  const compilerOptions = { strict: true, module: 'nodenext', target: 'es2023', types: [] }
  plantIn('tsconfig.json', JSON.stringify({ compilerOptions, include: ['**/*.ts'] }))
  for (const files of Object.values(PLANTED)) {
    for (const [path, text] of Object.entries(files)) plantIn(path, text)
  }
  plantIn('base/clean.ts', "export const clean: readonly string[] = ['a']\n")
  const report = JSON.parse(await runLinter()) as { diagnostics: readonly Diagnostic[] }
  found = report.diagnostics
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the linter', () => {
  test.each(Object.entries(PLANTED))('refuses what %s is for', (rule, files) => {
    const paths = found.filter(({ code }) => code === rule).map(({ filename }) => filename)
    for (const path of Object.keys(files)) expect(paths).toContain(path)
  })

  test('passes a clean file', () => {
    expect(found.filter(({ filename }) => filename === 'base/clean.ts')).toEqual([])
  })
})
