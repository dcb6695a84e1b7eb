/** `revbolt wal dump`: what the log holds, group by group. */
import { hexOf, jsonBytes, jsonNumber, showShort } from '../bolt/value-format.ts'
import { isRowBucket, jsonRow, readRow, showRevision } from '../bolt/etcd.ts'
import { readCount } from '../bolt/call.ts'
import type { Call, Command, Setting } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { printJson } from '../bolt/output.ts'
import { formatBytes, formatCount, plural } from '../format.ts'
import type { Screen } from '../screen.ts'
import type { LogEntry, LogEvent, LogOp, SegmentEnd, SegmentReport } from '../../wal/index.ts'
import { endText, isDamage, openLog, taken } from './opening.ts'

const KEY_BYTES_SHOWN = 60
const VALUE_BYTES_SHOWN = 40

type GroupEvent = Extract<LogEvent, { readonly kind: 'group' }>

async function run(call: Call, setting: Setting): Promise<number> {
  const from = readCount(call, 'from') ?? 0
  const limit = readCount(call, 'limit', 1) ?? Infinity
  const log = await openLog(call, setting)
  const { screen } = setting
  let shown = 0
  let isDamaged = false
  let segment = ''
  for await (const event of taken(log.walk(), setting)) {
    if (event.kind === 'segment') {
      isDamaged ||= isDamage(event.segment.end)
      if (call.isJson) printJson(screen, jsonSegment(event.segment))
      else printEnd(screen, event.segment, segment === event.segment.name)
      continue
    }
    if (event.group.txid < from) continue
    if (shown++ >= limit) break
    if (call.isJson) {
      printJson(screen, jsonGroup(event))
      continue
    }
    const name = nameOf(event.path)
    if (name !== segment) screen.print(screen.style('bold', name))
    segment = name
    printGroup(screen, event)
  }
  return isDamaged ? EXIT.found : EXIT.ok
}

function nameOf(path: string): string {
  return path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1)
}

function printGroup(screen: Screen, { group, offset, sizeBytes, syncedThrough }: GroupEvent): void {
  const { txid, entries } = group
  const place = `at byte ${formatCount(offset)}, ${formatBytes(sizeBytes)}`
  const what = entries.length === 0 ? ', a checkpoint' : ''
  screen.print(
    `  group ${formatCount(txid)}${what}  ` +
      screen.style('dim', `${place}, synced through ${formatCount(syncedThrough)}`),
  )
  for (const entry of entries) printEntry(screen, entry)
}

function printEntry(screen: Screen, { revision, timeMs, ops }: LogEntry): void {
  const time = timeMs === 0 ? '' : `, ${new Date(timeMs).toISOString()}`
  const name = revision === 0 ? 'without a revision' : `revision ${formatCount(revision)}`
  screen.print(`    ${name}${screen.style('dim', time)}`)
  for (const op of ops) screen.print(`      ${showOp(op)}`)
}

function showOp(op: LogOp): string {
  const where = op.path.map(showName).join(' › ')
  switch (op.op) {
    case 'put': {
      const row = isRowBucket(op.path) ? showRow(op.key, op.value) : undefined
      return `put ${where} ${row ?? showPut(op.key, op.value)}`
    }
    case 'delete':
      return `delete ${where} ${showShort(op.key, KEY_BYTES_SHOWN)}`
    case 'createBucket':
      return `create bucket ${[...op.path, op.name].map(showName).join(' › ')}`
    case 'deleteBucket':
      return `delete bucket ${[...op.path, op.name].map(showName).join(' › ')}`
    case 'moveBucket': {
      const target = [...op.target, op.name].map(showName).join(' › ')
      return `move bucket ${[...op.path, op.name].map(showName).join(' › ')} to ${target}`
    }
    case 'setSequence':
      return `set the sequence of ${where === '' ? 'the top level' : where} to ${op.sequence}`
  }
}

function showPut(key: Uint8Array, value: Uint8Array): string {
  return `${showShort(key, KEY_BYTES_SHOWN)} = ${showShort(value, VALUE_BYTES_SHOWN)}`
}

function showName(name: Uint8Array): string {
  return showShort(name, KEY_BYTES_SHOWN)
}

/** A put into etcd's `key` bucket: the revision, and what was put or deleted there. */
function showRow(key: Uint8Array, value: Uint8Array): string | undefined {
  const row = readRow(key, value)
  if (row?.kv === undefined) return undefined
  const shown = `${showRevision(row.revision)}  ${showShort(row.kv.key, KEY_BYTES_SHOWN)}`
  if (row.revision.isTombstone) return shown
  return `${shown} = ${showShort(row.kv.value, VALUE_BYTES_SHOWN)}`
}

/** What follows a segment's groups. */
function printEnd(screen: Screen, segment: SegmentReport, hasHead: boolean): void {
  const { name, groups, end } = segment
  if (!hasHead) screen.print(screen.style('bold', name))
  const text = `  ${plural(groups, 'group')}; ${endText(end)}`
  screen.print(isDamage(end) ? screen.style('red', text) : screen.style('dim', text))
}

function jsonGroup({ group, path, offset, sizeBytes, syncedThrough }: GroupEvent): unknown {
  const { txid, entries } = group
  return {
    group: {
      txid,
      segment: nameOf(path),
      offset,
      sizeBytes,
      syncedThrough,
      entries: entries.map(({ revision, timeMs, ops }) => ({
        revision,
        timeMs,
        ops: ops.map(jsonOp),
      })),
    },
  }
}

function jsonOp(op: LogOp): unknown {
  const path = op.path.map(jsonBytes)
  switch (op.op) {
    case 'put': {
      const row = isRowBucket(op.path) ? readRow(op.key, op.value) : undefined
      const etcd = row === undefined ? {} : { etcd: jsonRow(row) }
      return { op: op.op, path, key: jsonBytes(op.key), value: jsonBytes(op.value), ...etcd }
    }
    case 'delete':
      return { op: op.op, path, key: jsonBytes(op.key) }
    case 'createBucket':
    case 'deleteBucket':
      return { op: op.op, path, name: jsonBytes(op.name) }
    case 'moveBucket':
      return { op: op.op, path, target: op.target.map(jsonBytes), name: jsonBytes(op.name) }
    case 'setSequence':
      return { op: op.op, path, sequence: jsonNumber(op.sequence) }
  }
}

export function jsonSegment(segment: SegmentReport): unknown {
  const { name, header, groups, lastTxid, usedBytes, end } = segment
  return {
    segment: { name, ...jsonHeader(header), groups, lastTxid, usedBytes, end: jsonEnd(end) },
  }
}

function jsonHeader(header: SegmentReport['header']): object {
  if (header === undefined) return {}
  return { header: { ...header, storeId: hexOf(header.storeId) } }
}

function jsonEnd(end: SegmentEnd): unknown {
  return { ...end, isDamage: isDamage(end) }
}

export const dump: Command = {
  name: 'dump',
  positionals: 'PATH',
  counts: [1, 1],
  summary: 'what the log holds, group by group',
  details:
    'Prints each segment and the groups in it: where they stand, and what each changed. A group ' +
    'is one transaction of the engine; a revision’s changes stand under it. Where a segment is ' +
    'damaged, goes on with the next.',
  options: {
    from: { type: 'string', value: 'TXID', help: 'only the groups from this one on' },
    limit: { type: 'string', value: 'N', help: 'at most so many groups' },
  },
  run,
}
