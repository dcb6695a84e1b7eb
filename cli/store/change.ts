/**
 * How a value changed, on a line: both where they are short, the part that differs where they are
 * long, and line by line where they have lines.
 */
import { displayWidth, fit, fitEnd, formatBytes, plural } from '../format.ts'
import { diffLines } from '../line-diff.ts'
import type { Screen } from '../screen.ts'
import type { BytesFormat } from './bytes.ts'
import { printableText, showBytes } from './bytes.ts'

/** Larger values are told by their size alone. */
const DIFF_BYTES_MAX = 256 * 1024
/** Lines of a difference that are shown. */
const LINES_MAX = 12
/** Characters shown before and behind what differs. */
const CONTEXT = 8
const ARROW = ' → '

export interface Change {
  /** undefined: the key was not there, or what it held is not known any more. */
  readonly before: Uint8Array | undefined
  /** undefined: it was deleted. */
  readonly after: Uint8Array | undefined
}

export interface ShownChange {
  /** Goes on the line of the event. */
  readonly text: string
  /** Go below it. */
  readonly lines: readonly string[]
}

/** @param width columns for `text` */
export function showChange(
  screen: Screen,
  { before, after }: Change,
  { format, width }: { readonly format: BytesFormat; readonly width: number },
): ShownChange {
  const show = (bytes: Uint8Array): string => showBytes(bytes, format)
  if (after === undefined) {
    const was = before === undefined ? '' : `was ${shorten(before, show, width - 4)}`
    return { text: screen.style('dim', was), lines: [] }
  }
  if (before === undefined) return { text: shorten(after, show, width), lines: [] }
  if (Buffer.compare(before, after) === 0) {
    const same = '  (the same)'
    return {
      text: shorten(after, show, width - same.length) + screen.style('dim', same),
      lines: [],
    }
  }
  if (Math.max(before.length, after.length) > DIFF_BYTES_MAX) {
    return { text: sizes(before, after), lines: [] }
  }
  const lines = format === 'text' ? lineChanges(screen, before, after) : undefined
  return lines ?? { text: wordChange(screen, [show(before), show(after)], width), lines: [] }
}

function shorten(bytes: Uint8Array, show: (bytes: Uint8Array) => string, width: number): string {
  // No terminal has more columns than this, and a character has at most four bytes.
  const isLarge = bytes.length > DIFF_BYTES_MAX
  return isLarge ? formatBytes(bytes.length) : fit(show(bytes), width)
}

function sizes(before: Uint8Array, after: Uint8Array): string {
  return formatBytes(before.length) + ARROW + formatBytes(after.length)
}

/** Where both are text and one has several lines: which lines went, and which came. */
function lineChanges(
  screen: Screen,
  before: Uint8Array,
  after: Uint8Array,
): ShownChange | undefined {
  const [old, now] = [printableText(before), printableText(after)]
  if (old === undefined || now === undefined) return undefined
  if (!old.trimEnd().includes('\n') && !now.trimEnd().includes('\n')) return undefined
  const changed = diffLines(linesOf(old), linesOf(now)).filter(({ kind }) => kind !== ' ')
  // They differ in the newline at the end.
  if (changed.length === 0) return undefined
  const gone = changed.filter(({ kind }) => kind === '-').length
  const come = changed.length - gone
  const shown = changed.slice(0, LINES_MAX).map(({ kind, text }) => {
    const line = fit(
      `${kind} ${text.replaceAll('\t', '  ')}`.trimEnd(),
      screen.width - INDENT.length,
    )
    return INDENT + screen.style(kind === '-' ? 'red' : 'green', line)
  })
  const left = changed.length - shown.length
  const more = left === 0 ? [] : [INDENT + screen.style('dim', `${plural(left, 'line')} more`)]
  return {
    text: `${screen.style('green', `+${come}`)} ${screen.style('red', `-${gone}`)} lines`,
    lines: [...shown, ...more],
  }
}

const INDENT = '    '

function linesOf(text: string): readonly string[] {
  return text.replace(/\n$/, '').split('\n')
}

/** `old → new`; where that is too wide, only what lies around the difference. */
function wordChange(screen: Screen, [old, now]: readonly [string, string], width: number): string {
  const join = (before: string, after: string): string =>
    screen.style('dim', before) + screen.style('dim', ARROW) + after
  if (displayWidth(old) + displayWidth(now) + ARROW.length <= width) return join(old, now)
  const [a, b] = [Array.from(old), Array.from(now)]
  const shared = Math.min(a.length, b.length)
  let head = 0
  while (head < shared && a[head] === b[head]) head++
  let tail = 0
  while (tail < shared - head && a.at(-1 - tail) === b.at(-1 - tail)) tail++
  const start = head > CONTEXT + 1 ? head - CONTEXT : 0
  const cut = tail > CONTEXT + 1 ? tail - CONTEXT : 0
  const part = (characters: readonly string[]): string =>
    (start > 0 ? '…' : '') +
    characters.slice(start, characters.length - cut).join('') +
    (cut > 0 ? '…' : '')
  const room = Math.max(1, Math.floor((width - ARROW.length) / 2))
  const left = part(a)
  const right = part(b)
  const wide = Math.max(room, width - ARROW.length - displayWidth(right))
  const shownLeft = fit(left, wide)
  const shownRight = fit(right, Math.max(room, width - ARROW.length - displayWidth(shownLeft)))
  return join(shownLeft, shownRight)
}

/** A key, of which the end tells most. */
export function showKey(key: Uint8Array, format: BytesFormat, width: number): string {
  return fitEnd(showBytes(key, format), width)
}
