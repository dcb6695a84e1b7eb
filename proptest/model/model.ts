/**
 * The reference model: etcd's key-value semantics, as plainly as they can be put.
 *
 * One map of rows per revision, each whole and never changed. A write makes a new map; reading an
 * older revision is reading an older map. Slow, and meant to be: what has no cleverness has few
 * places to be wrong in. It shares no code with the store (only the error class, which is part of
 * the interface).
 *
 * A transaction is judged in four steps, each of which may refuse it with nothing changed:
 *   1. the shape: counts and duplicate keys, in all lists, run or not (txn-check.ts);
 *   2. the compares of the whole tree, against the state before;
 *   3. the lists that will run: their revisions, leases and kept values, against the state before;
 *   4. the operations in order, each seeing those before it.
 *
 * Revision 1 is the empty store. Source of the semantics: etcd v3.6 as documented and as observed.
 */
import { assert } from '../../base/assert.ts'
import { CompactedError, KvError } from '../../base/errors.ts'
import type { Condition, RangeAnswer, RangeQuery, Step, StepAnswer, TxnQuery } from './request.ts'
import type { ByteString, KeySet, ModelEvent, Row, Snapshot } from './row.ts'
import { compareText, sortedRows } from './row.ts'
import { checkTxnShape } from './txn-check.ts'

/** A transaction worked out but not yet part of the history. */
export interface Proposal {
  readonly succeeded: boolean
  readonly answers: readonly StepAnswer[]
  /** The store's revision once this is accepted. */
  readonly revision: number
  readonly rows: Snapshot
  /** In the order of the writes: the index of an event is its sub-revision. */
  readonly events: readonly ModelEvent[]
}

/** A transaction with its compares judged: the operations that will run. */
interface Path {
  readonly succeeded: boolean
  readonly steps: readonly ChosenStep[]
}

type ChosenStep = Exclude<Step, { type: 'txn' }> | { readonly type: 'txn'; readonly path: Path }

/** What a running transaction has made so far. */
interface Draft {
  readonly revision: number
  readonly rows: Map<ByteString, Row>
  readonly events: ModelEvent[]
}

export class Model {
  readonly #snapshots = new Map<number, Snapshot>([[1, new Map()]])
  readonly #events = new Map<number, readonly ModelEvent[]>()
  /** The time to live of each lease, in seconds. Time stands still here. */
  readonly #leases = new Map<bigint, number>()
  readonly #opsMax: number
  readonly #listeners: (() => void)[] = []
  #revision = 1
  #compactedRevision = 0

  constructor(options: { readonly opsMax?: number } = {}) {
    this.#opsMax = options.opsMax ?? 128
  }

  get revision(): number {
    return this.#revision
  }

  /** The oldest readable revision; 0 where nothing was compacted. */
  get compactedRevision(): number {
    return this.#compactedRevision
  }

