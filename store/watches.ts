/**
 * What `watch()` returns: a watcher of the hub as an asynchronous iteration, decoded.
 *
 * The events of a batch are decoded when the batch is taken, so a reader pays for its own encoding.
 * What can't be decoded ends the watch with `KV_DECODE`.
 */

import { EMPTY_BYTES } from '../base/bytes.ts'
import type { StoreEvent } from '../mvcc/event-reader.ts'
import { TO_LAST_KEY } from '../mvcc/request.ts'
import type { MakeResult } from '../mvcc/range-scan.ts'
import type { WatchHub } from '../watch/watch-hub.ts'
import type { EventBatch, Watcher, WatchRequest } from '../watch/watcher.ts'
import { SPAN_FIELDS } from './arguments.ts'
import type { Arguments } from './arguments.ts'
import type { OutputKey } from './codec.ts'
import type { Fields } from './fields.ts'
import { entryMaker } from './result.ts'
import type { Entry } from './result.ts'
import type { Watch, WatchBatch, WatchEvent } from './types/watch.ts'

export const WATCH_OPTIONS: ReadonlySet<string> = new Set([
  ...SPAN_FIELDS,
  'startRevision',
  'previous',
  'only',
  'progress',
  'encoding',
  'signal',
])

export type OutputWatch = Watch<unknown, OutputKey>
type OutputBatch = WatchBatch<unknown, OutputKey>
type OutputEvent = WatchEvent<unknown, OutputKey>

/** Reads what a watch selects. No keys named: every key. */
export function readWatchRequest(fields: Fields, args: Arguments): WatchRequest {
  return {
    ...(args.span(fields) ?? { key: EMPTY_BYTES, end: TO_LAST_KEY }),
    startRevision: fields.integer('startRevision', 1) ?? 0,
    wantsPrevious: fields.flag('previous'),
    only: fields.word('only', ['put', 'delete']),
    wantsProgress: fields.flag('progress'),
  }
}

export interface WatchSetup {
  readonly hub: WatchHub
  readonly fields: Fields
  readonly args: Arguments
  /** Throws what keeps the store from watching. */
  readonly admit: (signal: AbortSignal | undefined) => void
}

/** Registers a watch. Slips are thrown; what else is wrong comes from the iteration. */
export function openWatch({ hub, fields, args, admit }: WatchSetup): OutputWatch {
  const request = readWatchRequest(fields, args)
  const signal = fields.signal()
  const make = entryMaker(args.codec, false)
  try {
    admit(signal)
  } catch (error) {
    return new RefusedWatch(error)
  }
  return new StoreWatch(hub.watch(request), { make, args, request, signal })
}

interface Shape {
  readonly make: MakeResult<Entry>
  readonly args: Arguments
  readonly request: WatchRequest
  readonly signal: AbortSignal | undefined
}

class StoreWatch implements OutputWatch {
  readonly ready: Promise<void> = Promise.resolve()
  readonly #watcher: Watcher
  readonly #shape: Shape
  readonly #onAbort: (() => void) | undefined
  #isDone = false
  /** The step asked for last: `next` may be called again before it is there. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(watcher: Watcher, shape: Shape) {
    this.#watcher = watcher
    this.#shape = shape
    const { signal } = shape
    if (signal === undefined) return
    this.#onAbort = () => watcher.abort(signal.reason)
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  [Symbol.asyncIterator](): AsyncIterator<OutputBatch, undefined> {
    return {
      next: () => {
        const step = this.#last.then(() => this.#next())
        this.#last = step.catch(() => {})
        return step
      },
      return: async () => {
        this.#isDone = true
        await this.cancel()
        return { done: true, value: undefined }
      },
    }
  }

  async cancel(): Promise<void> {
    this.#watcher.end()
    this.#forgetSignal()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel()
  }

  async #next(): Promise<IteratorResult<OutputBatch, undefined>> {
    if (this.#isDone) return { done: true, value: undefined }
    try {
      const batch = await this.#watcher.take()
      if (batch !== undefined) return { done: false, value: this.#show(batch) }
    } catch (error) {
      this.#isDone = true
      await this.cancel()
      throw error
    }
    this.#isDone = true
    this.#forgetSignal()
    return { done: true, value: undefined }
  }

  #forgetSignal(): void {
    if (this.#onAbort !== undefined) {
      this.#shape.signal?.removeEventListener('abort', this.#onAbort)
    }
  }

  #show({ events, revision }: EventBatch): OutputBatch {
    return { events: events.map((event) => this.#showEvent(event)), revision }
  }

  #showEvent({ type, revision, kv, previous: before }: StoreEvent): OutputEvent {
    const { make, args, request } = this.#shape
    // Others may have asked for it.
    const isWanted = request.wantsPrevious && before !== undefined
    const previous = isWanted ? make(before) : undefined
    if (type === 'put') return { type, kv: make(kv), previous }
    return { type, key: args.codec.decodeKey(kv.key), modRevision: revision, previous }
  }
}

/** A watch that could not be registered: its iteration throws, once. */
class RefusedWatch implements OutputWatch {
  readonly ready: Promise<void>
  #refusal: { readonly error: unknown } | undefined

  constructor(error: unknown) {
    this.#refusal = { error }
    this.ready = Promise.reject(error)
    // Whoever only iterates hears of it there.
    this.ready.catch(() => {})
  }

  [Symbol.asyncIterator](): AsyncIterator<OutputBatch, undefined> {
    return {
      next: async () => {
        const refusal = this.#refusal
        this.#refusal = undefined
        if (refusal !== undefined) throw refusal.error
        return { done: true, value: undefined }
      },
    }
  }

  async cancel(): Promise<void> {
    this.#refusal = undefined
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel()
  }
}
