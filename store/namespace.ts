/**
 * A part of a store, as a store: the keys that begin with a prefix, named without it.
 *
 * It is written on the interface alone, so it works on any store, and on another namespace. Each
 * call goes to the store beneath with its keys put behind the prefix (key-prefix.ts); what comes
 * back has its own keys in it (namespace-output.ts). Arguments are checked beneath.
 *
 * When it is closed the store beneath is still open. Its calls still go there, since slips come
 * before a closed store, though with a signal that was aborted by `KV_CLOSED`: so nothing more is
 * done than the checks.
 */

import { setMaxListeners } from 'node:events'
import { KvError } from '../base/errors.ts'
import type { OutputKey } from './codec.ts'
import { KeyPrefix, givenOf } from './key-prefix.ts'
import { NamespaceOutput } from './namespace-output.ts'
import { NamespaceScan, NamespaceWatch } from './namespace-iterators.ts'
import type { RangeOutput } from './reads.ts'
import type { Entry } from './result.ts'
import { TXN_DEPTH_MAX } from './txn-arguments.ts'
import type { BuiltStore } from './types.ts'
import type { BytesInput } from './types/encoding.ts'
import type { KeepAlive, Lease, LeaseInfo, RevokeResult } from './types/lease.ts'
import type { Alarm, CompactResult, HashKVResult, Status } from './types/maintenance.ts'
import type { TransactResult, TxnResult } from './types/txn.ts'
import type { Watch } from './types/watch.ts'
import type { DeleteResult, PutResult } from './types/write.ts'

/**
 * The keys of a store that begin with `prefix`, as a store of their own, where they are named
 * without it. It has no copy of anything: revisions, leases, history and space are the store's.
 *
 * - `range()`, `scan()` and `watch()` without keys, and `{ prefix: '' }`, are all of its keys and
 *   no others. A key that is the prefix and nothing more is not one of them.
 * - A prefix that is no UTF-8 is for stores, or calls, of `encoding: 'bytes'`. In any other its
 *   keys are `KV_DECODE`, as they are in the store itself; a write that wants to return one is done
 *   all the same, and its error's `outcome` is `unknown`.
 * - `revoke`, and the end of a lease, delete all keys of the lease, also those outside. `lease`
 *   with `keys` lists its own.
 * - `compact`, `status`, `hashKV`, `alarms`, `disarm`, `leases` are the store's.
 * - `close` ends it, its watches and its iterations, and leaves the store open. After it every call
 *   is `KV_CLOSED`.
 * - Limits such as `maxRequestBytes` are of keys with their prefix, and so are keys in messages.
 *
 * @param store Any store, or a namespace.
 * @param prefix Put before every key, as it is: end it with a separator. Empty: the whole store.
 */
export function namespace<V, K>(store: BuiltStore<V, K>, prefix: BytesInput): BuiltStore<V, K> {
  // What comes out is what the store beneath promises by type.
  const beneath = store as unknown as AnyStore
  return new Namespace(beneath, prefix) as unknown as BuiltStore<V, K>
}

/** A store as a caller without types sees it. */
interface AnyStore {
  get(key: unknown, options: unknown): Promise<Entry | undefined>
  range(options: unknown): Promise<RangeOutput>
  scan(options: unknown): AsyncIterableIterator<Entry>
  put(key: unknown, value: unknown, options: unknown): Promise<PutResult<unknown, OutputKey>>
  delete(keys: unknown, options: unknown): Promise<DeleteResult<unknown, OutputKey>>
  txn(request: unknown, options: unknown): Promise<TxnResult<unknown, OutputKey>>
  transact(fn: unknown, options: unknown): Promise<TransactResult<unknown>>
  watch(options: unknown): Watch<unknown, OutputKey>
  grant(options: unknown): Promise<Lease>
  renew(lease: unknown, options: unknown): Promise<Lease>
  keepAlive(lease: unknown, options: unknown): KeepAlive
  revoke(lease: unknown, options: unknown): Promise<RevokeResult>
  lease(lease: unknown, options: unknown): Promise<LeaseInfo<OutputKey> | undefined>
  leases(options: unknown): Promise<readonly bigint[]>
  compact(revision: unknown, options: unknown): Promise<CompactResult>
  status(options: unknown): Promise<Status>
  hashKV(options: unknown): Promise<HashKVResult>
  alarms(options: unknown): Promise<readonly Alarm[]>
  disarm(alarm: unknown, options: unknown): Promise<readonly Alarm[]>
}

