/** `revbolt bolt page`: one page taken apart. */
import type { RawElement, RawFile, RawPage } from '../../engine/index.ts'
import { findRunOf, readRawPage } from '../../engine/index.ts'
import { alignRows, fit, formatBytes, formatCount, plural } from '../format.ts'
import type { Call, Command, Setting } from './command.ts'
import { EXIT } from './command.ts'
import { pathOf, readPgid, withRawFile } from './opening.ts'
import { heading, labelled, paragraph, printJson } from './output.ts'
import type { Format } from './value-format.ts'
import {
  FORMAT_OPTION,
  jsonBytes,
  jsonNumber,
  readFormat,
  showBytes,
  showShort,
} from './value-format.ts'

const KEY_SHOWN = 48
const VALUE_SHOWN = 32
const IDS_SHOWN = 200
/** Pages before an overflow page that are looked at for the one it belongs to. */
const RUN_PAGES_MAX = 65536

async function run(call: Call, setting: Setting): Promise<number> {
  const format = readFormat(call)
  return withRawFile(call, setting, (file) => {
    const page = readRawPage(file, readPgid(call, file))
    const owner = ownerOf(file, page)
    // What continues another page has no header that could be wrong.
    const notes = owner === undefined ? page.notes : []
    const { screen } = setting
    if (call.isJson) printJson(screen, jsonPage(page, owner, notes))
    else printPage({ file, page, owner, notes }, { call, setting, format })
    return notes.length === 0 ? EXIT.ok : EXIT.found
  })
}

/** The page that this one is an overflow page of. */
export function ownerOf(file: RawFile, page: RawPage): number | undefined {
  if (page.id === BigInt(page.pgid) && page.type !== 'unknown') return undefined
  return findRunOf(file, page.pgid, RUN_PAGES_MAX)
}

interface Shown {
  readonly file: RawFile
  readonly page: RawPage
  readonly owner: number | undefined
  readonly notes: readonly string[]
}

interface How {
  readonly call: Call
  readonly setting: Setting
  readonly format: Format
}

function printPage({ file, page, owner, notes }: Shown, how: How): void {
  const { screen } = how.setting
  const { pgid, type, offset, bytes } = page
  const what = owner === undefined ? type : 'overflow'
  screen.print(
    `${screen.style('bold', `Page ${pgid}: ${what}`)}, ${formatBytes(bytes.length)} at offset ` +
      `${offset} (0x${offset.toString(16)})`,
  )
  if (owner !== undefined) {
    paragraph(
      screen,
      `It continues page ${owner} and has no header of its own: ` +
        `\`revbolt bolt page ${pathOf(how.call)} ${owner}\` shows that one.`,
    )
    return
  }
  const rows: [string, string][] = [['header', headerOf(page)]]
  if (page.contentEnd !== undefined) rows.push(['content', contentOf(page)])
  if (page.seal !== undefined) rows.push(['checksum', SEAL_TEXTS[page.seal]])
  labelled(screen, rows)
  for (const note of notes) screen.print(`  ${screen.style('red', 'wrong')}  ${note}`)
  if (type === 'meta') paragraph(screen, '`revbolt bolt info` shows the meta field by field.')
  if (type === 'freelist') printIds(page, screen)
  if (type === 'leaf' || type === 'branch') printElements(page, how)
  if (type === 'unknown' && file.usableMetas.length === 0) {
    paragraph(screen, 'If the page size is wrong, --page-size names another.')
  }
}

const SEAL_TEXTS = {
  sealed: 'revbolt’s seal, and it is right',
  unsealed: 'none: bbolt wrote the page, or it is full to the brim',
  broken: 'wrong',
} as const

function headerOf({ id, flags, count, overflow }: RawPage): string {
  const run = plural(overflow, 'overflow page')
  return `id ${id}, flags 0x${flags.toString(16)}, ${plural(count, 'item')}, ${run}`
}

function contentOf({ contentEnd = 0, bytes }: RawPage): string {
  const share = Math.round((contentEnd / bytes.length) * 100)
  return `${formatCount(contentEnd)} of ${formatCount(bytes.length)} bytes in use (${share} %)`
}

