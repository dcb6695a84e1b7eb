/**
 * Each code in `base/errors.ts` has a row in docs/errors.md, and a test where something raises it.
 * A row says "Not raised yet" exactly as long as nothing does.
 */
import type { Finding, Rule, TextFile, Tree } from './tree.ts'

const CODES = 'base/errors.ts'
const DOCS = 'docs/errors.md'
const RESERVED = 'Not raised yet'

/** Codes that a class of their own raises. */
const CLASSES: Readonly<Record<string, string>> = {
  KV_CORRUPT: 'CorruptionError',
  KV_COMPACTED: 'CompactedError',
}

function mentions(file: TextFile, code: string): boolean {
  const name = CLASSES[code]
  const pattern = name === undefined ? `\\b${code}\\b` : `\\b(${code}|${name})\\b`
  return new RegExp(pattern).test(stripComments(file.text))
}

/** Comments may name any code; only what runs counts. */
function stripComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '')
}

/** The codes as declared: the string literals of `ERROR_CODES`. */
export function declaredCodes(tree: Tree): readonly string[] {
  const list = /ERROR_CODES\s*=\s*\[([^\]]*)\]/.exec(tree.get(CODES)?.text ?? '')?.[1] ?? ''
  return [...list.matchAll(/'(KV_[A-Z_]+)'/g)].map((match) => match[1] ?? '')
}

function isWorkshop(file: TextFile): boolean {
  return file.room === 'proptest' || file.room === 'interop' || file.room === 'bench'
}

function judge(tree: Tree, code: string): string | undefined {
  const row = tree.get(DOCS)?.lines.find((line) => line.startsWith(`| \`${code}\` `))
  if (row === undefined) return `${code} has no row in ${DOCS}`
  const sources = tree.sources.filter((file) => file.path !== CODES)
  const raised = sources.some((file) => !file.isTest && !isWorkshop(file) && mentions(file, code))
  const reserved = row.includes(RESERVED)
  if (raised && reserved) return `${code} is raised now; its row in ${DOCS} says "${RESERVED}"`
  if (!raised && !reserved) return `nothing raises ${code}; say "${RESERVED}" in ${DOCS}`
  const tested = sources.some((file) => (file.isTest || isWorkshop(file)) && mentions(file, code))
  if (raised && !tested) return `${code} is raised, and no test names it`
  return undefined
}

export const errorCodes: Rule = {
  claim: 'every error code is documented, and tested where it is raised',
  check: (tree) => {
    const codes = declaredCodes(tree)
    const findings: Finding[] = codes.flatMap((code) => {
      const message = judge(tree, code)
      return message === undefined ? [] : [{ path: CODES, line: 1, message }]
    })
    tree.get(DOCS)?.lines.forEach((line, index) => {
      const code = /^\| `(KV_[A-Z_]+)` /.exec(line)?.[1]
      if (code === undefined || codes.includes(code)) return
      findings.push({ path: DOCS, line: index + 1, message: `${code} is no code` })
    })
    return findings
  },
}
