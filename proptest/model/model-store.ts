/**
 * The model behind the `Store` interface: the first backend of the behaviour suite and the oracle
 * of the property tests. Its argument checks, encodings and results are its own, written from the
 * documentation alone. Only `transact` is the store's: made of the model's `range` and `txn`, it
 * shows that it needs no more.
 *
 * Several stores may share a model, one after the other: that is its "reopen".
 */
import { systemClock } from '../../base/clock.ts'
import { KvError } from '../../base/errors.ts'
import { codecOf } from '../../store/codec.ts'
import { Transactor } from '../../store/transact.ts'
import type { BuiltStore } from '../../store/types.ts'
import type { BytesInput, Encoding, Encodings } from '../../store/types/encoding.ts'
import type { KeyValue } from '../../store/types/key-value.ts'
import type { KeepAlive, Lease, LeaseInfo, RevokeResult } from '../../store/types/lease.ts'
import type { RangeResult } from '../../store/types/read.ts'
import type { CompactResult, HashKVResult, Status } from '../../store/types/maintenance.ts'
import type { TransactResult, TxnResult } from '../../store/types/txn.ts'
import type { DeleteResult, PutResult } from '../../store/types/write.ts'
import { ENCODINGS, decodeKey } from './encoding.ts'
import { Fields, readLease, wrongType } from './fields.ts'
import type { Model, Proposal } from './model.ts'
import * as parse from './parse.ts'
import { toKeyValue, toKeyValues, toOpResults, withJson } from './result.ts'
import type { Row } from './row.ts'
import { ModelWatch, readWatch, readWatchOptions } from './watch.ts'

/** What comes out before the types of an encoding are known. */
type Key = string | Uint8Array
type Entry = KeyValue<unknown, Key>

export interface ModelStoreOptions {
  readonly encoding?: Encoding
  readonly readOnly?: boolean
  readonly maxRequestBytes?: number
}

/** A model store that gives out what the encoding says. */
export function openModelStore<E extends Encoding = 'utf8'>(
  model: Model,
  options: ModelStoreOptions & { readonly encoding?: E } = {},
): BuiltStore<Encodings[E]['value'], Encodings[E]['key']> {
  // The class decides by the encoding at run time what the interface promises by type.
  return new ModelStore(model, options) as unknown as BuiltStore<
    Encodings[E]['value'],
    Encodings[E]['key']
  >
}

class ModelStore {
  readonly #model: Model
  readonly #encoding: Encoding
  readonly #readOnly: boolean
  readonly #maxRequestBytes: number
  readonly #transactor: Transactor
  readonly #watches: ModelWatch[] = []
  #closed = false
  /** What ends when a lease does, or the store is closed. */
  readonly #kept = new Map<AbortController, bigint>()

