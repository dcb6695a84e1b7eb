/** `revbolt bolt dump`: the bytes of a page, with what each of them is. */
import type { RawElement, RawPage } from '../../engine/index.ts'
import { readRawPage } from '../../engine/index.ts'
import { fit, formatBytes } from '../format.ts'
import type { Screen, Style } from '../screen.ts'
import type { Call, Command, Setting } from './command.ts'
import { EXIT } from './command.ts'
import { readPgid, withRawFile } from './opening.ts'
import { printJson } from './output.ts'
import { ownerOf } from './page.ts'
import { hexOf } from './value-format.ts'

const ROW_SIZE = 16
const ROWS_PER_TURN = 256
/** Columns of the hex digits of a row. */
const HEX_WIDTH = 39

type Kind = 'header' | 'element' | 'key' | 'value' | 'bucket' | 'ids' | 'seal'

/** A stretch of the page and what it is. */
interface Field {
  readonly start: number
  readonly end: number
  readonly kind: Kind
  readonly label: string
}

const STYLES: Readonly<Record<Kind, Style>> = {
  header: 'cyan',
  element: 'yellow',
  key: 'green',
  value: 'bold',
  bucket: 'magenta',
  ids: 'yellow',
  seal: 'blue',
}

async function run(call: Call, setting: Setting): Promise<number> {
  return withRawFile(call, setting, async (file) => {
    const page = readRawPage(file, readPgid(call, file))
    const isOverflow = ownerOf(file, page) !== undefined
    const fields = isOverflow ? [] : fieldsOf(page)
    if (call.isJson) {
      const { pgid: id, offset, bytes } = page
      printJson(setting.screen, { id, offset, sizeBytes: bytes.length, hex: hexOf(bytes), fields })
    } else {
      await print(page, fields, setting)
    }
    return EXIT.ok
  })
}

async function print(
  page: RawPage,
  fields: readonly Field[],
  { screen, signal }: Setting,
): Promise<void> {
  const { pgid, offset, bytes } = page
  const where = `offset ${offset} (0x${offset.toString(16)}) of the file`
  screen.print(screen.style('bold', `Page ${pgid}, ${formatBytes(bytes.length)} at ${where}`))
  const digits = Math.max(8, (offset + bytes.length).toString(16).length)
  let isSkipping = false
  let next = 0
  for (let at = 0, row = 0; at < bytes.length; at += ROW_SIZE, row++) {
    const starting: Field[] = []
    for (let field = fields[next]; field !== undefined; field = fields[next]) {
      if (field.start >= at + ROW_SIZE) break
      starting.push(field)
      next++
    }
    const isLast = at + ROW_SIZE >= bytes.length
    if (!isLast && starting.length === 0 && isRepeated(bytes, at)) {
      if (!isSkipping) screen.print('*')
      isSkipping = true
      continue
    }
    isSkipping = false
    const address = (offset + at).toString(16).padStart(digits, '0')
    const label = starting.map((field) => field.label).join(', ')
    screen.print(showRow(screen, { bytes, at, fields, upTo: next, address, label }))
    if (row % ROWS_PER_TURN === 0) await screen.catchUp(signal)
  }
}

/** Whether the row is the same as the one before it. */
function isRepeated(bytes: Uint8Array, at: number): boolean {
  if (at === 0) return false
  for (let i = at; i < at + ROW_SIZE; i++) if (bytes[i] !== bytes[i - ROW_SIZE]) return false
  return true
}

interface Row {
  readonly bytes: Uint8Array
  readonly at: number
  readonly fields: readonly Field[]
  /** Fields that begin in this row or before it. */
  readonly upTo: number
  readonly address: string
  readonly label: string
}

