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
import type { Codec, OutputKey } from './codec.ts'
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
  readonly shows: EventShows
  /** Throws what keeps the store from watching. */
  readonly admit: (signal: AbortSignal | undefined) => void
}

/** Registers a watch. Slips are thrown; what else is wrong comes from the iteration. */
export function openWatch(setup: WatchSetup): OutputWatch {
  const { hub, fields, args, admit, shows } = setup
  const request = readWatchRequest(fields, args)
  const signal = fields.signal()
  try {
    admit(signal)
  } catch (error) {
    return new RefusedWatch(error)
  }
  return new StoreWatch(hub.watch(request), {
    show: shows.of(args.codec),
    wantsPrevious: request.wantsPrevious,
    signal,
  })
}

/** How a store's watches show events: one way for each encoding, shared by those that have it. */
export class EventShows {
  readonly #shows = new Map<Codec, EventShow>()

  of(codec: Codec): EventShow {
    let show = this.#shows.get(codec)
    if (show === undefined) {
      show = new EventShow(codec)
      this.#shows.set(codec, show)
    }
    return show
  }
}

/**
 * Decodes events. The entry made of the last event that was read as text is kept: where many watch
 * a key, they share its strings, which nobody can change.
 */
class EventShow {
  readonly #codec: Codec
  readonly #isText: boolean
  readonly #decode: MakeResult<Entry>
  #row: KeyValue | undefined
  #entry: Entry | undefined

  constructor(codec: Codec) {
    this.#codec = codec
    this.#isText = codec.encoding === 'utf8'
    this.#decode = entryMaker(codec, false)
  }

  batch({ events, revision }: EventBatch, wantsPrevious: boolean): OutputBatch {
    const [first] = events
    // Most batches have one event; a list that grows would have room for many.
    if (first !== undefined && events.length === 1) {
      return { events: [this.#event(first, wantsPrevious)], revision }
    }
    return { events: events.map((event) => this.#event(event, wantsPrevious)), revision }
  }

  #event(event: StoreEvent, wantsPrevious: boolean): OutputEvent {
    const { type, kv, previous: before } = event
    // Others may have asked for it.
    const previous = wantsPrevious && before !== undefined ? this.#entryOf(before) : undefined
    if (type === 'put') return { type, kv: this.#entryOf(kv), previous }
    return { type, key: this.#codec.decodeKey(kv.key), modRevision: event.revision, previous }
  }

  #entryOf(row: KeyValue): Entry {
    if (!this.#isText) return this.#decode(row)
    if (this.#row !== row || this.#entry === undefined) {
      this.#entry = this.#decode(row)
      this.#row = row
    }
    // Never the one that is kept: a reader's own is its own.
    return withKey(this.#entry, this.#entry.key)
  }
}

interface Shape {
  readonly show: EventShow
  readonly wantsPrevious: boolean
  readonly signal: AbortSignal | undefined
}

type Step = IteratorResult<OutputBatch, undefined>
/** Answers a call of `next`. What fails is answered with a promise that is rejected. */
type Answer = (step: Step | Promise<Step>) => void

let newestAnswer: Answer | undefined

function keepAnswer(resolve: Answer): void {
  newestAnswer = resolve
}

class StoreWatch implements OutputWatch, Consumer {
  readonly ready: Promise<void> = Promise.resolve()
  readonly #watcher: Watcher
  readonly #show: EventShow
  readonly #wantsPrevious: boolean
  readonly #signal: AbortSignal | undefined
  readonly #onAbort: (() => void) | undefined
  #isDone = false
  /** To the call of `next` that waits. */
  #answer: Answer | undefined
  /** To those behind it, in their order: it may be called again before a batch is there. */
  #answers: Answer[] = []
  /** Whether the watcher was asked for the next batch. */
  #isAsking = false
  #isServing = false

  constructor(watcher: Watcher, shape: Shape) {
    this.#watcher = watcher
    this.#show = shape.show
    this.#wantsPrevious = shape.wantsPrevious
    const { signal } = shape
    this.#signal = signal
    if (signal === undefined) return
    this.#onAbort = () => watcher.abort(signal.reason)
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  [Symbol.asyncIterator](): AsyncIterator<OutputBatch, undefined> {
    return {
      next: () => this.#next(),
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
    const answer = this.#answered()
    if (batch === undefined || this.#isDone) {
      this.#isDone = true
      this.#forgetSignal()
      answer({ done: true, value: undefined })
    } else {
      this.#give(answer, batch)
    }
    if (this.#answer !== undefined) this.#serve()
  }

  /** Called by the watcher, where it was asked. */
  fail(error: unknown): void {
    this.#refuse(this.#answered(), error)
    this.#serve()
  }

  /**
   * Of each call that waits there is its promise and one function, made by a single one that is
   * shared: what thousands of watchers hold while they wait is what the garbage collector copies.
   */
  #next(): Promise<Step> {
    const promise = new Promise<Step>(keepAnswer)
    const answer = newestAnswer
    assert(answer !== undefined, 'a promise is made at once')
    if (this.#answer === undefined) this.#answer = answer
    else this.#answers.push(answer)
    this.#serve()
    return promise
  }

  /** To the call that the watcher has something for. */
  #answered(): Answer {
    const answer = this.#answer
    assert(answer !== undefined, 'an answer for nobody')
    this.#isAsking = false
    this.#answer = this.#answers.length === 0 ? undefined : this.#answers.shift()
    return answer
  }

  /** Asks for a batch for each call that waits for one, as long as there are any. */
  #serve(): void {
    // Called again by what it calls: this loop goes on then.
    if (this.#isServing) return
    this.#isServing = true
    while (!this.#isAsking && this.#answer !== undefined) {
      this.#isAsking = true
      if (this.#isDone) this.take(undefined)
      else this.#watcher.handTo(this)
    }
    this.#isServing = false
  }

  #give(answer: Answer, batch: EventBatch): void {
    let value: OutputBatch
    try {
      value = this.#show.batch(batch, this.#wantsPrevious)
    } catch (error) {
      this.#refuse(answer, error)
      return
    }
    answer({ done: false, value })
  }

  #refuse(answer: Answer, error: unknown): void {
    this.#finish()
    answer(Promise.reject(error))
  }

  #finish(): void {
    this.#isDone = true
    this.#watcher.end()
    this.#forgetSignal()
  }

  #forgetSignal(): void {
    if (this.#onAbort !== undefined) {
      this.#signal?.removeEventListener('abort', this.#onAbort)
    }
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
