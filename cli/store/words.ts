/**
 * Words of a line, as a shell has them: parted by blanks; between single quotes as written; between
 * double quotes with JSON's escapes.
 */
import { UsageError } from '../arguments.ts'

export interface Word {
  readonly text: string
  /** Where the line goes on. */
  readonly end: number
}

/** @throws {UsageError} where a quote is not closed */
export function splitWords(line: string): readonly string[] {
  const words: string[] = []
  let at = skipBlanks(line, 0)
  while (at < line.length) {
    const word = readWord(line, at)
    words.push(word.text)
    at = skipBlanks(line, word.end)
  }
  return words
}

export function skipBlanks(line: string, start: number): number {
  let at = start
  while (line[at] === ' ' || line[at] === '\t') at++
  return at
}

/**
 * The word that begins at `start`: up to a blank, or one of the characters in `ends`.
 * @throws {UsageError}
 */
export function readWord(line: string, start: number, ends = ''): Word {
  let text = ''
  let at = start
  for (;;) {
    const character = line[at]
    if (character === undefined || ` \t${ends}`.includes(character)) return { text, end: at }
    if (character !== '"' && character !== "'") {
      text += character
      at++
      continue
    }
    const close = closingQuote(line, at)
    text += unquote(line.slice(at, close + 1))
    at = close + 1
  }
}

function closingQuote(line: string, start: number): number {
  const quote = line[start]
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === '\\' && quote === '"') at++
    else if (line[at] === quote) return at
  }
  throw new UsageError(`the quote ${line.slice(start, start + 20)} is not closed`)
}

function unquote(quoted: string): string {
  if (quoted.startsWith("'")) return quoted.slice(1, -1)
  try {
    const text: unknown = JSON.parse(quoted.replaceAll('\t', '\\t'))
    if (typeof text === 'string') return text
  } catch {
    // Said below.
  }
  throw new UsageError(`${quoted} has an escape that JSON does not know`)
}
