/**
 * What `watch()` returns: a watcher of the hub as an asynchronous iteration, decoded.
 *
 * The events of a batch are decoded when the batch is taken, so a reader pays for its own encoding.
 * What can't be decoded ends the watch with `KV_DECODE`.
 */

import { assert } from '../base/assert.ts'
import { EMPTY_BYTES } from '../base/bytes.ts'
import type { StoreEvent } from '../mvcc/event-reader.ts'
import { TO_LAST_KEY } from '../mvcc/request.ts'
import type { MakeResult } from '../mvcc/range-scan.ts'
import type { KeyValue } from '../proto/mvccpb.ts'
import type { WatchHub } from '../watch/watch-hub.ts'
import type { Consumer, EventBatch, Watcher, WatchRequest } from '../watch/watcher.ts'
import { SPAN_FIELDS } from './arguments.ts'
import type { Arguments } from './arguments.ts'
import type { OutputKey } from './codec.ts'
import type { Fields } from './fields.ts'
import { entryMaker, withKey } from './result.ts'
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
  readonly lastText: LastText
  /** Throws what keeps the store from watching. */
  readonly admit: (signal: AbortSignal | undefined) => void
}

/** Registers a watch. Slips are thrown; what else is wrong comes from the iteration. */
export function openWatch(setup: WatchSetup): OutputWatch {
  const { hub, fields, args, admit, lastText } = setup
  const request = readWatchRequest(fields, args)
  const signal = fields.signal()
  const decode = entryMaker(args.codec, false)
  const isText = args.codec.encoding === 'utf8'
  const make = isText ? (row: KeyValue): Entry => lastText.entryOf(row, decode) : decode
  try {
    admit(signal)
  } catch (error) {
    return new RefusedWatch(error)
  }
  return new StoreWatch(hub.watch(request), { make, args, request, signal })
}

/**
 * The entry made of the last event that was read as text: where many watch a key, they share its
 * strings, which nobody can change.
 */
export class LastText {
  #row: KeyValue | undefined
  #entry: Entry | undefined

  entryOf(row: KeyValue, decode: MakeResult<Entry>): Entry {
    if (this.#row !== row || this.#entry === undefined) {
      this.#entry = decode(row)
      this.#row = row
    }
    // Never the one that is kept: a reader's own is its own.
    return withKey(this.#entry, this.#entry.key)
  }
}

interface Shape {
  readonly make: MakeResult<Entry>
  readonly args: Arguments
  readonly request: WatchRequest
  readonly signal: AbortSignal | undefined
}

interface Request {
  readonly resolve: (result: IteratorResult<OutputBatch, undefined>) => void
  readonly reject: (error: unknown) => void
}

class StoreWatch implements OutputWatch, Consumer {
  readonly ready: Promise<void> = Promise.resolve()
  readonly #watcher: Watcher
  readonly #shape: Shape
  readonly #onAbort: (() => void) | undefined
  #isDone = false
  /** The call of `next` that waits. */
  #request: Request | undefined
  /** Those behind it, in their order: it may be called again before a batch is there. */
  #requests: Request[] = []
  /** Whether the watcher was asked for the next batch. */
  #isAsking = false
  #isServing = false

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
      next: () =>
        new Promise((resolve, reject) => {
          const request = { resolve, reject }
          if (this.#request === undefined) this.#request = request
          else this.#requests.push(request)
          this.#serve()
        }),
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

  /** Called by the watcher, where it was asked. */
  take(batch: EventBatch | undefined): void {
    const request = this.#answered()
    if (batch === undefined || this.#isDone) {
      this.#isDone = true
      this.#forgetSignal()
      request.resolve({ done: true, value: undefined })
    } else {
      this.#answer(request, batch)
    }
    this.#serve()
  }

  /** Called by the watcher, where it was asked. */
  fail(error: unknown): void {
    const request = this.#answered()
    this.#finish()
    request.reject(error)
    this.#serve()
  }

  /** The call that the watcher has an answer for. */
  #answered(): Request {
    const request = this.#request
    assert(request !== undefined, 'an answer for nobody')
    this.#isAsking = false
    this.#request = this.#requests.length === 0 ? undefined : this.#requests.shift()
    return request
  }

  /** Asks for a batch for each call that waits for one, as long as there are any. */
  #serve(): void {
    // Called again by what it calls: this loop goes on then.
    if (this.#isServing) return
    this.#isServing = true
    while (!this.#isAsking && this.#request !== undefined) {
      this.#isAsking = true
      if (this.#isDone) this.take(undefined)
      else this.#watcher.handTo(this)
    }
    this.#isServing = false
  }

  #answer(request: Request, batch: EventBatch): void {
    let value: OutputBatch
    try {
      value = this.#show(batch)
    } catch (error) {
      this.#finish()
      request.reject(error)
      return
    }
    request.resolve({ done: false, value })
  }

  #finish(): void {
    this.#isDone = true
    this.#watcher.end()
    this.#forgetSignal()
  }

  #forgetSignal(): void {
    if (this.#onAbort !== undefined) {
      this.#shape.signal?.removeEventListener('abort', this.#onAbort)
    }
  }

  #show({ events, revision }: EventBatch): OutputBatch {
    const [first] = events
    // Most batches have one event; a list that grows would have room for many.
    if (first !== undefined && events.length === 1) {
      return { events: [this.#showEvent(first)], revision }
    }
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
