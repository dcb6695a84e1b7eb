/** The iterations of a namespace: those of the store beneath, with its own keys in them. */

import type { OutputKey } from './codec.ts'
import type { NamespaceOutput } from './namespace-output.ts'
import type { Entry } from './result.ts'
import type { Watch, WatchBatch } from './types/watch.ts'

type OutputBatch = WatchBatch<unknown, OutputKey>

export class NamespaceScan implements AsyncIterableIterator<Entry> {
  readonly #scan: AsyncIterableIterator<Entry>
  readonly #output: NamespaceOutput
  readonly #closed: AbortSignal
  #isEnded = false

  constructor(scan: AsyncIterableIterator<Entry>, output: NamespaceOutput, closed: AbortSignal) {
    this.#scan = scan
    this.#output = output
    this.#closed = closed
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Entry, undefined>> {
    // Closed meanwhile: it says so once, and is over.
    if (this.#closed.aborted && !this.#isEnded) {
      await this.return()
      throw this.#closed.reason
    }
    const next: IteratorResult<Entry, unknown> = await this.#scan.next()
    if (next.done === true) {
      this.#isEnded = true
      return { done: true, value: undefined }
    }
    try {
      return { done: false, value: this.#output.entry(next.value) }
    } catch (error) {
      await this.return()
      throw error
    }
  }

  async return(): Promise<IteratorResult<Entry, undefined>> {
    this.#isEnded = true
    await this.#scan.return?.()
    return { done: true, value: undefined }
  }

  async throw(error: unknown): Promise<IteratorResult<Entry, undefined>> {
    await this.return()
    throw error
  }
}

export class NamespaceWatch implements Watch<unknown, OutputKey> {
  readonly ready: Promise<void>
  readonly #watch: Watch<unknown, OutputKey>
  readonly #output: NamespaceOutput
  readonly #ended: () => void

  /** `ended` is called when it is over, by itself or not. */
  constructor(watch: Watch<unknown, OutputKey>, output: NamespaceOutput, ended: () => void) {
    this.ready = watch.ready
    this.#watch = watch
    this.#output = output
    this.#ended = ended
  }

  [Symbol.asyncIterator](): AsyncIterator<OutputBatch, undefined> {
    const batches = this.#watch[Symbol.asyncIterator]()
    return {
      next: async () => await this.#next(batches),
      return: async () => {
        this.#ended()
        await batches.return?.()
        return { done: true, value: undefined }
      },
    }
  }

  async cancel(): Promise<void> {
    this.#ended()
    await this.#watch.cancel()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cancel()
  }

  async #next(
    batches: AsyncIterator<OutputBatch>,
  ): Promise<IteratorResult<OutputBatch, undefined>> {
    let next: IteratorResult<OutputBatch>
    try {
      next = await batches.next()
    } catch (error) {
      this.#ended()
      throw error
    }
    if (next.done === true) {
      this.#ended()
      return { done: true, value: undefined }
    }
    try {
      return { done: false, value: this.#output.batch(next.value) }
    } catch (error) {
      await this.cancel()
      throw error
    }
  }
}
