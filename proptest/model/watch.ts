/** Watching the model: the events of its revisions, one after the other, as they stand there. */
import { CompactedError } from '../../base/errors.ts'
import type { Encoding } from '../../store/types/encoding.ts'
import type { Watch, WatchBatch, WatchEvent } from '../../store/types/watch.ts'
import { decodeKey } from './encoding.ts'
import { Fields } from './fields.ts'
import type { Model } from './model.ts'
import { readKeySet } from './parse.ts'
import type { Reading } from './parse.ts'
import { toKeyValue } from './result.ts'
import type { KeySet, ModelEvent } from './row.ts'

type Key = string | Uint8Array
type Batch = WatchBatch<unknown, Key>

/** What a watch asks for. */
export interface WatchQuery {
  readonly keys: KeySet
  readonly start: number | undefined
  readonly only: 'put' | 'delete' | undefined
  readonly previous: boolean
  readonly progress: boolean
}

export function readWatchOptions(input: unknown): Fields {
  const fields = Fields.of(input)
  const span = ['key', 'prefix', 'start', 'end', 'fromKey']
  fields.allow(...span, 'startRevision', 'previous', 'only', 'progress', 'encoding', 'signal')
  return fields
}

export function readWatch(fields: Fields, reading: Reading): WatchQuery {
  const only = fields.word('only', ['both', 'put', 'delete'], 'both')
  if (only === 'both' && fields.has('only')) throw new RangeError('only: put or delete')
  return {
    keys: readKeySet(fields, reading) ?? (() => true),
    start: fields.integer('startRevision', 1),
    only: only === 'both' ? undefined : only,
    previous: fields.flag('previous'),
    progress: fields.flag('progress'),
  }
}

export class ModelWatch implements Watch<unknown, Key> {
  readonly ready: Promise<void> = Promise.resolve()
  readonly #model: Model
  readonly #query: WatchQuery
  readonly #encoding: Encoding
  #next: number
  #told: number
  /** No revision after this one is delivered; undefined: it goes on. */
  #last: number | undefined
  #failure: { readonly error: unknown } | undefined
  #steps: Promise<unknown> = Promise.resolve()
  #wake: () => void = () => {}

  constructor(model: Model, query: WatchQuery, encoding: Encoding) {
    this.#model = model
    this.#query = query
    this.#encoding = encoding
    this.#next = query.start ?? model.revision + 1
    this.#told = this.#next - 1
    model.onAccept(() => this.#wake())
  }

  /** Ends it with an error, thrown by the next step; what it would have delivered is dropped. */
  fail(error: unknown): void {
    if (this.#last !== undefined) return
    this.#failure = { error }
    this.#wake()
  }

  async cancel(): Promise<void> {
    this.#last ??= this.#model.revision
    this.#wake()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel()
  }

  [Symbol.asyncIterator](): AsyncIterator<Batch, undefined> {
    return {
      next: () => {
        const step = this.#steps.then(() => this.#step())
        this.#steps = step.catch(() => {})
        return step
      },
      return: async () => {
        this.#last = 0
        return { done: true, value: undefined }
      },
    }
  }

  async #step(): Promise<IteratorResult<Batch, undefined>> {
    for (;;) {
      const batch = this.#read()
      if (batch !== undefined) return { done: false, value: batch }
      if (this.#last !== undefined) return { done: true, value: undefined }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #read(): Batch | undefined {
    const failure = this.#failure
    if (failure !== undefined) {
      this.#failure = undefined
      this.#last = 0
      throw failure.error
    }
    const { revision, compactedRevision } = this.#model
    if (this.#last === undefined && this.#next < compactedRevision) {
      this.#last = 0
      throw new CompactedError(this.#next, compactedRevision)
    }
    while (this.#next <= Math.min(revision, this.#last ?? revision)) {
      const at = this.#next++
      const wanted = this.#model.eventsOf(at).filter((event) => this.#wants(event))
      if (wanted.length > 0) return this.#tell(at, wanted)
    }
    const isNews = this.#query.progress && this.#told < revision && this.#last === undefined
    return isNews ? this.#tell(revision, []) : undefined
  }

  #tell(revision: number, events: readonly ModelEvent[]): Batch {
    this.#told = revision
    return { revision, events: events.map((event) => this.#show(event)) }
  }

  #wants(event: ModelEvent): boolean {
    const { keys, only } = this.#query
    const key = event.type === 'put' ? event.row.key : event.key
    return keys(key) && (only === undefined || only === event.type)
  }

  #show(event: ModelEvent): WatchEvent<unknown, Key> {
    const before = this.#query.previous ? event.previous : undefined
    const previous = before === undefined ? undefined : toKeyValue(before, this.#encoding)
    if (event.type === 'put') {
      return { type: 'put', kv: toKeyValue(event.row, this.#encoding), previous }
    }
    const { type, key, modRevision } = event
    return { type, key: decodeKey(this.#encoding, key), modRevision, previous }
  }
}
