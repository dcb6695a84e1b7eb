/**
 * What a watch was asked for and what it showed, written down to be judged later, and the history
 * that it is judged by.
 */
import type { KeyRange } from '../../store/types/key-value.ts'
import type { WatchEvent } from '../../store/types/watch.ts'
import { toByteString } from '../model/row.ts'
import type { KeySet, ModelEvent, Row } from '../model/row.ts'

/** All events there ever were, by revision. `Model` is one, as long as it is not compacted. */
export interface Replay {
  /** The newest revision. */
  readonly revision: number
  /** In the order of the writes; nothing for revision 1. */
  eventsOf(revision: number): readonly ModelEvent[]
}

export type SeenEvent =
  | { readonly type: 'put'; readonly row: Row; readonly previous: Row | undefined }
  | {
      readonly type: 'delete'
      readonly key: string
      readonly modRevision: number
      readonly previous: Row | undefined
    }

export interface SeenBatch {
  /** Everything up to there was shown, as the batch says. */
  readonly revision: number
  readonly events: readonly SeenEvent[]
  /** The highest revision that a compaction had been asked for when this was read; 0: none. */
  readonly compacted: number
}

/** How a watch ended that fell behind a compaction. */
export interface Overtaken {
  /** The revision that it would have gone on with. */
  readonly requested: number
  readonly compacted: number
}

export interface WatchRecord {
  /** For messages. */
  readonly name: string
  readonly keys: KeySet
  /** Undefined: from the next revision on. */
  readonly startRevision: number | undefined
  readonly only: 'put' | 'delete' | undefined
  readonly previous: boolean
  readonly progress: boolean
  /** The newest revision that anyone could see when it began. */
  readonly registeredAt: number
  readonly batches: SeenBatch[]
  /** It was read until nothing more could come of the revisions up to there. */
  drainedTo: number | undefined
  overtaken: Overtaken | undefined
}

/** The first revision that a watch is to show. */
export function firstRevision(record: WatchRecord): number {
  return record.startRevision ?? record.registeredAt + 1
}

/** Where the same watch would go on. */
export function nextRevision(record: WatchRecord): number {
  const last = record.batches.at(-1)
  return last === undefined ? firstRevision(record) : last.revision + 1
}

export function revisionOf(event: SeenEvent): number {
  return event.type === 'put' ? event.row.modRevision : event.modRevision
}

export function keyOf(event: SeenEvent): string {
  return event.type === 'put' ? event.row.key : event.key
}

export function matches(record: WatchRecord, event: SeenEvent): boolean {
  return record.keys(keyOf(event)) && (record.only === undefined || record.only === event.type)
}

/** The events that a watch is to show of the revisions from `first` to `last`. */
export function expectedEvents(
  record: WatchRecord,
  replay: Replay,
  { first, last }: { readonly first: number; readonly last: number },
): readonly ModelEvent[] {
  const events: ModelEvent[] = []
  for (let at = Math.max(first, 2); at <= Math.min(last, replay.revision); at++) {
    events.push(...replay.eventsOf(at).filter((event) => matches(record, event)))
  }
  return events
}

/** What a range of keys holds. */
export function keySetOf({ key, prefix, start, end, fromKey }: KeyRange): KeySet {
  if (key !== undefined) return (one) => one === text(key)
  if (prefix !== undefined) return (one) => one.startsWith(text(prefix))
  if (fromKey !== undefined) return (one) => one >= text(fromKey)
  if (start === undefined) return () => true
  return (one) => one >= text(start) && one < text(end)
}

/** An event of a store of bytes, or of text whose characters are one byte each. */
export function seenEvent(event: WatchEvent<unknown, unknown>): SeenEvent {
  const { type } = event
  const previous = event.previous === undefined ? undefined : rowOf(event.previous)
  if (type === 'put') return { type, row: rowOf(event.kv), previous }
  return { type, key: text(event.key), modRevision: event.modRevision, previous }
}

interface AnyRow extends Omit<Row, 'key' | 'value'> {
  readonly key: unknown
  readonly value: unknown
}

export function rowOf(row: AnyRow): Row {
  const { createRevision, modRevision, version, lease } = row
  return { key: text(row.key), value: text(row.value), createRevision, modRevision, version, lease }
}

function text(given: unknown): string {
  return given instanceof Uint8Array ? toByteString(given) : String(given)
}

export function showRow(row: Row | undefined): string {
  if (row === undefined) return 'nothing'
  const { key, value, createRevision, modRevision, version, lease } = row
  return `${key}=${value.slice(0, 30)} c${createRevision} m${modRevision} v${version} l${lease}`
}

export function showEvent(event: SeenEvent): string {
  return event.type === 'put' ? `put ${showRow(event.row)}` : `delete ${event.key}`
}
