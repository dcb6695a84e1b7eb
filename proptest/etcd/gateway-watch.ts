/** A watch on an etcd, through its gateway: one stream each. */

import { CompactedError, KvError } from '../../base/errors.ts'
import type { MakeResult } from '../../mvcc/range-scan.ts'
import type { Codec, OutputKey } from '../../store/codec.ts'
import type { Entry } from '../../store/result.ts'
import type { Watch, WatchBatch, WatchEvent } from '../../store/types/watch.ts'
import type { WatchRequest } from '../../watch/watcher.ts'
import type { Gateway, Json } from './gateway.ts'
import { bytesOf, listOf, numberOf, objectOf } from './gateway.ts'
import { entryOf, rowOf, spanJson } from './gateway-requests.ts'

type Batch = WatchBatch<unknown, OutputKey>
type Step = { readonly batch: Batch } | { readonly error: unknown } | 'end'

export interface GatewayWatchSetup {
  readonly gateway: Gateway
  readonly request: WatchRequest
  readonly codec: Codec
  readonly make: MakeResult<Entry>
  readonly signal: AbortSignal | undefined
}

export class GatewayWatch implements Watch<unknown, OutputKey> {
  readonly ready: Promise<void>
  readonly #setup: GatewayWatchSetup
  /** Ends the stream. */
  readonly #stream = new AbortController()
  readonly #steps: Step[] = []
  #isOver = false
  #wake: (() => void) | undefined
  #registered: (result: void | Promise<void>) => void = () => {}

  constructor(setup: GatewayWatchSetup) {
    this.#setup = setup
    this.ready = new Promise((resolve) => {
      this.#registered = resolve
    })
    // Whoever only iterates hears of it there.
    this.ready.catch(() => {})
    setup.signal?.addEventListener('abort', () => this.fail(setup.signal?.reason))
    void this.#pump()
  }

  [Symbol.asyncIterator](): AsyncIterator<Batch, undefined> {
    return {
      next: async () => await this.#next(),
      return: async () => {
        await this.cancel()
        return { done: true, value: undefined }
      },
    }
  }

  async cancel(): Promise<void> {
    this.#finish('end')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel()
  }

  /** Ends it with an error. */
  fail(error: unknown): void {
    const refused = Promise.reject(error)
    refused.catch(() => {})
    this.#registered(refused)
    this.#finish({ error })
  }

  async #next(): Promise<IteratorResult<Batch, undefined>> {
    while (this.#steps.length === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    const step = this.#steps[0]
    if (step === undefined || step === 'end') return { done: true, value: undefined }
    this.#steps.shift()
    if ('batch' in step) return { done: false, value: step.batch }
    this.#steps.push('end')
    throw step.error
  }

  #finish(last: Step): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#push(last)
    this.#registered()
    this.#stream.abort()
  }

  #push(step: Step): void {
    this.#steps.push(step)
    this.#wake?.()
  }

  async #pump(): Promise<void> {
    const { gateway, request } = this.#setup
    const filters =
      request.only === undefined ? [] : [request.only === 'put' ? 'NODELETE' : 'NOPUT']
    const create_request = {
      ...spanJson(request),
      start_revision: String(request.startRevision),
      prev_kv: request.wantsPrevious,
      progress_notify: request.wantsProgress,
      filters,
    }
    try {
      for await (const json of gateway.stream('/v3/watch', { create_request }, this.#signal)) {
        if (this.#isOver) return
        this.#take(json)
      }
      this.fail(new KvError('KV_IO', 'the stream of the watch has ended'))
    } catch (error) {
      this.fail(error)
    }
  }

  get #signal(): AbortSignal {
    return this.#stream.signal
  }

  #take(json: Json): void {
    const compacted = numberOf(json, 'compact_revision')
    if (compacted > 0) {
      this.fail(new CompactedError(this.#setup.request.startRevision, compacted))
      return
    }
    if (json['canceled'] === true) {
      this.fail(new Error(`etcd: ${String(json['cancel_reason'])}`))
      return
    }
    if (json['created'] === true) this.#registered()
    const events = listOf(json, 'events')
    const last = events.at(-1)
    if (last === undefined) return
    // The header's is the store's, and of a long history other events may still come before it.
    const revision = numberOf(objectOf(last['kv']), 'mod_revision')
    this.#push({ batch: { events: events.map((event) => this.#event(event)), revision } })
  }

  #event(json: Json): WatchEvent<unknown, OutputKey> {
    const { make, codec } = this.#setup
    const kv = objectOf(json['kv'])
    const previous = entryOf(json, 'prev_kv', make)
    if (json['type'] !== 'DELETE') return { type: 'put', kv: make(rowOf(kv)), previous }
    const key = codec.decodeKey(bytesOf(kv, 'key'))
    return { type: 'delete', key, modRevision: numberOf(kv, 'mod_revision'), previous }
  }
}
