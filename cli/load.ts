/**
 * Loads a history into a store, one transaction a commit.
 *
 * Transactions are not waited for one by one: a window of them is under way at a time, and the
 * store makes those that come while the disk is busy durable together. They take effect in the
 * order of the calls all the same. The window is bounded in bytes too, so memory doesn't grow
 * with the history or with its files.
 */
import { del, put } from '../index.ts'
import type { BuiltLocalStore, Op } from '../index.ts'
import type { Change, CommitPart, History, Omission } from './history.ts'
import { FILE_BYTES_MAX, PART_BYTES_MAX, PART_CHANGES_MAX } from './history.ts'
import { commitKey, encodeCommit, fileKey } from './layout.ts'

/** Transactions under way at a time. */
export const WINDOW = 64
/** Bytes of content under way at a time; a single part may be more. */
const WINDOW_BYTES = 64 * 1024 * 1024

/** Room for keys beside the contents of a part. */
const KEYS_BYTES_MAX = 64 * 1024 * 1024

/** What a store must allow for a part of a history to be one transaction of it. */
export const LOAD_LIMITS: { readonly maxRequestBytes: number; readonly maxTxnOps: number } = {
  maxRequestBytes: PART_BYTES_MAX + FILE_BYTES_MAX + KEYS_BYTES_MAX,
  maxTxnOps: PART_CHANGES_MAX + 1,
}

/** A store of bytes: file contents and paths need not be text. */
export type HistoryStore = BuiltLocalStore<Uint8Array, Uint8Array>

export interface LoadResult {
  readonly commits: number
  /** More than `commits` where a commit had to be cut. */
  readonly transactions: number
  readonly puts: number
  readonly deletes: number
  readonly contentBytes: number
  /** Files of which a note is stored, by reason. */
  readonly omitted: Readonly<Record<Omission, number>>
  readonly elapsedMs: number
  /** For each transaction: from the call until it was durable. */
  readonly latenciesMs: readonly number[]
}

export interface LoadOptions {
  /** Called with the number of commits that are durable. */
  readonly onProgress: (commits: number) => void
  readonly signal: AbortSignal
}

/**
 * Loads the whole history. When it returns, all of it is durable.
 * @throws what reading or writing throws, once nothing is under way any more
 */
export async function loadHistory(
  db: HistoryStore,
  history: History,
  options: LoadOptions,
): Promise<LoadResult> {
  const window = new Window(db, options.onProgress)
  const startedMs = performance.now()
  let commits = 0
  try {
    for await (const part of history.parts()) {
      options.signal.throwIfAborted()
      await window.submit(part, commits + 1)
      if (part.isLast) commits++
    }
  } finally {
    await window.drain()
  }
  options.signal.throwIfAborted()
  return { ...window.mustResult(), commits, elapsedMs: performance.now() - startedMs }
}

interface UnderWay {
  readonly bytes: number
  readonly done: Promise<void>
}

class Window {
  readonly #db: HistoryStore
  readonly #onProgress: (commits: number) => void
  readonly #underWay: UnderWay[] = []
  #bytes = 0
  #failure: { readonly error: unknown } | undefined
  readonly #latenciesMs: number[] = []
  readonly #omitted = { large: 0, missing: 0, submodule: 0 }
  #puts = 0
  #deletes = 0
  #contentBytes = 0

  constructor(db: HistoryStore, onProgress: (commits: number) => void) {
    this.#db = db
    this.#onProgress = onProgress
  }

  /**
   * Starts a transaction as soon as the window has room. Throws what an earlier one was rejected
   * with.
   */
  async submit(part: CommitPart, number: number): Promise<void> {
    const bytes = part.contentBytes
    while (this.#underWay.length >= WINDOW || this.#isFull(bytes)) await this.#shift()
    this.#mustBeSound()
    const startedMs = performance.now()
    const done = this.#db.txn({ success: operations(part, number) }).then(
      () => {
        this.#latenciesMs.push(performance.now() - startedMs)
        if (part.isLast) this.#onProgress(number)
      },
      (error: unknown) => {
        this.#failure ??= { error }
      },
    )
    this.#underWay.push({ bytes, done })
    this.#bytes += bytes
    this.#count(part.changes)
  }

  async drain(): Promise<void> {
    while (this.#underWay.length > 0) await this.#shift()
  }

  mustResult(): Omit<LoadResult, 'commits' | 'elapsedMs'> {
    this.#mustBeSound()
    return {
      transactions: this.#latenciesMs.length,
      puts: this.#puts,
      deletes: this.#deletes,
      contentBytes: this.#contentBytes,
      omitted: this.#omitted,
      latenciesMs: this.#latenciesMs,
    }
  }

  #isFull(bytes: number): boolean {
    return this.#underWay.length > 0 && this.#bytes + bytes > WINDOW_BYTES
  }

  async #shift(): Promise<void> {
    const first = this.#underWay.shift()
    if (first === undefined) return
    await first.done
    this.#bytes -= first.bytes
  }

  #mustBeSound(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #count(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.type === 'delete') {
        this.#deletes++
        continue
      }
      this.#puts++
      this.#contentBytes += change.content.length
      if (change.omitted !== undefined) this.#omitted[change.omitted]++
    }
  }
}

function operations(part: CommitPart, number: number): Op<Uint8Array | string>[] {
  const ops = part.changes.map((change): Op<Uint8Array | string> => {
    const key = fileKey(change.path)
    return change.type === 'delete' ? del(key) : put(key, change.content)
  })
  if (part.isLast) ops.push(put(commitKey(number), encodeCommit(part.commit)))
  return ops
}