  /** The whole store as it was right after `revision`, ascending by key. */
  at(revision: number): readonly Row[] {
    return sortedRows(this.#snapshotAt(revision))
  }

  /** What `revision` did, in order; nothing for revision 1. */
  eventsOf(revision: number): readonly ModelEvent[] {
    this.#checkReadable(revision)
    return this.#events.get(revision) ?? []
  }

  range(query: RangeQuery): RangeAnswer {
    return select(this.#snapshotAt(query.revision ?? this.#revision), query)
  }

  /** Works a transaction out without changing anything. */
  propose(query: TxnQuery): Proposal {
    checkTxnShape(query, this.#opsMax)
    const before = this.#snapshotAt(this.#revision)
    const path = choose(query, before)
    this.#checkPath(path, before)
    const draft: Draft = { revision: this.#revision + 1, rows: new Map(before), events: [] }
    const answers = this.#run(path, draft)
    return {
      succeeded: path.succeeded,
      answers,
      revision: draft.events.length > 0 ? draft.revision : this.#revision,
      rows: draft.rows,
      events: draft.events,
    }
  }

  /** Makes a proposal part of the history. It must be the newest state's. */
  accept(proposal: Proposal): void {
    if (proposal.events.length === 0) return
    assert(proposal.revision === this.#revision + 1, 'a proposal is accepted out of order')
    this.#revision = proposal.revision
    this.#snapshots.set(proposal.revision, proposal.rows)
    this.#events.set(proposal.revision, proposal.events)
    for (const listener of this.#listeners) listener()
  }

  /** Calls back after each new revision. */
  onAccept(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Makes a lease; returns its time to live, raised to at least 2 seconds. */
  grant(id: bigint, ttlSeconds = 10): number {
    if (this.#leases.has(id)) throw new KvError('KV_LEASE_EXISTS', `there is a lease ${id}`)
    const raised = Math.max(2, ttlSeconds)
    this.#leases.set(id, raised)
    return raised
  }

  /** A lease's time to live; undefined where there is no such lease. */
  ttlOf(id: bigint): number | undefined {
    return this.#leases.get(id)
  }

  /** The ids of all leases, shortest first. */
  leases(): readonly bigint[] {
    return [...this.#leases].sort(([, a], [, b]) => a - b).map(([id]) => id)
  }

  /** The keys that a lease's end would delete, in key order. */
  keysOf(id: bigint): readonly ByteString[] {
    return this.at(this.#revision)
      .filter((row) => row.lease === id)
      .map((row) => row.key)
  }

  /** Ends a lease; its keys are deleted in key order in one revision. */
  revoke(id: bigint): void {
    if (!this.#leases.has(id)) throw leaseNotFound(id)
    const keys = new Set(this.keysOf(id))
    const step: Step = { type: 'delete', keys: (key) => keys.has(key) }
    this.accept(this.propose({ conditions: [], success: [step], failure: [] }))
    this.#leases.delete(id)
  }

  /** Forgets all revisions below `revision`. */
  compact(revision: number): void {
    if (revision <= this.#compactedRevision) {
      throw new CompactedError(revision, this.#compactedRevision)
    }
    if (revision > this.#revision) throw futureRevision(revision, this.#revision)
    this.#compactedRevision = revision
    for (const known of [...this.#snapshots.keys()]) {
      if (known >= revision) continue
      this.#snapshots.delete(known)
      this.#events.delete(known)
    }
  }

  #snapshotAt(revision: number): Snapshot {
    this.#checkReadable(revision)
    const rows = this.#snapshots.get(revision)
    assert(rows !== undefined, `no snapshot of revision ${revision}`)
    return rows
  }

  #checkReadable(revision: number): void {
    if (revision > this.#revision) throw futureRevision(revision, this.#revision)
    if (revision < this.#compactedRevision) {
      throw new CompactedError(revision, this.#compactedRevision)
    }
  }

  #checkPath(path: Path, before: Snapshot): void {
    for (const step of path.steps) {
      if (step.type === 'txn') this.#checkPath(step.path, before)
      if (step.type === 'range' && step.query.revision !== undefined) {
        this.#checkReadable(step.query.revision)
      }
      if (step.type !== 'put') continue
      if (step.lease !== undefined && step.lease !== 0n && !this.#leases.has(step.lease)) {
        throw leaseNotFound(step.lease)
      }
      const keeps = step.value === undefined || step.lease === undefined
      if (keeps && !before.has(step.key)) {
        throw new KvError(
          'KV_KEY_NOT_FOUND',
          'the key whose value or lease is to be kept is missing',
        )
      }
    }
  }

  #run(path: Path, draft: Draft): readonly StepAnswer[] {
    return path.steps.map((step): StepAnswer => {
      switch (step.type) {
        case 'put':
          return { type: 'put', previous: put(draft, step.key, step) }
        case 'range': {
          const { revision } = step.query
          const rows = revision === undefined ? draft.rows : this.#snapshotAt(revision)
          return { type: 'range', answer: select(rows, step.query) }
        }
        case 'delete':
          return { type: 'delete', deleted: deleteAll(draft, step.keys) }
        case 'txn': {
          const answers = this.#run(step.path, draft)
          return { type: 'txn', succeeded: step.path.succeeded, answers }
        }
      }
    })
  }
}

function futureRevision(revision: number, current: number): KvError {
  return new KvError('KV_FUTURE_REVISION', `revision ${revision} lies ahead of ${current}`)
}

function leaseNotFound(id: bigint): KvError {
  return new KvError('KV_LEASE_NOT_FOUND', `there is no lease ${id}`)
}

function holds(condition: Condition, rows: Snapshot): boolean {
  const concerned = sortedRows(rows).filter((row) => condition.keys(row.key))
  if (concerned.length === 0) return condition.holdsForNone
  return concerned.every((row) => condition.holds(row))
}

function choose(query: TxnQuery, rows: Snapshot): Path {
  const succeeded = query.conditions.every((condition) => holds(condition, rows))
  const steps = (succeeded ? query.success : query.failure).map((step): ChosenStep =>
    step.type === 'txn' ? { type: 'txn', path: choose(step, rows) } : step,
  )
  return { succeeded, steps }
}

function select(rows: Snapshot, query: RangeQuery): RangeAnswer {
  const inRange = sortedRows(rows).filter((row) => query.keys(row.key))
  const count = inRange.length
  if (query.countOnly) return { rows: [], count, more: false }
  const kept = inRange.filter((row) => query.keep(row))
  const sign = query.descending ? -1 : 1
  // A stable sort: equal ones stay in ascending key order.
  const sorted = [...kept].sort((a, b) => sign * compareBy(query.sortBy, a, b))
  return { rows: sorted.slice(0, query.limit), count, more: sorted.length > query.limit }
}

function compareBy(target: RangeQuery['sortBy'], a: Row, b: Row): number {
  if (target === 'key') return compareText(a.key, b.key)
  if (target === 'value') return compareText(a.value, b.value)
  return a[target] - b[target]
}

function put(
  draft: Draft,
  key: ByteString,
  fields: { readonly value: ByteString | undefined; readonly lease: bigint | undefined },
): Row | undefined {
  const previous = draft.rows.get(key)
  const row: Row = {
    key,
    value: fields.value ?? previous?.value ?? '',
    createRevision: previous?.createRevision ?? draft.revision,
    modRevision: draft.revision,
    version: (previous?.version ?? 0) + 1,
    lease: fields.lease ?? previous?.lease ?? 0n,
  }
  draft.rows.set(key, row)
  draft.events.push({ type: 'put', row, previous })
  return previous
}

function deleteAll(draft: Draft, keys: KeySet): readonly Row[] {
  const deleted = sortedRows(draft.rows).filter((row) => keys(row.key))
  for (const row of deleted) {
    const modRevision = draft.revision
    draft.rows.delete(row.key)
    draft.events.push({ type: 'delete', key: row.key, modRevision, previous: row })
  }
  return deleted
}
