/** `revbolt bolt dump`: the bytes of a page, with what each of them is. */
import type { RawElement, RawPage } from '../../engine/index.ts'
import { readRawPage } from '../../engine/index.ts'
import { fit, formatBytes, plural } from '../format.ts'
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
  /** Where there is no room for the label. */
  readonly short: string
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
    screen.print(showRow(screen, { bytes, at, fields, upTo: next, address, starting }))
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
  /** Fields that begin in this row. */
  readonly starting: readonly Field[]
}

function showRow(screen: Screen, { bytes, at, fields, upTo, address, starting }: Row): string {
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
  const left = `${screen.style('dim', address)}  ${hex}${hexPad}  `
  const room = screen.width - address.length - HEX_WIDTH - 4
  const full = starting.map(({ label }) => label).join(', ')
  // Headers and elements are numbers: what they say takes the place of their text.
  if (starting.some(({ kind }) => isNumbers(kind))) return left + fit(full, room)
  const textPad = ' '.repeat(ROW_SIZE - (end - at))
  const rest = room - ROW_SIZE - 2
  const label = full.length <= rest ? full : starting.map(({ short }) => short).join(' ')
  return `${left}${text}${textPad}${label === '' ? '' : `  ${fit(label, rest)}`}`.trimEnd()
}

function isNumbers(kind: Kind): boolean {
  return kind === 'header' || kind === 'element' || kind === 'ids'
}

/** What a byte is. Of fields that overlap, which only damage makes, the last one counts. */
function kindAt(fields: readonly Field[], upTo: number, at: number): Kind | undefined {
  for (let i = upTo - 1; i >= 0; i--) {
    const field = fields[i]
    if (field !== undefined && at >= field.start && at < field.end) return field.kind
    // Keys and values are packed in order: nothing is before one that has ended.
    if (field?.kind === 'key' || field?.kind === 'value') break
  }
  return undefined
}

/** In the order in which they begin. */
function fieldsOf(page: RawPage): readonly Field[] {
  const { type, id, count, bytes, contentEnd, seal } = page
  if (bytes.length < ROW_SIZE) return []
  const fields: Field[] = [
    {
      start: 0,
      end: 16,
      kind: 'header',
      label: `page ${id}, ${type}, ${plural(count, 'item')}`,
      short: 'header',
    },
  ]
  if (type === 'meta') fields.push(...META_FIELDS)
  if (type === 'freelist' && page.freeIds.length > 0) {
    const end = contentEnd ?? bytes.length
    const start = end - 8 * page.freeIds.length
    if (start > 16)
      fields.push({ start: 16, end: start, kind: 'header', label: 'how many', short: 'count' })
    fields.push({ start, end, kind: 'ids', label: `${page.freeIds.length} ids`, short: 'ids' })
  }
  for (const element of page.elements) fields.push(...elementFields(element))
  if (contentEnd !== undefined && seal !== undefined && seal !== 'unsealed') {
    const tail = bytes.length - contentEnd
    const start = bytes.length - (tail >= 8 ? 8 : 1)
    const label = seal === 'sealed' ? 'seal' : 'bad seal'
    if (tail > 0) fields.push({ start, end: bytes.length, kind: 'seal', label, short: label })
  }
  return fields.filter(({ start, end }) => start < bytes.length && end > start).sort(byStart)
}

function byStart(a: Field, b: Field): number {
  return a.start - b.start
}

function metaField(start: number, kind: Kind, label: string): Field {
  return { start, end: start + 8, kind, label, short: label }
}

const META_FIELDS: readonly Field[] = [
  metaField(16, 'header', 'magic, version'),
  metaField(24, 'header', 'page size, flags'),
  metaField(32, 'ids', 'root'),
  metaField(40, 'ids', 'sequence'),
  metaField(48, 'ids', 'freelist'),
  metaField(56, 'ids', 'high-water mark'),
  metaField(64, 'header', 'txid'),
  metaField(72, 'seal', 'checksum'),
]

function* elementFields(element: RawElement): Generator<Field, void, void> {
  const { index, offset, keyOffset, keySizeBytes, valueSizeBytes, bucket } = element
  const sizes =
    element.childPgid === undefined
      ? `key ${keySizeBytes}, value ${valueSizeBytes}`
      : `key ${keySizeBytes}, page ${element.childPgid}`
  const what = `element ${index}: ${sizes}`
  yield { start: offset, end: offset + 16, kind: 'element', label: what, short: `e${index}` }
  const valueAt = keyOffset + keySizeBytes
  yield { start: keyOffset, end: valueAt, kind: 'key', label: `key ${index}`, short: `k${index}` }
  if (valueSizeBytes === undefined) return
  const end = valueAt + valueSizeBytes
  const kind = bucket === undefined ? 'value' : 'bucket'
  yield { start: valueAt, end, kind, label: `${kind} ${index}`, short: `${kind[0]}${index}` }
}

export const dump: Command = {
  name: 'dump',
  positionals: 'FILE ID',
  counts: [2, 2],
  summary: 'the bytes of a page, with what each of them is',
  details:
    'Offsets on the left are of the file, in hex. At the right stands what begins in the row; ' +
    'on a terminal each kind of field has its colour. k3, v3, b3: the key, value, bucket of ' +
    'element 3. Equal rows are shown as one *.',
  options: {},
  run,
}
