/**
 * A real etcd behind the `Store` interface, by its JSON gateway.
 *
 * It reads arguments and shows results as the store in this process does; all between is etcd's. So
 * what the behaviour suite finds of it, it finds of etcd.
 */

import { systemClock } from '../../base/clock.ts'
import { KvError } from '../../base/errors.ts'
import type { PutRequest } from '../../mvcc/request.ts'
import { readAlarm } from '../../store/alarms.ts'
import {
  Arguments,
  COMPACT_OPTIONS,
  DELETE_OPTIONS,
  GET_OPTIONS,
  HASH_OPTIONS,
  PUT_OPTIONS,
  RANGE_LIMIT_DEFAULT,
  RANGE_OPTIONS,
  SCAN_OPTIONS,
  STATUS_OPTIONS,
  TXN_OPTIONS,
} from '../../store/arguments.ts'
import { codecOf, readCodec } from '../../store/codec.ts'
import type { Codec, OutputKey } from '../../store/codec.ts'
import { readInteger, readOptions } from '../../store/fields.ts'
import type { Fields } from '../../store/fields.ts'
import { LeaseKeeper } from '../../store/keep-alive.ts'
import {
  CALL_OPTIONS,
  GRANT_OPTIONS,
  INFO_OPTIONS,
  readId,
  readReference,
  readTtl,
} from '../../store/lease-arguments.ts'
import { readRangeCall } from '../../store/read-call.ts'
import type { RangeCall } from '../../store/read-call.ts'
import { PutOutput, asResult, entryMaker } from '../../store/result.ts'
import type { Entry } from '../../store/result.ts'
import { Transactor } from '../../store/transact.ts'
import { coreRequest, leavesOf, readTxn } from '../../store/txn-arguments.ts'
import { opMakers, showOps } from '../../store/txn-output.ts'
import type { BuiltStore } from '../../store/types.ts'
import type { Encoding, Encodings } from '../../store/types/encoding.ts'
import type { KeepAlive, Lease, LeaseInfo, RevokeResult } from '../../store/types/lease.ts'
import type { Alarm, CompactResult, HashKVResult, Status } from '../../store/types/maintenance.ts'
import type { RangeResult } from '../../store/types/read.ts'
import type { TransactResult, TxnResult } from '../../store/types/txn.ts'
import type { DeleteResult } from '../../store/types/write.ts'
import { WATCH_OPTIONS, readWatchRequest } from '../../store/watches.ts'
import type { EtcdServer } from '../interop/etcd.ts'
import type { Json } from './gateway.ts'
import { Gateway, bigintOf, listOf, numberOf, objectOf, revisionOf } from './gateway.ts'
import {
  deleteJson,
  entryOf,
  putJson,
  rangeJson,
  rangeResult,
  rowOf,
  spanJson,
  txnJson,
  txnResult,
} from './gateway-requests.ts'
import { GatewayWatch } from './gateway-watch.ts'

const PAGE_KEYS = 1000

/** A store that gives out what the encoding says. */
export function connect<E extends Encoding>(
  server: EtcdServer,
  encoding: E,
): BuiltStore<Encodings[E]['value'], Encodings[E]['key']> {
  // The class decides by the encoding at run time what the interface promises by type.
  return new GatewayStore(server, codecOf(encoding)) as unknown as BuiltStore<
    Encodings[E]['value'],
    Encodings[E]['key']
  >
}

class GatewayStore {
  readonly #server: EtcdServer
  readonly #gateway: Gateway
  readonly #codec: Codec
  readonly #transactor: Transactor
  readonly #watches = new Set<GatewayWatch>()
  readonly #keepers = new Set<LeaseKeeper>()
  readonly #pending = new Set<Promise<unknown>>()
  #isClosed = false

