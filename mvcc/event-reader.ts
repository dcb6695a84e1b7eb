/**
 * Reads what happened, revision by revision, out of the rows of the `key` bucket.
 *
 * A row is an event: a tombstone a delete, any other a put; a row with an empty value (etcd's mark
 * of a raised revision) is none. Events come in the order of (main, sub), and only when all of
 * their revision is read: the events of one revision are never handed out in two steps.
 *
 * A reader holds a place and no transaction. Each step reads through the one it is given, which
 * pins a root, so that the writer goes on meanwhile; the next step may come with a newer one. Rows
 * are lent; only what the selector wants is copied, and the copies belong to whoever gets them.
 *
 * What a key held before is looked up in the key index at the revision before; it is absent where
 * that is compacted.
 *
 * Invariants
 *   1. all events of revisions ≤ `position` were handed out, none of later ones.
 *   2. `begun` is `position`, or the revision after it when some of its rows are read. Nothing
 *      above it is: a selector that begins to want something from there on misses nothing.
 */

import { copyBytes, formatBytes } from '../base/bytes.ts'
import { CorruptionError } from '../base/errors.ts'
import type { KeyValue } from '../proto/mvccpb.ts'
import type { KeyIndex } from './key-index.ts'
import { KeyState } from './key-records.ts'
import { decodeRevisionKey, encodeRevisionKey } from './revision.ts'
import type { RevisionKey } from './revision.ts'
import { decodeRow } from './rows.ts'
import type { Rows } from './rows.ts'

/** What an event takes beside its keys and values, roughly, in bytes. */
const EVENT_BYTES = 128

export type EventType = 'put' | 'delete'

/** Something that happened to a key. All who get it share its bytes; nobody changes them. */
export interface StoreEvent {
  readonly type: EventType
  readonly revision: number
  /** Its place among the changes of its revision. */
  readonly sub: number
  /** Of a delete only the key and the revision say something. */
  readonly kv: KeyValue
  /** What the key held before: where it is wanted, there was something and it is not compacted. */
  readonly previous: KeyValue | undefined
  /** What it takes in memory, roughly. */
  readonly byteCount: number
}

/** An event, and what the selector said of it. */
export interface SelectedEvent<M> {
  readonly event: StoreEvent
  readonly match: M
}

/** Decides which events are wanted. */
export interface EventSelector<M> {
  /** Undefined: nobody wants it. The key is lent for the call. */
  readonly match: (key: Uint8Array, type: EventType) => M | undefined
  readonly wantsPrevious: (match: M) => boolean
}

/** How much one step may read. */
export interface StepRoom {
  readonly rows: number
  readonly bytes: number
}

/** What is read: rows and index up to `revision`. */
export interface EventSource {
  readonly rows: Rows
  readonly index: KeyIndex
  readonly revision: number
  readonly compactedRevision: number
  /** The data file's path, for messages. */
  readonly file: string
}

export class EventReader<M> {
  readonly #selector: EventSelector<M>
  readonly #state = new KeyState()
  #position: number
  #begun: number
  /** The row to go on with; all before it are read. */
  #main: number
  #sub = 0
  /** What is read of the revision `#begun`, as long as it is above `#position`. */
  #partial: SelectedEvent<M>[] = []

  /** Begins with the first event after revision `after`. */
  constructor(selector: EventSelector<M>, after: number) {
    this.#selector = selector
    this.#position = after
    this.#begun = after
    this.#main = after + 1
  }

  /** The last revision all of whose events were handed out. */
  get position(): number {
    return this.#position
  }

  /** The last revision of which anything was read. */
  get begun(): number {
    return this.#begun
  }

  /** Passes over everything up to and including a revision. */
  skipTo(revision: number): void {
    if (revision <= this.#position) return
    this.#partial = []
    this.#endRevision(revision)
  }

  /**
   * Reads on within `room`, at least one row, and returns the events of the revisions that are now
   * complete.
   * @throws {CorruptionError} at a row that is damaged
   */
  step(source: EventSource, room: StepRoom): readonly SelectedEvent<M>[] {
    const complete: SelectedEvent<M>[] = []
    if (source.revision <= this.#position) return complete
    const cursor = source.rows.cursor()
    let rowsLeft = room.rows
    let bytesLeft = room.bytes
    let entry = cursor.seek(encodeRevisionKey(this.#main, this.#sub))
    for (; entry !== undefined; entry = cursor.next()) {
      const at = decodeRevisionKey(entry.key)
      if (at === undefined || entry.value === undefined) {
        const message = `row ${formatBytes(entry.key)} of bucket "key" is no revision`
        throw new CorruptionError(message, { file: source.file })
      }
      if (at.main > source.revision) break
      if (at.main > this.#begun) {
        this.#complete(complete)
        this.#endRevision(at.main - 1)
      }
      if (rowsLeft <= 0 || bytesLeft <= 0) return complete
      this.#begun = at.main
      const selected = this.#select(source, at, entry.value)
      if (selected !== undefined) this.#partial.push(selected)
      rowsLeft--
      bytesLeft -=
        entry.key.length + entry.value.length + (selected?.event.previous?.value.length ?? 0)
      this.#main = at.main
      this.#sub = at.sub + 1
    }
    this.#complete(complete)
    this.#endRevision(source.revision)
    return complete
  }

  #complete(complete: SelectedEvent<M>[]): void {
    for (const selected of this.#partial) complete.push(selected)
    this.#partial = []
  }

  #endRevision(revision: number): void {
    this.#position = revision
    this.#begun = revision
    this.#main = revision + 1
    this.#sub = 0
  }

  #select(source: EventSource, at: RevisionKey, row: Uint8Array): SelectedEvent<M> | undefined {
    if (row.length === 0) return undefined
    const kv = decodeRow(row, (message) => {
      const what = `row of revision ${at.main}.${at.sub} ${message}`
      return new CorruptionError(what, { file: source.file })
    })
    const type = at.isTombstone ? 'delete' : 'put'
    const match = this.#selector.match(kv.key, type)
    if (match === undefined) return undefined
    const isNew = type === 'put' && kv.createRevision === at.main
    const previous =
      isNew || !this.#selector.wantsPrevious(match)
        ? undefined
        : this.#previous(source, kv.key, at.main - 1)
    const owned = { ...ownKeyValue(kv), modRevision: at.main }
    const event = {
      type,
      revision: at.main,
      sub: at.sub,
      kv: owned,
      previous,
      byteCount: EVENT_BYTES + sizeOf(owned) + (previous === undefined ? 0 : sizeOf(previous)),
    } as const
    return { event, match }
  }

  #previous(source: EventSource, key: Uint8Array, revision: number): KeyValue | undefined {
    if (revision < source.compactedRevision) return undefined
    if (!source.index.get(key, revision, this.#state)) return undefined
    return ownKeyValue(source.rows.get(key, this.#state))
  }
}

function ownKeyValue(kv: KeyValue): KeyValue {
  return { ...kv, key: copyBytes(kv.key), value: copyBytes(kv.value) }
}

function sizeOf(kv: KeyValue): number {
  return kv.key.length + kv.value.length
}