function printIds({ freeIds }: RawPage, screen: Setting['screen']): void {
  heading(screen, `Lists ${plural(freeIds.length, 'free page')}`)
  if (freeIds.length > 0) paragraph(screen, freeIds.slice(0, IDS_SHOWN).join(' '))
  const more = freeIds.length - IDS_SHOWN
  if (more > 0) paragraph(screen, `… and ${formatCount(more)} more; --json lists all`)
}

function printElements({ elements, type }: RawPage, { setting, format }: How): void {
  const { screen } = setting
  screen.print()
  const isLeaf = type === 'leaf'
  const head = isLeaf
    ? ['#', 'OFFSET', 'KEY AT', 'SIZE', 'VALUE SIZE', 'KEY', 'VALUE']
    : ['#', 'OFFSET', 'KEY AT', 'SIZE', 'CHILD', 'KEY']
  const rows = elements.map((element) => [
    String(element.index),
    String(element.offset),
    String(element.keyOffset),
    String(element.keySizeBytes),
    isLeaf ? String(element.valueSizeBytes ?? '') : String(element.childPgid ?? ''),
    shownBytes(element.key, format, KEY_SHOWN),
    ...(isLeaf ? [valueOf(element, format)] : []),
  ])
  const aligns = head.map((_, column) => (column < 5 ? 'right' : 'left'))
  const [title, ...lines] = alignRows([head, ...rows], aligns)
  const width = screen.width - 2
  screen.print(screen.style('dim', `  ${fit(title ?? '', width)}`.trimEnd()))
  for (const line of lines) {
    screen.print(`  ${format === 'auto' ? fit(line, width) : line}`.trimEnd())
  }
}

function shownBytes(bytes: Uint8Array | undefined, format: Format, sizeMax: number): string {
  if (bytes === undefined) return '(beyond the page)'
  return format === 'auto' ? showShort(bytes, sizeMax) : showBytes(bytes, format)
}

function valueOf({ bucket, value }: RawElement, format: Format): string {
  if (bucket === undefined) return shownBytes(value, format, VALUE_SHOWN)
  const sequence = bucket.sequence === 0n ? '' : `, sequence ${bucket.sequence}`
  if (bucket.rootPgid !== 0n) return `bucket at page ${bucket.rootPgid}${sequence}`
  const items = bucket.inlineItems
  return `inline bucket${items === undefined ? '' : `, ${plural(items, 'item')}`}${sequence}`
}

function jsonPage(page: RawPage, owner: number | undefined, notes: readonly string[]): unknown {
  const { pgid, offset, bytes, id, flags, type, count, overflow, contentEnd, seal } = page
  return {
    id: pgid,
    offset,
    sizeBytes: bytes.length,
    type: owner === undefined ? type : 'overflow',
    overflowOf: owner,
    header: { id: jsonNumber(id), flags, count, overflow },
    contentEnd,
    seal,
    notes,
    freePages: type === 'freelist' ? page.freeIds : undefined,
    elements: page.elements.map((element) => ({
      index: element.index,
      offset: element.offset,
      keyOffset: element.keyOffset,
      keySizeBytes: element.keySizeBytes,
      valueSizeBytes: element.valueSizeBytes,
      flags: element.flags,
      key: element.key === undefined ? undefined : jsonBytes(element.key),
      value:
        element.value === undefined || element.bucket !== undefined
          ? undefined
          : jsonBytes(element.value),
      childPage: element.childPgid === undefined ? undefined : jsonNumber(element.childPgid),
      bucket: element.bucket === undefined ? undefined : jsonBucket(element.bucket),
    })),
  }
}

function jsonBucket({
  rootPgid,
  sequence,
  inlineItems,
}: NonNullable<RawElement['bucket']>): unknown {
  const rootPage = rootPgid === 0n ? null : jsonNumber(rootPgid)
  return { rootPage, sequence: sequence.toString(), inlineItems }
}

export const page: Command = {
  name: 'page',
  positionals: 'FILE ID',
  counts: [2, 2],
  summary: 'one page taken apart: header, elements, keys, and what is wrong in it',
  details:
    'Offsets are counted from the start of the page. Works on pages that nothing leads to, and ' +
    'on damaged ones; exits with 1 where something in the page is wrong.',
  options: { format: FORMAT_OPTION },
  run,
}
