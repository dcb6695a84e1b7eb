/**
 * The store of a data directory: what `open()` returns.
 *
 * Every method reads and checks its arguments before it returns to the event loop for the first
 * time. Reads go to the visible root at once; writes go through the group queue.
 *
 * The class takes arguments as they come and gives out what the encoding says; `open()` gives it
 * the type that promises it.
 */

import type { Clock } from '../base/clock.ts'
import { KvError } from '../base/errors.ts'
import { checkTxn } from '../mvcc/check-request.ts'
import type { Mvcc } from '../mvcc/mvcc.ts'
import type { MakeResult, RangeScan } from '../mvcc/range-scan.ts'
import type { OpRequest, OpResult, PutRequest, RangeResult, TxnResult } from '../mvcc/request.ts'
import type { WriteTxn } from '../mvcc/write-txn.ts'
import {
  Arguments,
  DELETE_OPTIONS,
  GET_OPTIONS,
  PUT_OPTIONS,
  PUT_SYNC_OPTIONS,
  RANGE_LIMIT_DEFAULT,
  RANGE_OPTIONS,
  SCAN_OPTIONS,
  STATUS_OPTIONS,
  TXN_OPTIONS,
} from './arguments.ts'
import { readCodec } from './codec.ts'
import type { Codec } from './codec.ts'
import { readOptions } from './fields.ts'
import type { Fields } from './fields.ts'
import type { Database, DatabaseReport } from '../snapshot/database.ts'
import type { GroupQueue } from './group-queue.ts'
import { Pacer } from './pause.ts'
import type { ReadRoot, ReadRoots } from './read-root.ts'
import { PutOutput, asResult, entryMaker } from './result.ts'
import type { Entry, OpOutput } from './result.ts'
import { ScanIterator } from './scan-iterator.ts'
import { coreRequest, readTxn } from './txn-arguments.ts'
import type { ReadOp } from './txn-arguments.ts'
import type { Status } from './types/maintenance.ts'
import type { ResultJson } from './types/key-value.ts'
import { VERSION } from './version.ts'

/** Keys read before the time is looked at. */
const STEP_KEYS = 64

export interface DirectoryStoreSetup {
  /** The data directory, absolute. */
  readonly path: string
  readonly readOnly: boolean
  readonly codec: Codec
  readonly maxRequestBytes: number
  readonly maxTxnOps: number
  readonly clock: Clock
  readonly database: Database
  readonly mvcc: Mvcc
  readonly roots: ReadRoots
  readonly queue: GroupQueue
  /** Lets go of the directory. */
  readonly release: () => void
}

type Json<T> = T & { toJSON(): ResultJson }
type DeleteOutput = Json<{ deleted: number; revision: number; previous: readonly Entry[] }>
type RangeOutput = Json<Omit<RangeResult<Entry>, 'type'> & { revision: number }>
type TxnOutput = Json<{ succeeded: boolean; revision: number; results: readonly OpOutput[] }>

export class DirectoryStore {
  readonly path: string
  readonly readOnly: boolean
  /** What opening found. */
  readonly recovery: DatabaseReport
  readonly #setup: DirectoryStoreSetup
  #isClosing = false
  #closed: Promise<void> | undefined

  constructor(setup: DirectoryStoreSetup) {
    this.#setup = setup
    this.path = setup.path
    this.readOnly = setup.readOnly
    this.recovery = setup.database.report
  }

  async get(key: unknown, options?: unknown): Promise<Entry | undefined> {
    const { fields, args } = this.#read(options, GET_OPTIONS)
    const wanted = args.key(key, 'key')
    const revision = fields.integer('revision', 1) ?? 0
    fields.flag('serializable')
    this.#admit(fields.signal(), args)
    const root = this.#setup.roots.pin()
    try {
      return root.txn.get(wanted, revision, entryMaker(args.codec, false))
    } finally {
      root.unpin()
    }
  }

