/** The house's rules, as `tidy.test.ts` holds the project to them. */
import { noAmbient, noConsole } from './ambient.ts'
import { errorCodes } from './error-codes.ts'
import { fileNames, glossary } from './names.ts'
import { downwards, noBarrels, packages } from './rooms.ts'
import { shortFiles, shortFunctions, shortLines } from './sizes.ts'
import { docsLinks, noMachinePaths, noNotes, placelessLockFile } from './text.ts'
import type { Finding, Rule } from './tree.ts'

export const RULES: readonly Rule[] = [
  downwards,
  packages,
  noBarrels,
  noAmbient,
  noConsole,
  shortFiles,
  shortFunctions,
  shortLines,
  glossary,
  fileNames,
  noNotes,
  noMachinePaths,
  placelessLockFile,
  docsLinks,
  errorCodes,
]

/** One line for each finding, as editors and terminals link them. */
export function formatFindings(findings: readonly Finding[]): string {
  return findings.map(({ path, line, message }) => `${path}:${line} ${message}`).join('\n')
}
