/**
 * What no file may say: notes to self, and places that exist on one machine only.
 */
import { existsSync } from 'node:fs'
import { posix } from 'node:path'
import type { Finding, Rule, TextFile, Tree } from './tree.ts'

const LOCK_FILE = 'package-lock.json'

/**
 * The rules' own sources and their canaries spell out what they forbid; checksums spell anything.
 */
const SPELLS_IT_OUT = /^(proptest\/tidy\/|tidy\.test\.ts$|package-lock\.json$)/

function eachMatch(
  file: TextFile,
  pattern: RegExp,
  message: (match: string) => string,
): readonly Finding[] {
  return file.lines.flatMap((text, index) =>
    [...text.matchAll(pattern)].map((match) => ({
      path: file.path,
      line: index + 1,
      message: message(match[1] ?? match[0]),
    })),
  )
}

const NOTES = /\b(TODO|FIXME|XXX|HACK)\b/g

export const noNotes: Rule = {
  claim: 'no note to self is left',
  check: (tree) =>
    tree.files
      .filter((file) => !SPELLS_IT_OUT.test(file.path))
      .flatMap((file) => eachMatch(file, NOTES, (note) => `${note}: do it, or file it`)),
}

const PLACES = new RegExp(
  [
    String.raw`(?<![\w.)\]}*-])(\/(?:work|tmp|root|home|Users|private|mnt)\/[\w.-]+)`,
    String.raw`(https?:\/\/registry\.[\w.-]+)`,
  ].join('|'),
  'g',
)

export const noMachinePaths: Rule = {
  claim: 'no path of one machine is written down',
  check: (tree) =>
    tree.files
      .filter((file) => !SPELLS_IT_OUT.test(file.path))
      .flatMap((file) =>
        eachMatch(file, PLACES, (place) => `${place}: exists on one machine only`),
      ),
}

export const placelessLockFile: Rule = {
  claim: 'the lock file says what is installed, not where from',
  check: (tree) => {
    const file = tree.get(LOCK_FILE)
    if (file === undefined) return []
    const findings = [...eachMatch(file, /"resolved":/g, () => 'resolved: .npmrc leaves it out')]
    if (!/"integrity": "sha512-/.test(file.text)) {
      findings.push({ path: LOCK_FILE, line: 1, message: 'names no checksum' })
    }
    return findings
  },
}

const LINK = /\]\(([^)\s#]+)(?:#[^)\s]*)?\)/g
const SYMBOL = /`([\w./-]+\.ts) › ([\w.#]+)`/g

function brokenLinks(tree: Tree, file: TextFile): readonly Finding[] {
  const findings: Finding[] = []
  file.lines.forEach((text, index) => {
    for (const [, target] of text.matchAll(LINK)) {
      if (target === undefined || /^[a-z]+:/.test(target)) continue
      const path = posix.normalize(posix.join(posix.dirname(file.path), target))
      const known = tree.files.some((other) => other.path.startsWith(path)) || existsSync(path)
      if (!known) findings.push({ path: file.path, line: index + 1, message: `no file ${path}` })
    }
  })
  return findings
}

function brokenSymbols(tree: Tree, file: TextFile): readonly Finding[] {
  const findings: Finding[] = []
  file.lines.forEach((text, index) => {
    for (const [, path = '', symbol = ''] of text.matchAll(SYMBOL)) {
      const name = symbol.split('.').at(-1) ?? symbol
      const source = tree.get(path)
      const line = index + 1
      if (source === undefined) {
        findings.push({ path: file.path, line, message: `no file ${path}` })
      } else if (!source.text.includes(name)) {
        findings.push({ path: file.path, line, message: `${path} has no ${symbol}` })
      }
    }
  })
  return findings
}

export const docsLinks: Rule = {
  claim: 'what the documents point to is there',
  check: (tree) =>
    tree.files
      .filter((file) => file.path.endsWith('.md'))
      .flatMap((file) => [...brokenLinks(tree, file), ...brokenSymbols(tree, file)]),
}
