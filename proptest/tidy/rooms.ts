/**
 * The rooms and who may import whom.
 *
 *   1. A room imports only the rooms its row names; `import type` and `import()` count.
 *   2. A test may import what its room may, and `proptest/` (models, faults, effort).
 *   3. `proptest/`, `interop/` and `bench/` may import every room; `bench/` and the other two are
 *      kept apart.
 *   4. Only a public door hands on what other files declare. The doors are package.json's exports.
 *   5. Outside packages are named: node's own everywhere (rule `ambient` narrows that), the listed
 *      few where listed, anything in tests, `proptest/` and `bench/`.
 */
import type { Finding, Rule, TextFile, Tree } from './tree.ts'
import { type ModuleUse, moduleUses } from './imports.ts'

const BELOW_STORE = [
  'base',
  'disk',
  'proto',
  'engine',
  'wal',
  'snapshot',
  'mvcc',
  'watch',
  'lease',
  'auth',
] as const

/** Room → the other rooms it may import. docs/architecture.md has the reasons. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  disk: ['base'],
  proto: ['base'],
  engine: ['base', 'disk'],
  wal: ['base', 'disk'],
  snapshot: ['base', 'disk', 'engine', 'wal'],
  mvcc: ['base', 'proto', 'engine'],
  watch: ['base', 'mvcc'],
  lease: ['base', 'proto', 'engine'],
  auth: ['base', 'proto', 'engine'],
  store: BELOW_STORE,
  grpc: ['base', 'proto'],
  client: ['base', 'proto', 'grpc', 'store'],
  server: ['base', 'proto', 'grpc', 'store'],
  cli: [],
  // Programs of a user's, who has the package alone.
  examples: [],
  // The door to all of it: whatever is public, wherever it is declared. It never loads gRPC.
  '': [...BELOW_STORE, 'store'],
}

/** Rooms that prove and measure the others; they are not shipped. */
const WORKSHOPS: readonly string[] = ['proptest', 'bench', 'interop', '.ci']

/** Package → the rooms whose shipped files may load it. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'fs-ext': ['disk'],
  msgpackr: ['wal'],
  revbolt: ['examples'],
}

/** Files at the top that are not the door but tools' settings. */
const SETTINGS = new Set(['vitest.config.ts'])

interface PackageExports {
  readonly exports?: Readonly<Record<string, string | { readonly default?: string }>>
}

/** The public doors, from package.json: `./dist/engine/index.js` is `engine/index.ts`. */
export function doors(tree: Tree): ReadonlySet<string> {
  const text = tree.get('package.json')?.text
  const found = new Set<string>()
  if (text === undefined) return found
  const { exports = {} } = JSON.parse(text) as PackageExports
  for (const target of Object.values(exports)) {
    const file = typeof target === 'string' ? target : target.default
    const match = file === undefined ? null : /^\.\/dist\/(.*)\.js$/.exec(file)
    if (match?.[1] !== undefined) found.add(`${match[1]}.ts`)
  }
  return found
}

function isWorkshop(file: TextFile): boolean {
  return WORKSHOPS.includes(file.room) || SETTINGS.has(file.path)
}

function roomOf(path: string): string {
  const slash = path.indexOf('/')
  return slash === -1 ? '' : path.slice(0, slash)
}

function upwardImport(file: TextFile, path: string, tree: Tree): string | undefined {
  const target = roomOf(path)
  if (target === file.room && target !== '') return undefined
  if (isWorkshop(file)) {
    const measures = (file.room === 'bench') !== (target === 'bench')
    return measures && WORKSHOPS.includes(target) && WORKSHOPS.includes(file.room)
      ? `${file.room}/ must not import ${target}/`
      : undefined
  }
  if (file.isTest && (target === 'proptest' || file.room === '')) return undefined
  if (file.room === 'cli') {
    return doors(tree).has(path) ? undefined : `cli/ imports public doors only, not ${path}`
  }
  const allowed = MAY_IMPORT[file.room]
  if (allowed === undefined) return `${file.room}/ is no room of the house`
  if (allowed.includes(target)) return undefined
  const source = file.room === '' ? 'the door' : `${file.room}/`
  return `${source} must not import ${target === '' ? path : `${target}/`}`
}

function foreignPackage(file: TextFile, specifier: string): string | undefined {
  if (specifier.startsWith('node:') || isWorkshop(file) || file.isTest) return undefined
  const parts = specifier.split('/')
  const name = specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]
  const rooms = name === undefined ? undefined : PACKAGES[name]
  return rooms?.includes(file.room) === true
    ? undefined
    : `${file.path} must not load the package ${name}`
}

function eachUse(
  tree: Tree,
  judge: (file: TextFile, use: ModuleUse) => string | undefined,
): readonly Finding[] {
  const findings: Finding[] = []
  for (const file of tree.sources) {
    for (const use of moduleUses(file)) {
      const message = judge(file, use)
      if (message !== undefined) findings.push({ path: file.path, line: use.line, message })
    }
  }
  return findings
}

export const downwards: Rule = {
  claim: 'rooms import only downwards, types among them',
  check: (tree) =>
    eachUse(tree, (file, use) =>
      use.path === undefined ? undefined : upwardImport(file, use.path, tree),
    ),
}

export const packages: Rule = {
  claim: 'packages are loaded only in the rooms that name them',
  check: (tree) =>
    eachUse(tree, (file, use) =>
      use.path === undefined ? foreignPackage(file, use.specifier) : undefined,
    ),
}

export const noBarrels: Rule = {
  claim: 'only a public door hands on what other files declare',
  check: (tree) => {
    const open = doors(tree)
    return eachUse(tree, (file, use) =>
      use.reExports && !open.has(file.path)
        ? `re-exports ${use.specifier}; import it from where it is declared`
        : undefined,
    )
  },
}
