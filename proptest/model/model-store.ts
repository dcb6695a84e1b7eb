/**
 * The model behind the `Store` interface: the first backend of the behaviour suite and the oracle
 * of the property tests. Its argument checks, encodings and results are its own, written from the
 * documentation alone.
 *
 * Several stores may share a model, one after the other: that is its "reopen".
 */
import { KvError } from '../../base/errors.ts'
import type { BuiltEncoding, BuiltStore } from '../../store/types.ts'
import type { BytesInput, Encodings } from '../../store/types/encoding.ts'
import type { KeyValue } from '../../store/types/key-value.ts'
import type { RangeResult } from '../../store/types/read.ts'
import type { Status } from '../../store/types/maintenance.ts'
import type { TxnResult } from '../../store/types/txn.ts'
import type { DeleteResult, PutResult } from '../../store/types/write.ts'
import { ENCODINGS } from './encoding.ts'
import { Fields } from './fields.ts'
import type { Model, Proposal } from './model.ts'
import * as parse from './parse.ts'
import { toKeyValue, toKeyValues, toOpResults, withJson } from './result.ts'
import type { Row } from './row.ts'

/** What comes out before the types of an encoding are known. */
type Key = string | Uint8Array
type Entry = KeyValue<unknown, Key>

export interface ModelStoreOptions {
  readonly encoding?: BuiltEncoding
  readonly readOnly?: boolean
  readonly maxRequestBytes?: number
}

/** A model store that gives out what the encoding says. */
export function openModelStore<E extends BuiltEncoding = 'utf8'>(
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
  readonly #encoding: BuiltEncoding
  readonly #readOnly: boolean
  readonly #maxRequestBytes: number
  #closed = false

  constructor(model: Model, options: ModelStoreOptions) {
    this.#model = model
    this.#encoding = options.encoding ?? 'utf8'
    this.#readOnly = options.readOnly ?? false
    this.#maxRequestBytes = options.maxRequestBytes ?? 1_572_864
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
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async *#iterate(
    admit: () => void,
    read: () => readonly Row[],
    shape: { readonly encoding: BuiltEncoding; readonly keysOnly: boolean },
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