function showRow(screen: Screen, { bytes, at, fields, upTo, address, label }: Row): string {
  const end = Math.min(at + ROW_SIZE, bytes.length)
  let hex = ''
  let text = ''
  let width = 0
  for (let i = at; i < end; i++) {
    const byte = bytes[i] ?? 0
    const kind = kindAt(fields, upTo, i)
    const digits = byte.toString(16).padStart(2, '0')
    const character = byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'
    const gap = i > at && (i - at) % 2 === 0 ? ' ' : ''
    width += gap.length + 2
    hex +=
      gap + (kind === undefined ? screen.style('dim', digits) : screen.style(STYLES[kind], digits))
    text +=
      kind === undefined ? screen.style('dim', character) : screen.style(STYLES[kind], character)
  }
  const hexPad = ' '.repeat(HEX_WIDTH - width)
  const textPad = ' '.repeat(ROW_SIZE - (end - at))
  const room = screen.width - address.length - HEX_WIDTH - ROW_SIZE - 6
  const shown = label === '' ? '' : `  ${fit(label, room)}`
  return `${screen.style('dim', address)}  ${hex}${hexPad}  ${text}${textPad}${shown}`.trimEnd()
}

/** What a byte is. Of fields that overlap, which only damage makes, the last one counts. */
function kindAt(fields: readonly Field[], upTo: number, at: number): Kind | undefined {
  for (let i = upTo - 1; i >= 0; i--) {
    const field = fields[i]
    if (field !== undefined && at >= field.start && at < field.end) return field.kind
    // Keys and values are packed in order: one that ended long before hides nothing.
    if (field !== undefined && field.end <= at && field.kind === 'value') break
  }
  return undefined
}

/** In the order in which they begin. */
function fieldsOf(page: RawPage): readonly Field[] {
  const { type, id, count, bytes, contentEnd, seal } = page
  if (bytes.length < ROW_SIZE) return []
  const fields: Field[] = [
    { start: 0, end: 16, kind: 'header', label: `id ${id}, ${type}, ${count}` },
  ]
  if (type === 'meta') fields.push(...META_FIELDS)
  if (type === 'freelist' && page.freeIds.length > 0) {
    const end = contentEnd ?? bytes.length
    const start = end - 8 * page.freeIds.length
    if (start > 16) fields.push({ start: 16, end: start, kind: 'header', label: 'count' })
    fields.push({ start, end, kind: 'ids', label: `${page.freeIds.length} ids` })
  }
  for (const element of page.elements) fields.push(...elementFields(element))
  if (contentEnd !== undefined && seal !== undefined && seal !== 'unsealed') {
    const tail = bytes.length - contentEnd
    const start = bytes.length - (tail >= 8 ? 8 : 1)
    const label = seal === 'sealed' ? 'seal' : 'bad seal'
    if (tail > 0) fields.push({ start, end: bytes.length, kind: 'seal', label })
  }
  return fields.filter(({ start, end }) => start < bytes.length && end > start).sort(byStart)
}

function byStart(a: Field, b: Field): number {
  return a.start - b.start
}

const META_FIELDS: readonly Field[] = [
  { start: 16, end: 32, kind: 'header', label: 'magic, vers' },
  { start: 32, end: 48, kind: 'ids', label: 'root, seq' },
  { start: 48, end: 64, kind: 'ids', label: 'freelist, mark' },
  { start: 64, end: 72, kind: 'key', label: 'txid' },
  { start: 72, end: 80, kind: 'seal', label: 'checksum' },
]

function* elementFields(element: RawElement): Generator<Field, void, void> {
  const { index, offset, keyOffset, keySizeBytes, valueSizeBytes, bucket } = element
  yield { start: offset, end: offset + 16, kind: 'element', label: `elem ${index}` }
  const valueAt = keyOffset + keySizeBytes
  const isChild = element.childPgid !== undefined
  const child = isChild ? ` → page ${element.childPgid}` : ''
  yield { start: keyOffset, end: valueAt, kind: 'key', label: `key ${index}${child}` }
  if (valueSizeBytes === undefined) return
  const end = valueAt + valueSizeBytes
  const kind = bucket === undefined ? 'value' : 'bucket'
  yield { start: valueAt, end, kind, label: `${kind} ${index}` }
}

export const dump: Command = {
  name: 'dump',
  positionals: 'FILE ID',
  counts: [2, 2],
  summary: 'the bytes of a page, with what each of them is',
  details:
    'Offsets on the left are of the file, in hex. At the right stands what begins in the row; ' +
    'on a terminal each kind of field has its colour. Equal rows are shown as one *.',
  options: {},
  run,
}