/** What `transact` passes to its function, as a caller without types sees it. */
interface AnyTransaction {
  readonly revision: number | undefined
  get(key: unknown): Promise<Entry | undefined>
  range(keys: unknown): Promise<readonly Entry[]>
  put(key: unknown, value: unknown, options: unknown): void
  delete(keys: unknown): void
}

class Namespace {
  readonly #store: AnyStore
  readonly #prefix: KeyPrefix
  readonly #output: NamespaceOutput
  readonly #closing = new AbortController()
  /** Calls under way, for `close` to wait for. */
  readonly #calls = new Set<Promise<unknown>>()
  readonly #watches = new Set<NamespaceWatch>()

  constructor(store: AnyStore, prefix: unknown) {
    this.#store = store
    this.#prefix = new KeyPrefix(prefix, 'prefix')
    this.#output = new NamespaceOutput(this.#prefix)
    // As many as there are transactions and leases kept alive.
    setMaxListeners(0, this.#closing.signal)
  }

  async get(key: unknown, options?: unknown): Promise<Entry | undefined> {
    const found = this.#store.get(this.#prefix.under(key), this.#options(options))
    return this.#output.entryOrNone(await this.#underWay(found))
  }

  async range(options?: unknown): Promise<RangeOutput> {
    return this.#output.range(await this.#underWay(this.#store.range(this.#everyKey(options))))
  }

  scan(options?: unknown): AsyncIterableIterator<Entry> {
    const scan = this.#store.scan(this.#everyKey(options))
    return new NamespaceScan(scan, this.#output, this.#closing.signal)
  }

  async put(
    key: unknown,
    value: unknown,
    options?: unknown,
  ): Promise<PutResult<unknown, OutputKey>> {
    const put = this.#store.put(this.#prefix.under(key), value, this.#options(options))
    return this.#output.put(await this.#underWay(put))
  }

  async delete(keys: unknown, options?: unknown): Promise<DeleteResult<unknown, OutputKey>> {
    const done = this.#store.delete(this.#keys(keys), this.#options(options))
    return this.#output.delete(await this.#underWay(done))
  }

  async txn(request: unknown, options?: unknown): Promise<TxnResult<unknown, OutputKey>> {
    const done = this.#store.txn(this.#request(request, 0), this.#options(options))
    return this.#output.txn(await this.#underWay(done))
  }

  async transact(fn: unknown, options?: unknown): Promise<TransactResult<unknown>> {
    if (!isFunction(fn)) return await this.#store.transact(fn, options)
    const within = (t: AnyTransaction): unknown => fn(this.#transaction(t))
    return await this.#store.transact(within, this.#untilClosed(options))
  }

  watch(options?: unknown): NamespaceWatch {
    const watch = this.#store.watch(this.#everyKey(options))
    const mine = new NamespaceWatch(watch, this.#output, () => this.#watches.delete(mine))
    // Later ones have ended already.
    if (!this.#closing.signal.aborted) this.#watches.add(mine)
    return mine
  }

  async grant(options?: unknown): Promise<Lease> {
    return await this.#underWay(this.#store.grant(this.#options(options)))
  }

  async renew(lease: unknown, options?: unknown): Promise<Lease> {
    return await this.#underWay(this.#store.renew(lease, this.#options(options)))
  }

  keepAlive(lease: unknown, options?: unknown): KeepAlive {
    return this.#store.keepAlive(lease, this.#untilClosed(options))
  }

  async revoke(lease: unknown, options?: unknown): Promise<RevokeResult> {
    return await this.#underWay(this.#store.revoke(lease, this.#options(options)))
  }

  async lease(lease: unknown, options?: unknown): Promise<LeaseInfo<OutputKey> | undefined> {
    const info = await this.#underWay(this.#store.lease(lease, this.#options(options)))
    return info === undefined ? undefined : this.#output.lease(info)
  }

  async leases(options?: unknown): Promise<readonly bigint[]> {
    return await this.#underWay(this.#store.leases(this.#options(options)))
  }

  async compact(revision: unknown, options?: unknown): Promise<CompactResult> {
    return await this.#underWay(this.#store.compact(revision, this.#options(options)))
  }

  async status(options?: unknown): Promise<Status> {
    return await this.#underWay(this.#store.status(this.#options(options)))
  }

  async hashKV(options?: unknown): Promise<HashKVResult> {
    return await this.#underWay(this.#store.hashKV(this.#options(options)))
  }

  async alarms(options?: unknown): Promise<readonly Alarm[]> {
    return await this.#underWay(this.#store.alarms(this.#options(options)))
  }

  async disarm(alarm?: unknown, options?: unknown): Promise<readonly Alarm[]> {
    return await this.#underWay(this.#store.disarm(alarm, this.#options(options)))
  }

  async close(): Promise<void> {
    this.#closing.abort(new KvError('KV_CLOSED', 'the namespace is closed'))
    await Promise.allSettled(this.#calls)
    // All that was written before is delivered first.
    await Promise.all([...this.#watches].map(async (watch) => await watch.cancel()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #underWay<T>(call: Promise<T>): Promise<T> {
    this.#calls.add(call)
    try {
      return await call
    } finally {
      this.#calls.delete(call)
    }
  }

  /** Options beneath: as they are, and once it is closed such that nothing is done. */
  #options(options: unknown): unknown {
    return this.#closing.signal.aborted ? this.#untilClosed(options) : options
  }

  /** Options with a signal that aborts at `close`, too. */
  #untilClosed(options: unknown): unknown {
    const closed = this.#closing.signal
    if (options === undefined) return { signal: closed }
    const given = givenOf(options)
    if (given === undefined) return options
    const { signal } = given
    // A slip, for the store beneath to name.
    if (signal !== undefined && !(signal instanceof AbortSignal)) return given
    if (signal === undefined || closed.aborted) return { ...given, signal: closed }
    return { ...given, signal: AbortSignal.any([signal, closed]) }
  }

  /** Options that name keys; none named: all of the namespace. */
  #everyKey(options: unknown): unknown {
    const given = givenOf(options === undefined ? {} : options)
    if (given === undefined) return options
    return this.#options(this.#prefix.underSpan(given, 'every'))
  }

  /** A key, or an object that names keys. */
  #keys(keys: unknown): unknown {
    const given = givenOf(keys)
    return given === undefined ? this.#prefix.under(keys) : this.#prefix.underSpan(given, 'refused')
  }

  #request(request: unknown, depth: number): unknown {
    const given = givenOf(request)
    if (given === undefined) return request
    const { compare, success, failure } = given
    return {
      ...given,
      compare: mapped(compare, (each) => this.#op(each, depth)),
      success: mapped(success, (each) => this.#op(each, depth)),
      failure: mapped(failure, (each) => this.#op(each, depth)),
    }
  }

  /** An operation or a compare. */
  #op(op: unknown, depth: number): unknown {
    const given = givenOf(op)
    if (given === undefined) return op
    if (given['type'] === 'txn') {
      // What lies deeper could not be confined, and is refused beneath as well.
      if (depth === TXN_DEPTH_MAX) {
        throw new KvError('KV_TXN_TOO_MANY_OPS', `transactions are nested ${depth} levels deep`)
      }
      return this.#request(given, depth + 1)
    }
    return this.#prefix.underSpan(given, given['type'] === 'range' ? 'every' : 'refused')
  }

  #transaction(t: AnyTransaction): AnyTransaction {
    const prefix = this.#prefix
    const output = this.#output
    return {
      get revision(): number | undefined {
        return t.revision
      },
      get: async (key) => output.entryOrNone(await t.get(prefix.under(key))),
      range: async (keys) => {
        const given = givenOf(keys)
        const beneath = given === undefined ? keys : prefix.underSpan(given, 'every')
        return (await t.range(beneath)).map((entry) => output.entry(entry))
      },
      put: (key, value, options) => t.put(prefix.under(key), value, options),
      delete: (keys) => t.delete(this.#keys(keys)),
    }
  }
}

function isFunction(fn: unknown): fn is (t: AnyTransaction) => unknown {
  return typeof fn === 'function'
}

function mapped(list: unknown, map: (item: unknown) => unknown): unknown {
  return Array.isArray(list) ? list.map((item) => map(item)) : list
}
