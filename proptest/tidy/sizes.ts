/**
 * How long things may be. A function that is longer today is listed with its length: it may shrink,
 * it may not grow, and the row goes when it is short enough.
 */
import ts from 'typescript'
import type { Finding, Rule, TextFile } from './tree.ts'

export const FILE_LINES_MAX = 500
export const TEST_LINES_MAX = 1000
export const FUNCTION_LINES_MAX = 70
export const COLUMNS_MAX = 100

/** `path › name` → lines it has today, with the reason beside it. */
const LONG_FUNCTIONS: Readonly<Record<string, number>> = {}

/** Lines of a file, not counting the empty one after its last line break. */
function lineCount(file: TextFile): number {
  return file.lines.at(-1) === '' ? file.lines.length - 1 : file.lines.length
}

export const shortFiles: Rule = {
  claim: `a file has at most ${FILE_LINES_MAX} lines, a test ${TEST_LINES_MAX}`,
  check: (tree) =>
    tree.sources.flatMap((file) => {
      const max = file.isTest ? TEST_LINES_MAX : FILE_LINES_MAX
      const count = lineCount(file)
      if (count <= max) return []
      return [
        { path: file.path, line: max + 1, message: `${count} lines; would another noun help?` },
      ]
    }),
}

/** A test's claim stays on one line, so that it can be searched for. */
const CLAIM = /^\s*(test|describe)(\.\w+)*\(\s*['"`]/

export const shortLines: Rule = {
  claim: `a line has at most ${COLUMNS_MAX} columns`,
  check: (tree) =>
    tree.sources.flatMap((file) =>
      file.lines.flatMap((text, index) =>
        text.length <= COLUMNS_MAX || (file.isTest && CLAIM.test(text))
          ? []
          : [{ path: file.path, line: index + 1, message: `${text.length} columns` }],
      ),
    ),
}

/** The name a function is known by: its own, or that of what it is assigned to. */
function nameOf(node: ts.FunctionLikeDeclaration): string {
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  if (node.name !== undefined) return node.name.getText()
  const { parent } = node
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent)) {
    return parent.name.getText()
  }
  return '(anonymous)'
}

/** What is given to `describe…()` groups tests and is as long as they are many. */
function groupsTests(node: ts.Node): boolean {
  const { parent } = node
  if (!ts.isCallExpression(parent)) return false
  return /^describe\w*(\.|$)/.test(parent.expression.getText())
}

interface Measured {
  readonly key: string
  readonly line: number
  readonly lines: number
}

function* functionsOf(file: TextFile): Generator<Measured> {
  for (const node of file.nodes()) {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) continue
    if (groupsTests(node)) continue
    const line = file.lineOf(node)
    const end = file.syntax.getLineAndCharacterOfPosition(node.getEnd()).line + 1
    const name = nameOf(node)
    yield { key: `${file.path} › ${name}`, line, lines: end - line + 1 }
  }
}

/** The rule with a table of its own, so that a canary can plant one. */
export function shortFunctionsExcept(listed: Readonly<Record<string, number>>): Rule {
  return {
    claim: `a function has at most ${FUNCTION_LINES_MAX} lines, unless listed`,
    check: (tree) => {
      const findings: Finding[] = []
      const needed = new Set<string>()
      for (const file of tree.sources) {
        for (const { key, line, lines } of functionsOf(file)) {
          if (lines <= FUNCTION_LINES_MAX) continue
          needed.add(key)
          if (lines <= (listed[key] ?? 0)) continue
          findings.push({ path: file.path, line, message: `${key} has ${lines} lines` })
        }
      }
      for (const key of Object.keys(listed)) {
        if (needed.has(key)) continue
        const path = 'proptest/tidy/sizes.ts'
        findings.push({ path, line: 1, message: `${key} is short enough now; drop its row` })
      }
      return findings
    },
  }
}

export const shortFunctions: Rule = shortFunctionsExcept(LONG_FUNCTIONS)
