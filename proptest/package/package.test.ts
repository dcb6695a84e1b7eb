/**
 * The packed package in empty projects: on every supported Node.js, as a module and by `require()`,
 * for TypeScript, bundled, and without the native package.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build, transform } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Consumer, type Packed, emptyFolder, pack } from './consumer.ts'
import { NODE_VERSIONS, type NodeVersion, ROOT, installNode } from './node-versions.ts'
import { BACKUP, COMMON_JS, ESM, EXPECTED, TYPESCRIPT } from './programs.ts'
import { codeBlocks, expectedOutput, joinedProgram, shownOutput } from './readme.ts'

const run = promisify(execFile)

const PRINTS_ADDON =
  "try { require('fs-ext'); console.log('built') } catch { console.log('missing') }\n"

const folder = emptyFolder()
const consumers: Consumer[] = []
let packed: Packed

async function consumer(version: NodeVersion, options: readonly string[] = []): Promise<Consumer> {
  const installed = await Consumer.install(packed, version, options)
  consumers.push(installed)
  return installed
}

/** The program without types and what else that version of Node.js has not. */
async function runsOnNode20(program: string): Promise<string> {
  return (await transform(program, { loader: 'ts', target: 'node20', format: 'esm' })).code
}

function oneMajor(major: string): Promise<NodeVersion> {
  const version = NODE_VERSIONS.find((known) => known.startsWith(`${major}.`))
  if (version === undefined) throw new RangeError(`major: none is ${major}`)
  return installNode(version)
}

beforeAll(async () => {
  packed = await pack(folder)
})

afterAll(() => {
  for (const installed of consumers) installed.remove()
  rmSync(folder, { recursive: true, force: true })
})

describe('the archive', () => {
  test('holds the built package and its papers, and nothing else', () => {
    for (const path of [
      'dist/index.js',
      'dist/index.d.ts',
      'dist/engine/index.js',
      'dist/engine/index.d.ts',
      'dist/wal/index.js',
      'dist/wal/index.d.ts',
      'dist/store/recipes/index.js',
      'dist/store/recipes/index.d.ts',
      'dist/cli/revbolt.js',
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'SECURITY.md',
      'THIRD_PARTY_NOTICES.md',
    ]) {
      expect(packed.files).toContain(path)
    }
    const allowed = /^(dist\/.+\.(js|d\.ts|js\.map)|docs\/[\w-]+\.md|[A-Z_]+(\.md)?|package\.json)$/
    expect(packed.files.filter((path) => !allowed.test(path))).toEqual([])
  })

  test('holds no tests, models or benchmarks', () => {
    const foreign = /\.test\.|(^|\/)(proptest|bench|interop|testdata)\//
    expect(packed.files.filter((path) => foreign.test(path))).toEqual([])
  })

  test('satisfies publint', async () => {
    const cli = join(ROOT, 'node_modules', 'publint', 'src', 'cli.js')
    const { stdout } = await run(process.execPath, [cli, 'run', packed.archive, '--strict'])
    expect(stdout).toMatch(/All good/)
  })

  test('has types that resolve as attw asks of a package of modules', async () => {
    const cli = join(ROOT, 'node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js')
    const options = ['--profile', 'esm-only', '--no-emoji', '--format', 'ascii']
    const { stdout } = await run(process.execPath, [cli, packed.archive, ...options])
    expect(stdout).toMatch(/revbolt\/engine/)
    expect(stdout).toMatch(/node16 \(from ESM\): OK \(ESM\)/)
  })
})

describe.each(NODE_VERSIONS)('on Node.js %s', (version) => {
  test('loads as a module and by require(), with the native package', async () => {
    const installed = await consumer(await installNode(version))
    expect(await installed.run('addon.cjs', PRINTS_ADDON)).toBe('built\n')
    expect(await installed.run('a.mjs', ESM)).toBe(EXPECTED)
    rmSync(join(installed.folder, 'data'), { recursive: true, force: true })
    rmSync(join(installed.folder, 'plain.db'))
    expect(await installed.run('a.cjs', COMMON_JS)).toBe(EXPECTED)
  })
})

describe('the command', () => {
  test('is installed, runs by its own name, and looks into a file', async () => {
    const installed = await consumer(await oneMajor('20'), ['--omit=optional'])
    const revbolt = join(installed.folder, 'node_modules', '.bin', 'revbolt')
    const cwd = installed.folder
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
    expect((await run(revbolt, ['--version'], { cwd })).stdout).toBe(`${version}\n`)
    expect((await run(revbolt, ['--help'], { cwd })).stdout).toMatch(/^Usage: revbolt/)
    await installed.run('a.mjs', ESM)
    const found = await run(revbolt, ['bolt', 'get', 'plain.db', 'b', 'k'], { cwd })
    expect(found.stdout).toBe('"v"\n')
    const picture = await run(revbolt, ['bolt', 'inspect', join('data', 'db')], { cwd })
    expect(picture.stdout).toContain('│%%')
    await expect(run(revbolt, ['bolt', 'info', 'a.mjs'], { cwd })).rejects.toMatchObject({
      code: 3,
      stderr: expect.stringContaining('is not a bbolt database: it is text'),
    })
  })
})

