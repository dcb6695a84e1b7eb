/** `revbolt bolt info`: what the file says of itself. */
import type { RawFile, RawMeta } from '../../engine/index.ts'
import { openEngine, readRawPage } from '../../engine/index.ts'
import { formatBytes, formatCount, plural } from '../format.ts'
import type { Call, Command, Setting } from './command.ts'
import { EXIT } from './command.ts'
import type { EtcdFacts } from './etcd.ts'
import { readEtcdFacts } from './etcd.ts'
import { chosenMeta, fullPathOf, pathOf, withRawFile } from './opening.ts'
import { heading, labelled, paragraph, printJson } from './output.ts'
import { jsonNumber } from './value-format.ts'

const NOT_PERSISTED = 0xffffffffffffffffn

/** An etcd snapshot has a SHA-256 behind the database. */
const SNAPSHOT_TRAILER = 32
const SECTOR = 512

export interface FileFacts {
  readonly path: string
  readonly sizeBytes: number
  readonly pageSizeBytes: number | undefined
  readonly pageSizeSource: string | undefined
  readonly metas: readonly (RawMeta | undefined)[]
  /** The slot of the generation that is shown; undefined: neither meta can be used. */
  readonly slot: 0 | 1 | undefined
  readonly txid: number | undefined
  readonly rootPage: number | undefined
  readonly highWaterMark: number | undefined
  readonly missingBytes: number
  readonly freelist: FreelistFacts | undefined
  readonly writtenBy: string | undefined
  readonly hasSnapshotTrailer: boolean
  readonly etcd: EtcdFacts | undefined
}

interface FreelistFacts {
  /** undefined: it is not in the file, and is found by a walk. */
  readonly page: number | undefined
  readonly pages: number
  readonly freePages: number | undefined
  readonly fault: string | undefined
}

async function run(call: Call, setting: Setting): Promise<number> {
  return withRawFile(call, setting, async (file) => {
    const facts = await readFacts(file, call, setting)
    if (call.isJson) printJson(setting.screen, jsonFacts(facts))
    else printFacts(facts, setting)
    return isWhole(facts) ? EXIT.ok : EXIT.found
  })
}

/** One bad meta is no damage: a power cut leaves it so, and the other one is the database. */
function isWhole({ slot, missingBytes, freelist }: FileFacts): boolean {
  return slot !== undefined && missingBytes === 0 && freelist?.fault === undefined
}

async function readFacts(file: RawFile, call: Call, setting: Setting): Promise<FileFacts> {
  const meta = chosenMeta(call, file)
  const end = meta === undefined ? 0 : meta.highWaterMark * meta.pageSizeBytes
  return {
    path: pathOf(call),
    sizeBytes: file.sizeBytes,
    pageSizeBytes: file.pageSizeBytes,
    pageSizeSource: file.pageSizeSource,
    metas: file.metas,
    slot: meta?.slot,
    txid: meta?.txid,
    rootPage: meta?.rootPgid,
    highWaterMark: meta?.highWaterMark,
    missingBytes: Math.max(0, end - file.sizeBytes),
    freelist: meta === undefined ? undefined : readFreelist(file, meta.freelistPgid),
    writtenBy: meta === undefined ? undefined : writerOf(file, meta.rootPgid),
    hasSnapshotTrailer: file.sizeBytes % SECTOR === SNAPSHOT_TRAILER,
    etcd: await readEtcd(call, setting),
  }
}

function readFreelist(file: RawFile, pgid: number | undefined): FreelistFacts {
  if (pgid === undefined) {
    return { page: undefined, pages: 0, freePages: undefined, fault: undefined }
  }
  if (pgid >= file.pageCount) {
    const fault = 'it lies beyond the end of the file'
    return { page: pgid, pages: 0, freePages: undefined, fault }
  }
  const page = readRawPage(file, pgid)
  const notFreelist = page.type === 'freelist' ? undefined : `it is of type ${page.type}`
  const fault = page.notes[0] ?? notFreelist
  const freePages = fault === undefined ? page.freeIds.length : undefined
  return { page: pgid, pages: page.overflow + 1, freePages, fault }
}

/** Only pages that this program's engine wrote have a seal. */
function writerOf(file: RawFile, rootPgid: number): string | undefined {
  if (rootPgid >= file.pageCount) return undefined
  const page = readRawPage(file, rootPgid)
  if (page.type !== 'leaf' && page.type !== 'branch') return undefined
  if (page.seal === 'sealed') return 'revbolt: the root page has its seal'
  if (page.seal === 'unsealed') return 'bbolt, or what uses it: the root page has no seal'
  return undefined
}