  constructor(model: Model, options: ModelStoreOptions) {
    this.#model = model
    this.#encoding = options.encoding ?? 'utf8'
    this.#readOnly = options.readOnly ?? false
    this.#maxRequestBytes = options.maxRequestBytes ?? 1_572_864
    this.#transactor = new Transactor({
      store: this,
      codec: codecOf(this.#encoding),
      clock: systemClock,
      admit: (signal) => this.#admit(signal, new parse.Reading(this.#encoding)),
    })
  }

  async get(key: BytesInput, options?: unknown): Promise<Entry | undefined> {
    const fields = parse.readGetOptions(options)
    const reading = this.#reading(fields)
    const wanted = parse.readKey('key', key, reading)
    const query = parse.singleKey(wanted, fields.integer('revision', 1))
    this.#admit(fields.signal(), reading)
    const row = this.#model.range(query).rows[0]
    return row === undefined ? undefined : toKeyValue(row, reading.encoding)
  }

  async range(options?: unknown): Promise<RangeResult<unknown, Key>> {
    const fields = parse.readRangeOptions(options)
    const reading = this.#reading(fields)
    const query = parse.readSelection(fields, 10_000, reading)
    this.#admit(fields.signal(), reading)
    const answer = this.#model.range(query)
    const { count, more } = answer
    const kvs = toKeyValues(answer, reading.encoding, fields.flag('keysOnly'))
    return withJson({ kvs, count, more, revision: this.#model.revision })
  }

  scan(options?: unknown): AsyncIterableIterator<Entry> {
    const fields = parse.readScanOptions(options)
    const reading = this.#reading(fields)
    const asked = parse.readSelection(fields, Infinity, reading)
    const signal = fields.signal()
    const query = { ...asked, revision: asked.revision ?? this.#model.revision }
    const keysOnly = fields.flag('keysOnly')
    return this.#iterate(
      () => this.#admit(signal, reading),
      () => this.#model.range(query).rows,
      {
        encoding: reading.encoding,
        keysOnly,
      },
    )
  }

  async put(key: BytesInput, value: unknown, options?: unknown): Promise<PutResult<unknown, Key>> {
    const fields = parse.readPutOptions(options)
    const reading = this.#reading(fields)
    const step = parse.readPut(fields, { key, value }, reading)
    this.#admitWrite(fields.signal(), reading)
    const proposal = this.#model.propose({ conditions: [], success: [step], failure: [] })
    const answer = proposal.answers[0]
    const row = answer?.type === 'put' ? answer.previous : undefined
    const shown = fields.flag('previous') && row !== undefined
    const previous = shown ? toKeyValue(row, reading.encoding) : undefined
    return this.#accept(proposal, { revision: proposal.revision, previous })
  }

  async delete(keys: unknown, options?: unknown): Promise<DeleteResult<unknown, Key>> {
    const fields = parse.readDeleteOptions(options)
    const reading = this.#reading(fields)
    const wanted = parse.readKeys('keys', keys, reading)
    const shown = fields.flag('previous')
    this.#admitWrite(fields.signal(), reading)
    const step = { type: 'delete', keys: wanted } as const
    const proposal = this.#model.propose({ conditions: [], success: [step], failure: [] })
    const answer = proposal.answers[0]
    const rows: readonly Row[] = answer?.type === 'delete' ? answer.deleted : []
    const previous = (shown ? rows : []).map((row) => toKeyValue(row, reading.encoding))
    const { revision } = proposal
    return this.#accept(proposal, { deleted: rows.length, revision, previous })
  }

  async txn(request: unknown, options?: unknown): Promise<TxnResult<unknown, Key>> {
    const fields = Fields.of(options)
    fields.allow('encoding', 'signal')
    const reading = this.#reading(fields)
    const parsed = parse.readTxn(request, reading)
    this.#admit(fields.signal(), reading)
    this.#checkSize(reading)
    const proposal = this.#model.propose(parsed.query)
    const { succeeded, revision } = proposal
    const asked = succeeded ? parsed.success : parsed.failure
    const results = toOpResults(proposal.answers, asked, reading.encoding)
    return this.#accept(proposal, { succeeded, revision, results })
  }

  async transact(fn: unknown, options?: unknown): Promise<TransactResult<unknown>> {
    return await this.#transactor.run(fn, options)
  }

  async compact(revision: unknown, options?: unknown): Promise<CompactResult> {
    const fields = Fields.of(options)
    fields.allow('physical', 'signal')
    if (typeof revision !== 'number') throw new TypeError('revision: no number')
    if (!Number.isSafeInteger(revision) || revision < 0) {
      throw new RangeError(`revision: ${revision}`)
    }
    fields.flag('physical')
    this.#admitWrite(fields.signal(), this.#reading(fields))
    this.#model.compact(revision)
    return withJson({ revision: this.#model.revision })
  }

  async hashKV(): Promise<HashKVResult> {
    throw new Error('the model has no rows to hash')
  }

  async grant(options?: unknown): Promise<Lease> {
    const fields = Fields.of(options)
    fields.allow('ttlSeconds', 'id', 'signal')
    const asked = fields.integer('ttlSeconds', Number.MIN_SAFE_INTEGER)
    if (asked === undefined) throw wrongType('ttlSeconds', 'a number')
    if (asked > 9_000_000_000) throw new RangeError('ttlSeconds: more than 9,000,000,000')
    const given = fields.get('id')
    if (given !== undefined && typeof given !== 'bigint') throw wrongType('id', 'a bigint')
    if (given !== undefined && readLease('id', given) === 0n) throw new RangeError('id: no lease')
    this.#admitWrite(fields.signal(), this.#reading(fields))
    let id = given ?? 1n
    while (given === undefined && this.#model.ttlOf(id) !== undefined) id++
    return withJson({ id, ttlSeconds: this.#model.grant(id, asked) })
  }

  /** Time stands still in the model, so there is nothing to give back. */
  async renew(lease: unknown, options?: unknown): Promise<Lease> {
    const id = readLease('lease', lease)
    const fields = this.#callFields(options)
    this.#admitWrite(fields.signal(), this.#reading(fields))
    const ttlSeconds = this.#model.ttlOf(id)
    if (ttlSeconds === undefined) throw new KvError('KV_LEASE_NOT_FOUND', `no lease ${id}`)
    return withJson({ id, ttlSeconds })
  }

  keepAlive(lease: unknown, options?: unknown): KeepAlive {
    const id = readLease('lease', lease)
    const signal = this.#callFields(options).signal()
    const controller = new AbortController()
    this.#kept.set(controller, id)
    const end = (reason: unknown): void => {
      if (this.#kept.delete(controller)) controller.abort(reason)
    }
    void this.renew(id, { signal }).catch(end)
    signal?.addEventListener('abort', () => end(signal.reason))
    return {
      id,
      lost: controller.signal,
      [Symbol.asyncDispose]: async () => void this.#kept.delete(controller),
    }
  }

  async revoke(lease: unknown, options?: unknown): Promise<RevokeResult> {
    const id = readLease('lease', lease)
    const fields = this.#callFields(options)
    this.#admitWrite(fields.signal(), this.#reading(fields))
    this.#model.revoke(id)
    this.#lose((held) => held === id, new KvError('KV_LEASE_NOT_FOUND', `no lease ${id}`))
    return withJson({ revision: this.#model.revision })
  }

  async lease(lease: unknown, options?: unknown): Promise<LeaseInfo<Key> | undefined> {
    const id = readLease('lease', lease)
    const fields = Fields.of(options)
    fields.allow('keys', 'signal')
    const shown = fields.flag('keys')
    const { encoding } = this.#reading(fields)
    this.#admit(fields.signal(), this.#reading(fields))
    const ttlSeconds = this.#model.ttlOf(id)
    if (ttlSeconds === undefined) return undefined
    const keys = (shown ? this.#model.keysOf(id) : []).map((key) => decodeKey(encoding, key))
    return withJson({ id, ttlSeconds, remainingSeconds: ttlSeconds, keys })
  }

  async leases(options?: unknown): Promise<readonly bigint[]> {
    const fields = this.#callFields(options)
    this.#admit(fields.signal(), this.#reading(fields))
    return this.#model.leases()
  }

  #callFields(options: unknown): Fields {
    const fields = Fields.of(options)
    fields.allow('signal')
    return fields
  }

  #lose(concerns: (id: bigint) => boolean, reason: unknown): void {
    for (const [controller, id] of this.#kept) {
      if (concerns(id) && this.#kept.delete(controller)) controller.abort(reason)
    }
  }

  watch(options?: unknown): ModelWatch {
    const fields = readWatchOptions(options)
    const reading = this.#reading(fields)
    const query = readWatch(fields, reading)
    const signal = fields.signal()
    const watch = new ModelWatch(this.#model, query, reading.encoding)
    this.#watches.push(watch)
    try {
      this.#admit(signal, reading)
    } catch (error) {
      watch.fail(error)
    }
    signal?.addEventListener('abort', () => watch.fail(signal.reason))
    return watch
  }

  async status(options?: unknown): Promise<Status> {
    const fields = Fields.of(options)
    fields.allow('signal')
    this.#admit(fields.signal(), this.#reading(fields))
    const { revision, compactedRevision } = this.#model
    const rows = this.#model.at(revision)
    const sizeBytes = rows.reduce((sum, row) => sum + row.key.length + row.value.length, 0)
    const sizes = { sizeBytes, sizeInUseBytes: sizeBytes }
    return withJson({ version: 'model', revision, compactedRevision, ...sizes })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#lose(() => true, new KvError('KV_CLOSED', 'the store is closed'))
    for (const watch of this.#watches) await watch.cancel()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async *#iterate(
    admit: () => void,
    read: () => readonly Row[],
    shape: { readonly encoding: Encoding; readonly keysOnly: boolean },
  ): AsyncGenerator<Entry, void, undefined> {
    admit()
    for (const row of read()) {
      admit()
      yield toKeyValue(row, shape.encoding, shape.keysOnly)
    }
    admit()
  }

  #reading(fields: Fields): parse.Reading {
    return new parse.Reading(fields.word('encoding', ENCODINGS, this.#encoding))
  }

  /** Everything about the arguments has been read; from here on only operating errors. */
  #admit(signal: AbortSignal | undefined, reading: parse.Reading): void {
    if (this.#closed) throw new KvError('KV_CLOSED', 'the store is closed')
    signal?.throwIfAborted()
    reading.throwFirst()
  }

  #admitWrite(signal: AbortSignal | undefined, reading: parse.Reading): void {
    this.#admit(signal, reading)
    this.#checkSize(reading)
    if (this.#readOnly) throw new KvError('KV_READ_ONLY', 'the store is open for reading only')
  }

  #checkSize(reading: parse.Reading): void {
    if (reading.bytes > this.#maxRequestBytes) {
      throw new KvError('KV_REQUEST_TOO_LARGE', `${reading.bytes} bytes in one request`)
    }
  }

  /** Called when the result is decoded, so that what can't be decoded isn't written. */
  #accept<T extends object>(proposal: Proposal, fields: T): T & ReturnType<typeof withJson<T>> {
    if (this.#readOnly && proposal.events.length > 0) {
      throw new KvError('KV_READ_ONLY', 'the store is open for reading only')
    }
    this.#model.accept(proposal)
    return withJson(fields)
  }
}
