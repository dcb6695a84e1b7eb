/** Numbers, names and tables as text for a terminal. */

const KIB = 1024
const BYTE_UNITS = ['KiB', 'MiB', 'GiB', 'TiB'] as const

/** `999 B`, `12.3 KiB`, `104 MiB`. */
export function formatBytes(bytes: number): string {
  if (Math.abs(bytes) < KIB) return `${formatCount(bytes)} B`
  let value = bytes
  let unit = ''
  for (const next of BYTE_UNITS) {
    value /= KIB
    unit = next
    // 1023.95 would be shown as 1024.
    if (Math.abs(value) < KIB - 0.5) break
  }
  return `${threeDigits(value)} ${unit}`
}

/** `850 ns`, `12.3 µs`, `4.56 ms`, `7.89 s`, `3 min 12 s`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
  if (ms < 0.000_999_5) return `${Math.round(ms * 1e6)} ns`
  if (ms < 0.999_5) return `${threeDigits(ms * 1000)} µs`
  if (ms < 999.5) return `${threeDigits(ms)} ms`
  if (ms < 59_950) return `${threeDigits(ms / 1000)} s`
  return formatSeconds(ms / 1000)
}

/** `0 s`, `12 s`, `3 min 12 s`, `2 h 5 min`: for an estimate, which needs no more. */
export function formatSeconds(duration: number): string {
  const seconds = Math.round(duration)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  const minutes = Math.floor(seconds / 60)
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** `1,234,567`. */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}

/** `1 commit`, `1,234 commits`; `many` is for nouns that take no plain s. */
export function plural(count: number, noun: string, many: string = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : many}`
}

function threeDigits(value: number): string {
  const size = Math.abs(value)
  if (size < 9.995) return value.toFixed(2)
  if (size < 99.95) return value.toFixed(1)
  return formatCount(value)
}

/** `2024-05-17`, in UTC; seconds since 1970. */
export function formatDate(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? 'no date' : date.toISOString().slice(0, 10)
}

/** Controls, separators and formatting characters, all of which can disturb a terminal. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu
const TAB_WIDTH = 2

/** Text that is safe to print on one line, whatever is in it. */
export function printable(text: string): string {
  return text.replaceAll('\t', ' '.repeat(TAB_WIDTH)).replace(UNPRINTABLE, '\u00b7')
}

/** Whether text can be printed as it is, line breaks and tabs apart. */
export function isPrintable(text: string): boolean {
  return text.replaceAll(/[\n\r\t]/g, '').search(UNPRINTABLE) === -1
}

const COMBINING = /^\p{M}$/u
/** East Asian wide characters and emoji, near enough for cutting a line. */
const WIDE = new RegExp(
  '^[\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f' +
    '\\uff01-\\uff60\\uffe0-\\uffe6\\u{1f300}-\\u{1faff}\\u{20000}-\\u{3fffd}]$',
  'u',
)

function characterWidth(character: string): number {
  if (COMBINING.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** Columns that printable text takes. */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

/** Cuts text to `width` columns, with an ellipsis where something was lost. */
export function fit(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let kept = ''
  let used = 1
  for (const character of text) {
    used += characterWidth(character)
    if (used > width) break
    kept += character
  }
  return `${kept}\u2026`
}

/** As `fit`, but it is the end that stays: for paths. */
export function fitEnd(text: string, width: number): string {
  if (displayWidth(text) <= width) return text
  let kept = ''
  let used = 1
  for (const character of Array.from(text).reverse()) {
    used += characterWidth(character)
    if (used > width) break
    kept = character + kept
  }
  return `\u2026${kept}`
}

export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)))
}

export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - displayWidth(text))) + text
}

export type Align = 'left' | 'right'

/** Rows with their columns aligned, two spaces apart. The last column is not padded. */
export function alignRows(
  rows: readonly (readonly string[])[],
  aligns: readonly Align[],
): readonly string[] {
  const widths = aligns.map((_, column) =>
    Math.max(0, ...rows.map((row) => displayWidth(row[column] ?? ''))),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        if (aligns[column] === 'right') return padStart(cell, width)
        return column === row.length - 1 ? cell : padEnd(cell, width)
      })
      .join('  '),
  )
}

/** The value that `fraction` (0…1) of the samples don't exceed; 0 for no samples. */
export function percentile(samples: readonly number[], fraction: number): number {
  const sorted = Float64Array.from(samples).sort()
  return sorted[Math.max(0, Math.ceil(sorted.length * fraction) - 1)] ?? 0
}