/** undefined also where the file can't be read as a database. */
async function readEtcd(call: Call, setting: Setting): Promise<EtcdFacts | undefined> {
  const generation = call.text('generation') === 'previous' ? 'previous' : 'newest'
  try {
    const path = fullPathOf(call, setting)
    // The lock is held already.
    const engine = await openEngine(path, { readOnly: true, lock: 'none', generation })
    try {
      return readEtcdFacts(engine)
    } finally {
      await engine.close()
    }
  } catch {
    return undefined
  }
}

function printFacts(facts: FileFacts, { screen }: Setting): void {
  const { pageSizeBytes, pageSizeSource, highWaterMark, etcd } = facts
  const hasMagic = facts.metas.some((meta) => meta?.version === 2)
  const what = hasMagic ? 'a bbolt database' : 'no bbolt database any more, by its metas'
  screen.print(screen.style('bold', `${facts.path}: ${what}`))
  const from = pageSizeSource === 'guess' ? 'guessed from where pages stand' : pageSizeSource
  const rows: [string, string][] = [
    ['file', `${formatBytes(facts.sizeBytes)} (${formatCount(facts.sizeBytes)} bytes)`],
    ['page size', pageSizeBytes === undefined ? 'unknown' : `${pageSizeBytes} bytes (${from})`],
  ]
  if (hasMagic) rows.push(['format', 'bbolt, version 2'])
  if (facts.txid !== undefined) {
    rows.push(['generation', `transaction ${formatCount(facts.txid)}, in meta ${facts.slot}`])
    rows.push(['root', `page ${facts.rootPage}`])
  }
  if (highWaterMark !== undefined && pageSizeBytes !== undefined) {
    rows.push(['high-water mark', describeMark(facts, highWaterMark, pageSizeBytes)])
  }
  if (facts.freelist !== undefined) rows.push(['freelist', describeFreelist(facts.freelist)])
  if (facts.writtenBy !== undefined) rows.push(['written by', facts.writtenBy])
  if (facts.hasSnapshotTrailer) {
    rows.push(['trailer', '32 bytes behind the last page: an etcd snapshot with its SHA-256'])
  }
  labelled(screen, rows)
  for (const slot of [0, 1] as const) printMeta(facts, slot, screen)
  if (etcd !== undefined) printEtcd(etcd, screen)
  const isMetaWrong = facts.metas.some((meta) => meta === undefined || meta.fault !== undefined)
  if (isMetaWrong || !isWhole(facts)) printAdvice(facts, screen)
}

function describeMark(facts: FileFacts, mark: number, pageSizeBytes: number): string {
  const bytes = mark * pageSizeBytes
  const { missingBytes, sizeBytes } = facts
  if (missingBytes > 0) {
    return `page ${mark}, but the file ends ${formatBytes(missingBytes)} before it`
  }
  const ahead = sizeBytes - bytes
  const room = ahead >= pageSizeBytes ? `, ${formatBytes(ahead)} of room behind it` : ''
  return `page ${formatCount(mark)} (${formatBytes(bytes)} needed${room})`
}

function describeFreelist({ page, pages, freePages, fault }: FreelistFacts): string {
  if (page === undefined) return 'not in the file; opening finds the free pages by a walk'
  if (fault !== undefined) return `page ${page}: ${fault}`
  return `page ${page}, ${plural(pages, 'page')}, lists ${plural(freePages ?? 0, 'free page')}`
}

function printMeta(facts: FileFacts, slot: 0 | 1, screen: Setting['screen']): void {
  const meta = facts.metas[slot]
  if (meta === undefined) {
    const where = facts.pageSizeBytes === undefined ? 'its place is not known' : 'the file is short'
    heading(screen, `Meta ${slot}: ${screen.style('red', 'not there')} (${where})`)
    return
  }
  const isChosen = facts.slot === slot
  const role = isChosen ? 'good, the one in use' : 'good, the generation before'
  const word = isChosen || (facts.slot !== undefined && isOlder(facts, meta)) ? role : 'good'
  const verdict =
    meta.fault === undefined ? screen.style('green', word) : screen.style('red', 'bad')
  screen.print()
  screen.print(`${screen.style('bold', `Meta ${slot}`)}, at offset ${meta.offset}: ${verdict}`)
  if (meta.fault !== undefined) paragraph(screen, meta.fault)
  const freelist =
    meta.freelistPgid === NOT_PERSISTED ? 'not persisted' : `page ${meta.freelistPgid}`
  const sum = hex64(meta.checksum)
  const isSumRight = meta.checksum === meta.checksumOfFields
  const fields: [string, string][] = [
    ['magic', `0x${meta.magic.toString(16).padStart(8, '0')}`],
    ['version', `${meta.version}`],
    ['page size', `${meta.pageSizeBytes}`],
    ['root', `page ${meta.rootPgid}`],
    ['freelist', freelist],
    ['high-water mark', `page ${meta.highWaterMark}`],
    ['txid', `${meta.txid}`],
    ['checksum', isSumRight ? sum : `${sum}, but the fields give ${hex64(meta.checksumOfFields)}`],
  ]
  if (meta.pageId !== BigInt(slot) || meta.pageFlags !== 4) {
    const flags = `flags 0x${meta.pageFlags.toString(16)}`
    fields.unshift(['page header', `page ${meta.pageId}, ${flags}; expected ${slot} and 0x4`])
  }
  labelled(screen, fields)
}