  async range(options?: unknown): Promise<RangeOutput> {
    const { fields, args } = this.#read(options, RANGE_OPTIONS)
    const request = args.range(fields, RANGE_LIMIT_DEFAULT)
    const make = entryMaker(args.codec, fields.flag('keysOnly'))
    const signal = fields.signal()
    this.#admit(signal, args)
    const root = this.#setup.roots.pin()
    try {
      const { kvs, count, more } = await this.#steps(root.txn.range(request, make), signal)
      return asResult({ kvs, count, more, revision: root.revision })
    } finally {
      root.unpin()
    }
  }

  scan(options?: unknown): AsyncIterableIterator<Entry> {
    const { fields, args } = this.#read(options, SCAN_OPTIONS)
    const request = args.range(fields, Infinity)
    const make = entryMaker(args.codec, fields.flag('keysOnly'))
    const signal = fields.signal()
    const { roots, clock } = this.#setup
    return new ScanIterator({
      request,
      make,
      clock,
      // Pinned by its number alone: no root is held by an iteration that nobody goes on with.
      revision: roots.revision,
      pin: (): ReadRoot => {
        this.#admit(signal, args)
        return roots.pin()
      },
    })
  }

  async put(key: unknown, value: unknown, options?: unknown): Promise<PutOutput> {
    const { fields, args } = this.#read(options, PUT_OPTIONS)
    const request = args.put(fields, { key, value })
    this.#admitWrite(fields.signal(), args)
    const make = entryMaker(args.codec, false)
    return await this.#setup.queue.submit({
      byteCount: args.byteCount,
      isFreeing: false,
      run: (txn) => runPut(txn, request, make),
    })
  }

  putSync(key: unknown, value: unknown, options?: unknown): PutOutput {
    const { fields, args } = this.#read(options, PUT_SYNC_OPTIONS)
    const request = args.put(fields, { key, value })
    this.#admitWrite(undefined, args)
    const make = entryMaker(args.codec, false)
    return this.#setup.queue.submitSync({
      byteCount: args.byteCount,
      isFreeing: false,
      run: (txn) => runPut(txn, request, make),
    })
  }

  async delete(keys: unknown, options?: unknown): Promise<DeleteOutput> {
    const { fields, args } = this.#read(options, DELETE_OPTIONS)
    const request = args.delete(args.keys(keys, 'keys'), fields)
    this.#admitWrite(fields.signal(), args)
    const make = entryMaker(args.codec, false)
    const run = (txn: WriteTxn): DeleteOutput => {
      const { deleted, previous } = txn.delete(request, make)
      return asResult({ deleted, revision: txn.revision, previous })
    }
    return await this.#setup.queue.submit({ byteCount: args.byteCount, isFreeing: true, run })
  }

  async txn(request: unknown, options?: unknown): Promise<TxnOutput> {
    const { fields, args } = this.#read(options, TXN_OPTIONS)
    const read = readTxn(request, args)
    this.#admit(fields.signal(), args)
    this.#checkSize(args)
    const core = coreRequest(read)
    checkTxn(core, this.#setup.maxTxnOps)
    const makers = opMakers([...read.success, ...read.failure], args.codec)
    const show = (result: TxnResult<Entry>, revision: number): TxnOutput => {
      const asked = result.succeeded ? read.success : read.failure
      const results = result.results.map((each, i) => showOp(each, asked[i]))
      return asResult({ succeeded: result.succeeded, revision, results })
    }
    const onlyReads = [...core.success, ...core.failure].every((op) => op.type === 'range')
    if (onlyReads || this.readOnly) {
      const root = this.#setup.roots.pin()
      try {
        return show(root.txn.txn(core, makers), root.revision)
      } finally {
        root.unpin()
      }
    }
    const isFreeing = [...core.success, ...core.failure].every((op) => op.type !== 'put')
    const run = (txn: WriteTxn): TxnOutput => show(txn.txn(core, makers), txn.revision)
    return await this.#setup.queue.submit({ byteCount: args.byteCount, isFreeing, run })
  }

  async status(options?: unknown): Promise<Status> {
    const { fields, args } = this.#read(options, STATUS_OPTIONS)
    this.#admit(fields.signal(), args)
    const { database, mvcc, roots } = this.#setup
    const { fileSizeBytes, highWaterMark, freePages, pendingPages, pageSizeBytes } =
      database.engine.stats()
    const usedPages = highWaterMark - (freePages ?? 0) - (pendingPages ?? 0)
    return asResult({
      version: VERSION,
      revision: roots.revision,
      compactedRevision: mvcc.compactedRevision,
      // The next checkpoint makes the file that long.
      sizeBytes: Math.max(fileSizeBytes, highWaterMark * pageSizeBytes),
      sizeInUseBytes: usedPages * pageSizeBytes,
    })
  }

  close(): Promise<void> {
    this.#isClosing = true
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const { queue, roots, database, release } = this.#setup
    try {
      await queue.idle()
      await roots.close()
      await database.close()
    } finally {
      release()
    }
  }

  #read(options: unknown, known: ReadonlySet<string>): { fields: Fields; args: Arguments } {
    const fields = readOptions(options, known)
    return { fields, args: new Arguments(readCodec(fields, this.#setup.codec)) }
  }

  /** The order that docs/decisions/0003 gives: slips were thrown, now closed, aborted, the rest. */
  #admit(signal: AbortSignal | undefined, args: Arguments): void {
    if (this.#isClosing) throw new KvError('KV_CLOSED', `${this.path}: the store is closed`)
    this.#setup.queue.mustBeSound()
    signal?.throwIfAborted()
    args.throwRefusal()
  }

  #admitWrite(signal: AbortSignal | undefined, args: Arguments): void {
    this.#admit(signal, args)
    this.#checkSize(args)
    if (this.readOnly) {
      throw new KvError('KV_READ_ONLY', `${this.path}: the store was opened read-only`)
    }
  }

  #checkSize(args: Arguments): void {
    const limit = this.#setup.maxRequestBytes
    if (args.byteCount <= limit) return
    throw new KvError(
      'KV_REQUEST_TOO_LARGE',
      `the request has ${args.byteCount} bytes of keys and values; at most ${limit} are allowed`,
    )
  }

  /** Reads a range to its end, letting the event loop run in between. */
  async #steps<T>(scan: RangeScan<T>, signal: AbortSignal | undefined): Promise<RangeResult<T>> {
    if (scan.step(STEP_KEYS)) return scan.result()
    const pacer = new Pacer(this.#setup.clock)
    while (!scan.step(STEP_KEYS)) {
      if (!pacer.isDue) continue
      await pacer.pause()
      signal?.throwIfAborted()
    }
    return scan.result()
  }
}

function runPut(txn: WriteTxn, request: PutRequest, make: MakeResult<Entry>): PutOutput {
  const { previous } = txn.put(request, make)
  return new PutOutput(txn.revision, previous)
}

/** What makes each operation's entries: without values for a range of keys only. */
function opMakers(ops: readonly ReadOp[], codec: Codec): (op: OpRequest) => MakeResult<Entry> {
  const whole = entryMaker(codec, false)
  const keysOnly = entryMaker(codec, true)
  const withoutValues = new Set(ops.filter((op) => op.shape === 'keys').map((op) => op.request))
  return (op) => (withoutValues.has(op) ? keysOnly : whole)
}

function showOp(result: OpResult<Entry>, asked: ReadOp | undefined): OpOutput {
  switch (result.type) {
    case 'put':
      return asResult({ type: 'put', previous: result.previous })
    case 'delete':
      return asResult({ type: 'delete', deleted: result.deleted, previous: result.previous })
    case 'range':
      if (asked?.shape === 'get') return asResult({ type: 'get', kv: result.kvs[0] })
      return asResult({ type: 'range', kvs: result.kvs, count: result.count, more: result.more })
  }
}
