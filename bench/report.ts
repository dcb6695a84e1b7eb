/**
 * Prints the tables of records in Markdown.
 *
 *   npm run report -- FILE...
 */

import { readFileSync } from 'node:fs'
import { isCommitRecord, readCommitRecord } from './commit-record.ts'
import { formatCommitRecord } from './commit-tables.ts'
import { readRecord } from './record.ts'
import { formatRecord } from './tables.ts'

function format(file: string): string {
  const content: unknown = JSON.parse(readFileSync(file, 'utf8'))
  if (isCommitRecord(content)) return formatCommitRecord(readCommitRecord(file))
  return formatRecord(readRecord(file))
}

const files = process.argv.slice(2)
if (files.length === 0 || files.includes('--help')) {
  console.log('Usage: npm run report -- FILE...\n\nPrints the tables of records in Markdown.')
  process.exitCode = files.length === 0 ? 2 : 0
} else {
  try {
    for (const file of files) console.log(format(file))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