describe('without the native package', () => {
  test('works where install scripts were refused', async () => {
    const installed = await consumer(await oneMajor('20'), ['--ignore-scripts'])
    expect(await installed.run('addon.cjs', PRINTS_ADDON)).toBe('missing\n')
    expect(await installed.run('a.mjs', ESM)).toBe(EXPECTED)
  })

  test('works where optional packages were left out', async () => {
    const installed = await consumer(await oneMajor('24'), ['--omit=optional'])
    expect(await installed.run('addon.cjs', PRINTS_ADDON)).toBe('missing\n')
    expect(await installed.run('a.mjs', ESM)).toBe(EXPECTED)
  })

  test('works bundled into one file', async () => {
    const installed = await consumer(await oneMajor('20'), ['--omit=optional'])
    installed.write('source/a.mjs', ESM)
    await build({
      entryPoints: [join(installed.folder, 'source', 'a.mjs')],
      outfile: join(installed.folder, 'bundle.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      logLevel: 'error',
    })
    rmSync(join(installed.folder, 'node_modules'), { recursive: true })
    expect(await installed.node(['bundle.mjs'])).toBe(EXPECTED)
  })
})

describe('for TypeScript', () => {
  let installed: Consumer

  beforeAll(async () => {
    installed = await consumer(await oneMajor('20'), ['--omit=optional'])
    mkdirSync(join(installed.folder, 'node_modules', '@types'))
    for (const name of ['@types/node', 'undici-types']) {
      const target = join(ROOT, 'node_modules', name)
      symlinkSync(target, join(installed.folder, 'node_modules', name))
    }
  })

  test.each([
    ['node16', 'node16', 'a.mts'],
    ['nodenext', 'nodenext', 'a.mts'],
    ['nodenext', 'nodenext', 'a.cts'],
    ['esnext', 'bundler', 'a.ts'],
  ])('compiles under %s, %s: %s', async (module, moduleResolution, file) => {
    const compilerOptions = {
      module,
      moduleResolution,
      target: 'es2022',
      lib: ['es2023', 'esnext.disposable'],
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
    }
    installed.write('tsconfig.json', JSON.stringify({ compilerOptions, files: [file] }))
    installed.write(file, TYPESCRIPT)
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')
    expect(await installed.node([tsc, '-p', '.'])).toBe('')
  })
})

describe('the README', () => {
  const blocks = codeBlocks(readFileSync(join(ROOT, 'README.md'), 'utf8'))
  const programs = blocks.filter((block) => block.language === 'js')

  test('has programs, and each says what it prints', () => {
    expect(programs.length).toBeGreaterThan(1)
    for (const { text } of programs) expect(expectedOutput(text)).not.toBe('')
  })

  test('has programs that print what they say, run in order in one folder', async () => {
    const installed = await consumer(await oneMajor('20'))
    for (const { text, line } of programs) {
      expect(await installed.run(`readme-${line}.mjs`, text)).toBe(expectedOutput(text))
    }
  })
})

describe('the documents', () => {
  const names = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'))
  const documents = names.map((name) => {
    const blocks = codeBlocks(readFileSync(join(ROOT, 'docs', name), 'utf8'))
    return { name, blocks: blocks.filter(({ language }) => /^(js|ts|javascript)$/.test(language)) }
  })
  const withPrograms = documents.filter(({ blocks }) => blocks.length > 0)
  let installed: Consumer

  beforeAll(async () => {
    installed = await consumer(await oneMajor('20'), ['--omit=optional'])
    await installed.run('backup.mjs', BACKUP)
  })

  test('have programs', () => {
    expect(withPrograms.length).toBeGreaterThan(10)
  })

  test.each(withPrograms)(
    'have programs that print what they say, one for each document: $name',
    async ({ name, blocks }) => {
      const program = joinedProgram(blocks)
      rmSync(join(installed.folder, 'data'), { recursive: true, force: true })
      expect(expectedOutput(program)).not.toBe('')
      const printed = await installed.run(`${name}.mjs`, await runsOnNode20(program))
      expect(printed).toBe(expectedOutput(program))
    },
  )
})

describe('the examples', () => {
  const names = readdirSync(join(ROOT, 'examples'))
  let installed: Consumer

  beforeAll(async () => {
    installed = await consumer(await oneMajor('20'), ['--omit=optional'])
  })

  test.each(names)('print what they show, and end: %s', async (name) => {
    const program = readFileSync(join(ROOT, 'examples', name), 'utf8')
    expect(shownOutput(program)).not.toBe('')
    const printed = await installed.run(`${name}.mjs`, await runsOnNode20(program))
    expect(printed).toBe(shownOutput(program))
    expect(program).toContain(`npx tsx examples/${name}`)
  })

  test('are each linked by the README', () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
    for (const name of names) expect(readme).toContain(`(examples/${name})`)
  })
})
