/** Standard output of one command: the same data as text for people or as JSON for programs. */
import type { Align } from '../format.ts'
import { alignRows, fit } from '../format.ts'
import type { Screen } from '../screen.ts'

const INDENT = '  '

/** One JSON object on one line. bigints become decimal digits. */
export function printJson(screen: Screen, value: unknown): void {
  const digits = (_: string, inner: unknown): unknown =>
    typeof inner === 'bigint' ? inner.toString() : inner
  screen.print(JSON.stringify(value, digits))
}

export function heading(screen: Screen, text: string): void {
  screen.print()
  screen.print(screen.style('bold', fit(text, screen.width)))
}

/** Rows of a label and what it says, aligned. */
export function labelled(
  screen: Screen,
  rows: readonly (readonly [label: string, text: string])[],
): void {
  const width = Math.max(0, ...rows.map(([label]) => label.length))
  for (const [label, text] of rows) {
    const lines = wrap(text, screen.width - width - INDENT.length - 2)
    lines.forEach((line, index) => {
      const shown = index === 0 ? label.padEnd(width) : ' '.repeat(width)
      screen.print(`${INDENT}${screen.style('dim', shown)}  ${line}`)
    })
  }
}

export interface Column {
  readonly title: string
  readonly align: Align
}

/** A table with a head. Its last column may be as long as it likes. */
export function table(
  screen: Screen,
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
): void {
  const aligns = columns.map(({ align }) => align)
  const [head, ...lines] = alignRows([columns.map(({ title }) => title), ...rows], aligns)
  screen.print(screen.style('dim', `${INDENT}${head ?? ''}`.trimEnd()))
  for (const line of lines) screen.print(`${INDENT}${line}`.trimEnd())
}

/** A command in backquotes is one word, so that it can be copied; else what spaces part. */
const WORD = /[^\s`]*`[^`]*`\S*|\S+/g

/** Breaks text into lines of at most `width` columns. A longer word stays whole. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const [word] of text.matchAll(WORD)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}

/** A paragraph, indented. */
export function paragraph(screen: Screen, text: string, indent: string = INDENT): void {
  for (const line of wrap(text, screen.width - indent.length)) screen.print(`${indent}${line}`)
}

/** A bar of `width` columns, `share` of it (0…1) filled. Something is never shown as nothing. */
export function bar(screen: Screen, share: number, width: number): string {
  const least = share > 0 ? 1 : 0
  const filled = Math.max(least, Math.min(width, Math.round(share * width)))
  return '█'.repeat(filled) + screen.style('dim', '░'.repeat(width - filled))
}

/** `41 %`, `0.4 %`, and never `0 %` or `100 %` for what is only near it. */
export function percent(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0 %'
  const value = (part / whole) * 100
  if (value < 0.1) return '<0.1 %'
  if (value < 10) return `${value.toFixed(1)} %`
  if (part < whole && value > 99) return `${Math.min(99.9, value).toFixed(1)} %`
  return `${value.toFixed(0)} %`
}