  constructor(server: EtcdServer, codec: Codec) {
    this.#server = server
    this.#gateway = new Gateway(server.url)
    this.#codec = codec
    this.#transactor = new Transactor({
      store: this,
      codec,
      clock: systemClock,
      admit: (signal) => this.#admit(signal, new Arguments(codec)),
    })
  }

  async get(key: unknown, options?: unknown): Promise<Entry | undefined> {
    const { fields, args } = this.#read(options, GET_OPTIONS)
    const wanted = args.key(key, 'key')
    const revision = fields.integer('revision', 1) ?? 0
    const serializable = fields.flag('serializable')
    const signal = fields.signal()
    this.#admit(signal, args)
    const body = { ...spanJson({ key: wanted, end: undefined }), revision, serializable }
    const [kv] = listOf(await this.#call('/v3/kv/range', body, signal), 'kvs')
    return kv === undefined ? undefined : entryMaker(args.codec, false)(rowOf(kv))
  }

  async range(options?: unknown): Promise<RangeResult<unknown, OutputKey>> {
    const taker = { known: RANGE_OPTIONS, codec: this.#codec, limit: RANGE_LIMIT_DEFAULT }
    const call = readRangeCall(options, taker)
    this.#admit(call.signal, call.args)
    const json = await this.#call('/v3/kv/range', rangeJson(call.request), call.signal)
    const { kvs, count, more } = rangeResult(json, call.make)
    return asResult({ kvs, count, more, revision: revisionOf(json) })
  }

  scan(options?: unknown): AsyncIterableIterator<Entry> {
    const taker = { known: SCAN_OPTIONS, codec: this.#codec, limit: Infinity }
    return this.#pages(readRangeCall(options, taker))
  }

  /** Page after page, at the revision of the first one. */
  async *#pages({ args, request, make, signal }: RangeCall): AsyncGenerator<Entry, void> {
    this.#admit(signal, args)
    const path = '/v3/kv/range'
    // Without keys: how many there are, and at which revision. Pages in any order and with any
    // filter would need what etcd's paging has not, so a scan of the tests is one page.
    const first = { ...rangeJson(request), limit: 1, keys_only: true }
    const revision = request.revision || revisionOf(await this.#call(path, first, signal))
    const limit = request.limit === Infinity ? PAGE_KEYS * PAGE_KEYS : request.limit
    const json = await this.#call(path, rangeJson({ ...request, revision, limit }), signal)
    for (const kv of listOf(json, 'kvs')) {
      this.#admit(signal, args)
      yield make(rowOf(kv))
    }
    this.#admit(signal, args)
  }

  async put(key: unknown, value: unknown, options?: unknown): Promise<PutOutput> {
    const { fields, args } = this.#read(options, PUT_OPTIONS)
    const request: PutRequest = args.put(fields, { key, value })
    this.#admit(fields.signal(), args)
    const json = await this.#call('/v3/kv/put', putJson(request))
    const previous = entryOf(json, 'prev_kv', entryMaker(args.codec, false))
    return new PutOutput(revisionOf(json), previous)
  }

  async delete(keys: unknown, options?: unknown): Promise<DeleteResult<unknown, OutputKey>> {
    const { fields, args } = this.#read(options, DELETE_OPTIONS)
    const request = args.delete(args.keys(keys, 'keys'), fields)
    this.#admit(fields.signal(), args)
    const json = await this.#call('/v3/kv/deleterange', deleteJson(request))
    const make = entryMaker(args.codec, false)
    const previous = listOf(json, 'prev_kvs').map((kv) => make(rowOf(kv)))
    return asResult({ deleted: numberOf(json, 'deleted'), revision: revisionOf(json), previous })
  }

  async txn(request: unknown, options?: unknown): Promise<TxnResult<unknown, OutputKey>> {
    const { fields, args } = this.#read(options, TXN_OPTIONS)
    const read = readTxn(request, args)
    this.#admit(fields.signal(), args)
    const core = coreRequest(read)
    const json = await this.#call('/v3/kv/txn', txnJson(core))
    const result = txnResult(json, core, opMakers(leavesOf(read), args.codec))
    const { succeeded } = result
    return asResult({ succeeded, revision: revisionOf(json), results: showOps(result, read) })
  }

  async transact(fn: unknown, options?: unknown): Promise<TransactResult<unknown>> {
    return await this.#transactor.run(fn, options)
  }

  watch(options?: unknown): GatewayWatch {
    const { fields, args } = this.#read(options, WATCH_OPTIONS)
    const request = readWatchRequest(fields, args)
    const signal = fields.signal()
    const make = entryMaker(args.codec, false)
    const setup = { gateway: this.#gateway, request, codec: args.codec, make, signal }
    const watch = new GatewayWatch(setup)
    try {
      this.#admit(signal, args)
      this.#watches.add(watch)
    } catch (error) {
      watch.fail(error)
    }
    return watch
  }

  async grant(options?: unknown): Promise<Lease> {
    const { fields, args } = this.#read(options, GRANT_OPTIONS)
    const TTL = readTtl(fields)
    const ID = String(readId(fields) ?? 0n)
    this.#admit(fields.signal(), args)
    const json = await this.#call('/v3/lease/grant', { TTL, ID })
    return asResult({ id: bigintOf(json, 'ID'), ttlSeconds: numberOf(json, 'TTL') })
  }

  async renew(lease: unknown, options?: unknown): Promise<Lease> {
    const id = readReference(lease)
    const { fields, args } = this.#read(options, CALL_OPTIONS)
    this.#admit(fields.signal(), args)
    const json = await this.#call('/v3/lease/keepalive', { ID: String(id) })
    const ttlSeconds = numberOf(objectOf(json['result']), 'TTL')
    if (ttlSeconds === 0) throw new KvError('KV_LEASE_NOT_FOUND', `there is no lease ${id}`)
    return asResult({ id, ttlSeconds })
  }

  keepAlive(lease: unknown, options?: unknown): KeepAlive {
    const id = readReference(lease)
    const signal = this.#read(options, CALL_OPTIONS).fields.signal()
    const keeper = new LeaseKeeper({
      id,
      clock: systemClock,
      signal,
      renew: async () => await this.renew(id),
      ended: (ended) => this.#keepers.delete(ended),
    })
    if (!keeper.lost.aborted) this.#keepers.add(keeper)
    return keeper
  }

  async revoke(lease: unknown, options?: unknown): Promise<RevokeResult> {
    const id = readReference(lease)
    const { fields, args } = this.#read(options, CALL_OPTIONS)
    this.#admit(fields.signal(), args)
    const json = await this.#call('/v3/lease/revoke', { ID: String(id) })
    return asResult({ revision: revisionOf(json) })
  }

  async lease(lease: unknown, options?: unknown): Promise<LeaseInfo<OutputKey> | undefined> {
    const id = readReference(lease)
    const { fields, args } = this.#read(options, INFO_OPTIONS)
    const wantsKeys = fields.flag('keys')
    const signal = fields.signal()
    this.#admit(signal, args)
    const body = { ID: String(id), keys: wantsKeys }
    const json = await this.#call('/v3/lease/timetolive', body, signal)
    const remainingSeconds = numberOf(json, 'TTL')
    if (remainingSeconds === -1) return undefined
    const listed = Array.isArray(json['keys']) ? json['keys'] : []
    // etcd lists them in no order.
    const found = listed.map((key) => Buffer.from(String(key), 'base64')).sort(Buffer.compare)
    const keys = found.map((key) => args.codec.decodeKey(new Uint8Array(key)))
    return asResult({ id, ttlSeconds: numberOf(json, 'grantedTTL'), remainingSeconds, keys })
  }

  async leases(options?: unknown): Promise<readonly bigint[]> {
    const { fields, args } = this.#read(options, CALL_OPTIONS)
    const signal = fields.signal()
    this.#admit(signal, args)
    const ids = listOf(await this.#call('/v3/lease/leases', {}, signal), 'leases')
    return ids.map((each) => bigintOf(each, 'ID'))
  }

  async compact(revision: unknown, options?: unknown): Promise<CompactResult> {
    const { fields, args } = this.#read(options, COMPACT_OPTIONS)
    const through = readInteger(revision, 'revision', 0)
    const physical = fields.flag('physical')
    this.#admit(fields.signal(), args)
    const json = await this.#call('/v3/kv/compaction', { revision: through, physical })
    return asResult({ revision: revisionOf(json) })
  }

  /** The gateway of etcd 3.4 has no hash of the history; its command line has. */
  async hashKV(options?: unknown): Promise<HashKVResult> {
    const { fields, args } = this.#read(options, HASH_OPTIONS)
    const hashRevision = fields.integer('revision', 1) ?? 0
    this.#admit(fields.signal(), args)
    const rev = ['--rev', String(hashRevision)]
    const text = await this.#server.ctl('endpoint', 'hashkv', '--write-out', 'json', ...rev)
    const answers: unknown = JSON.parse(text)
    const json = objectOf(objectOf(Array.isArray(answers) ? answers[0] : undefined)['HashKV'])
    const revision = revisionOf(json)
    return asResult({
      hash: numberOf(json, 'hash'),
      hashRevision: hashRevision || revision,
      // -1 where nothing was compacted.
      compactedRevision: Math.max(0, numberOf(json, 'compact_revision')),
      revision,
    })
  }

  async alarms(options?: unknown): Promise<readonly Alarm[]> {
    const { fields, args } = this.#read(options, STATUS_OPTIONS)
    this.#admit(fields.signal(), args)
    return alarmsOf(await this.#call('/v3/maintenance/alarm', { action: 'GET' }))
  }

  async disarm(alarm?: unknown, options?: unknown): Promise<readonly Alarm[]> {
    const { fields, args } = this.#read(options, STATUS_OPTIONS)
    const wanted = readAlarm(alarm)
    this.#admit(fields.signal(), args)
    const ended: Alarm[] = []
    for (const each of await this.alarms()) {
      if (wanted !== undefined && wanted.alarm !== { NOSPACE: 1, CORRUPT: 2 }[each.type]) continue
      const memberID = String(each.memberId)
      const body = { action: 'DEACTIVATE', memberID, alarm: each.type }
      ended.push(...alarmsOf(await this.#call('/v3/maintenance/alarm', body)))
    }
    return ended
  }

  async status(options?: unknown): Promise<Status> {
    const { fields, args } = this.#read(options, STATUS_OPTIONS)
    const signal = fields.signal()
    this.#admit(signal, args)
    const json = await this.#call('/v3/maintenance/status', {}, signal)
    return asResult({
      version: String(json['version']),
      revision: revisionOf(json),
      compactedRevision: undefined,
      sizeBytes: numberOf(json, 'dbSize'),
      sizeInUseBytes: numberOf(json, 'dbSizeInUse'),
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const keeper of [...this.#keepers]) keeper.lose(closedError())
    for (const watch of this.#watches) await watch.cancel()
    await Promise.allSettled(this.#pending)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #read(options: unknown, known: ReadonlySet<string>): { fields: Fields; args: Arguments } {
    const fields = readOptions(options, known)
    return { fields, args: new Arguments(readCodec(fields, this.#codec)) }
  }

  #admit(signal: AbortSignal | undefined, args: Arguments): void {
    if (this.#isClosed) throw closedError()
    signal?.throwIfAborted()
    args.throwRefusal()
  }

  /** A write gets no signal: nobody could tell whether it happened. */
  async #call(path: string, body: Json, signal?: AbortSignal): Promise<Json> {
    const call = this.#gateway.call(path, body, signal)
    this.#pending.add(call)
    try {
      return await call
    } finally {
      this.#pending.delete(call)
    }
  }
}

function closedError(): KvError {
  return new KvError('KV_CLOSED', 'the store is closed')
}

function alarmsOf(json: Json): Alarm[] {
  return listOf(json, 'alarms').map((each) => {
    const type = each['alarm'] === 'CORRUPT' ? 'CORRUPT' : 'NOSPACE'
    return asResult({ type, memberId: bigintOf(each, 'memberID') })
  })
}
