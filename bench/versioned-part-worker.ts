/** Fills or opens a store, measures that, answers, and ends: see versioned/in-child.ts. */

import { readFileSync } from 'node:fs'
import type { PartAnswer, PartCommand } from './versioned/in-child.ts'
import { fillAsked, measureOpening } from './versioned/memory.ts'

const NOTHING = { openMs: 0, loopMs: 0, indexBytes: 0, residentBytes: 0 }

const { part, ...asked } = JSON.parse(readFileSync(0, 'utf8')) as PartCommand
let answer: PartAnswer = NOTHING
try {
  if (part === 'fill') await fillAsked(asked)
  else answer = await measureOpening(asked)
} catch (error) {
  answer = { ...NOTHING, error: error instanceof Error ? String(error.stack) : String(error) }
}
process.stdout.write(`${JSON.stringify(answer)}\n`)
