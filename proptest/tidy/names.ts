/**
 * Names: one word for one thing. The list holds only words that are wrong wherever their rows
 * apply; the glossary in CONTRIBUTING.md has the rest.
 */
import { posix } from 'node:path'
import ts from 'typescript'
import type { Finding, Rule, TextFile } from './tree.ts'

interface Banned {
  readonly word: string
  readonly instead: string
  /** Rooms where the row applies; everywhere when absent. */
  readonly rooms?: readonly string[]
}

const PAGES = ['engine', 'snapshot']

const BANNED: readonly Banned[] = [
  { word: 'superblock', instead: 'meta' },
  { word: 'src', instead: 'source' },
  { word: 'dst', instead: 'target' },
  { word: 'dest', instead: 'target' },
  { word: 'idx', instead: 'index' },
  { word: 'vacuum', instead: 'defragment' },
  { word: 'subscriber', instead: 'watcher' },
  { word: 'subscription', instead: 'watcher' },
  { word: 'block', instead: 'page', rooms: PAGES },
  { word: 'blocks', instead: 'pages', rooms: PAGES },
  { word: 'txn', instead: 'tx', rooms: PAGES },
  { word: 'transaction', instead: 'tx', rooms: PAGES },
]

const VAGUE_FILES = /^(utils?|helpers?|common|misc|stuff|shared)(\.test)?\.ts$/
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*(\.(test|config))?\.ts$/

/** `pageSizeBytes` → page, size, bytes; `META_MAGIC` → meta, magic. */
export function words(identifier: string): readonly string[] {
  return identifier
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word) => word.toLowerCase())
}

function declaredName(node: ts.Node): ts.Identifier | ts.PrivateIdentifier | undefined {
  const declares =
    ts.isVariableDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isBindingElement(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isMethodSignature(node) ||
    ts.isPropertyDeclaration(node) ||
    ts.isPropertySignature(node)
  if (!declares || node.name === undefined) return undefined
  return ts.isIdentifier(node.name) || ts.isPrivateIdentifier(node.name) ? node.name : undefined
}

function bannedIn(file: TextFile, identifier: string): Banned | undefined {
  const found = words(identifier)
  return BANNED.find(
    (row) => found.includes(row.word) && (row.rooms === undefined || row.rooms.includes(file.room)),
  )
}

export const glossary: Rule = {
  claim: 'names use the words of the glossary',
  check: (tree) => {
    const findings: Finding[] = []
    for (const file of tree.sources) {
      for (const node of file.nodes()) {
        const name = declaredName(node)
        if (name === undefined) continue
        const banned = bannedIn(file, name.text)
        if (banned === undefined) continue
        const message = `${name.text}: say "${banned.instead}", not "${banned.word}"`
        findings.push({ path: file.path, line: file.lineOf(name), message })
      }
    }
    return findings
  },
}

export const fileNames: Rule = {
  claim: 'a file is named in kebab case, after one noun',
  check: (tree) =>
    tree.sources.flatMap((file) => {
      const name = posix.basename(file.path)
      if (VAGUE_FILES.test(name)) {
        return [{ path: file.path, line: 1, message: 'the name says nothing; which noun is it?' }]
      }
      if (KEBAB.test(name)) return []
      return [{ path: file.path, line: 1, message: 'expected kebab-case.ts' }]
    }),
}