function isOlder(facts: FileFacts, meta: RawMeta): boolean {
  return facts.txid !== undefined && meta.txid < BigInt(facts.txid)
}

function hex64(value: bigint): string {
  return `0x${value.toString(16).padStart(16, '0')}`
}

function printEtcd(etcd: EtcdFacts, screen: Setting['screen']): void {
  heading(screen, 'An etcd database, by its buckets')
  const history =
    etcd.revision === undefined
      ? 'none: no key was ever written'
      : `${etcd.firstRevision} to ${etcd.revision} (${plural(etcd.rows, 'row')}, ` +
        `${plural(etcd.tombstones, 'tombstone')})`
  const rows: [string, string][] = [['revisions', history]]
  const optional: readonly [string, string | number | undefined][] = [
    ['compacted at', etcd.compactedRevision],
    ['consistent index', etcd.consistentIndex],
    ['term', etcd.term],
    ['storage version', etcd.storageVersion],
    ['cluster version', etcd.clusterVersion],
  ]
  for (const [label, value] of optional) if (value !== undefined) rows.push([label, `${value}`])
  rows.push(['leases', `${etcd.leases}`], ['members', `${etcd.members}`])
  rows.push(['auth', etcd.isAuthEnabled ? 'on' : 'off'])
  labelled(screen, rows)
}

function printAdvice(facts: FileFacts, screen: Setting['screen']): void {
  const { path, slot, metas, missingBytes } = facts
  heading(screen, 'What can be done')
  const bad = metas.findIndex((meta) => meta?.fault !== undefined)
  if (slot === undefined) {
    paragraph(
      screen,
      'Neither meta can be used, so nothing says where the tree begins. `revbolt bolt pages`, ' +
        '`page` and `dump` still show the pages (with --page-size where it is unknown). ' +
        'Restore a backup if there is one.',
    )
    return
  }
  if (missingBytes > 0) {
    paragraph(
      screen,
      'The file was cut short. Copy it before anything else. ' +
        `\`revbolt bolt check ${path}\` says what is left; restore a backup if there is one.`,
    )
    return
  }
  const other = bad === -1 ? '' : `meta ${bad} is overwritten by the next commit. `
  paragraph(
    screen,
    `The database can be read from meta ${slot}: ${other}` +
      `Copy the file, then \`revbolt bolt check ${path}\` says whether the rest is whole.`,
  )
}

function jsonFacts(facts: FileFacts): unknown {
  const { metas, ...rest } = facts
  return {
    ...rest,
    formatVersion: 2,
    metas: metas.map((meta) => (meta === undefined ? null : jsonMeta(meta))),
  }
}

function jsonMeta(raw: RawMeta): unknown {
  return {
    slot: raw.slot,
    offset: raw.offset,
    isGood: raw.fault === undefined,
    fault: raw.fault,
    magic: raw.magic,
    version: raw.version,
    pageSizeBytes: raw.pageSizeBytes,
    flags: raw.flags,
    rootPage: jsonNumber(raw.rootPgid),
    rootSequence: raw.rootSequence,
    freelistPage: raw.freelistPgid === NOT_PERSISTED ? null : jsonNumber(raw.freelistPgid),
    highWaterMark: jsonNumber(raw.highWaterMark),
    txid: jsonNumber(raw.txid),
    checksum: hex64(raw.checksum),
    checksumOfFields: hex64(raw.checksumOfFields),
  }
}

export const info: Command = {
  name: 'info',
  positionals: 'FILE',
  counts: [1, 1],
  summary: 'sizes, generation, both metas, freelist, who wrote it',
  details:
    'Says what the file says of itself, field by field, and which of its two metas can be used. ' +
    'Exits with 1 where one of them can’t, or where the file is shorter than it should be.',
  options: {},
  run,
}
