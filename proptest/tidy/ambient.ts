/**
 * Nothing below `store/` sees the time, chance, the environment or the file system except through
 * the files named here: then one seed replays everything. Tests are free.
 */
import ts from 'typescript'
import { moduleUses } from './imports.ts'
import type { Finding, Rule, TextFile } from './tree.ts'

const PURE_ROOMS = new Set([
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
])

type Kind = 'time' | 'chance' | 'environment' | 'system'

/** File → what it may touch. Everything that is ambient enters through one of these. */
const NAMED_FILES: Readonly<Record<string, readonly Kind[]>> = {
  'base/assert.ts': ['environment'],
  'base/clock.ts': ['time'],
  // It asks the system not to send its memory away, and nothing else.
  'base/copy-range.ts': ['system'],
  'base/random.ts': ['chance'],
}

/** Files of `disk/` that meet the operating system: the real disk and its locks. */
const REAL_DISK = /^disk\/(real|flock|lock|process)[a-z-]*\.ts$/

const GLOBALS: Readonly<Record<string, Kind>> = {
  setTimeout: 'time',
  setInterval: 'time',
  performance: 'time',
  process: 'environment',
  crypto: 'chance',
  fetch: 'system',
}

const MEMBERS: Readonly<Record<string, Kind>> = {
  'Date.now': 'time',
  'Math.random': 'chance',
}

const MODULES: Readonly<Record<string, Kind>> = {
  'node:timers': 'time',
  'node:timers/promises': 'time',
  'node:perf_hooks': 'time',
  'node:process': 'environment',
  'node:os': 'environment',
  'node:fs': 'system',
  'node:fs/promises': 'system',
  'node:child_process': 'system',
  'node:worker_threads': 'system',
  'node:net': 'system',
}

function allowed(file: TextFile, kind: Kind): boolean {
  if (NAMED_FILES[file.path]?.includes(kind) === true) return true
  return kind !== 'chance' && REAL_DISK.test(file.path)
}

/** Whether an identifier reads a global of that name, rather than naming a member or a property. */
function readsGlobal(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isQualifiedName(parent)) return false
  if (ts.isPropertyAssignment(parent) && parent.name === node) return false
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false
  if (ts.isTypeNode(parent) || ts.isTypeQueryNode(parent)) return false
  const declares = ts.isVariableDeclaration(parent) || ts.isParameter(parent)
  if (declares || ts.isBindingElement(parent)) return parent.name !== node
  return !(ts.isMethodDeclaration(parent) || ts.isMethodSignature(parent)) && !isMemberName(parent)
}

function isMemberName(parent: ts.Node): boolean {
  return (
    ts.isPropertySignature(parent) ||
    ts.isPropertyDeclaration(parent) ||
    ts.isGetAccessor(parent) ||
    ts.isFunctionDeclaration(parent)
  )
}

/** What a node touches, and how a person would call it. */
function touched(node: ts.Node): readonly [kind: Kind, name: string] | undefined {
  if (ts.isNewExpression(node) && ts.isIdentifier(node.expression)) {
    const bare = node.expression.text === 'Date' && (node.arguments?.length ?? 0) === 0
    return bare ? ['time', 'new Date()'] : undefined
  }
  if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
    const name = `${node.expression.text}.${node.name.text}`
    const kind = MEMBERS[name]
    return kind === undefined ? undefined : [kind, name]
  }
  if (ts.isIdentifier(node) && Object.hasOwn(GLOBALS, node.text) && readsGlobal(node)) {
    const kind = GLOBALS[node.text]
    return kind === undefined ? undefined : [kind, node.text]
  }
  return undefined
}

function* ambientUses(
  file: TextFile,
): Generator<readonly [kind: Kind, name: string, line: number]> {
  for (const use of moduleUses(file)) {
    const kind = MODULES[use.specifier]
    if (kind !== undefined) yield [kind, use.specifier, use.line]
  }
  for (const node of file.nodes()) {
    const use = touched(node)
    if (use !== undefined) yield [use[0], use[1], file.lineOf(node)]
  }
}

export const noAmbient: Rule = {
  claim: 'no ambient time, chance, environment or file system below store/',
  check: (tree) => {
    const findings: Finding[] = []
    for (const file of tree.sources) {
      if (file.isTest || !PURE_ROOMS.has(file.room)) continue
      for (const [kind, name, line] of ambientUses(file)) {
        if (allowed(file, kind)) continue
        findings.push({
          path: file.path,
          line,
          message: `${name}: ambient ${kind}; take it as an argument`,
        })
      }
    }
    return findings
  },
}

const MAY_PRINT = new Set(['cli', 'examples', 'bench', 'proptest', 'interop', '.ci'])

export const noConsole: Rule = {
  claim: 'nothing prints outside cli/, examples/ and the workshops',
  check: (tree) => {
    const findings: Finding[] = []
    for (const file of tree.sources) {
      if (MAY_PRINT.has(file.room)) continue
      for (const node of file.nodes()) {
        if (!ts.isPropertyAccessExpression(node)) continue
        const name = node.getText(file.syntax)
        if (!/^(console\.\w+|process\.(stdout|stderr))$/.test(name)) continue
        findings.push({
          path: file.path,
          line: file.lineOf(node),
          message: `${name}: take a logger`,
        })
      }
    }
    return findings
  },
}
