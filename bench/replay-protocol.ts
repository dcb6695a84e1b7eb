/** What the processes of `npm run replay` are asked, and what they answer. */

/**
 *   write  puts so many keys, a commit each, without a checkpoint
 *   open   opens the store, as anyone would
 *   read   reads and decodes the log, and does nothing with it
 *   split  opens as `open` does, in its parts: data file and log, then the key index
 *
 * Each ends by killing itself, so that nothing is brought to the data file.
 */
export type ReplayOperation = 'write' | 'open' | 'read' | 'split'

export interface ReplayCommand {
  readonly op: ReplayOperation
  /** The store's directory. */
  readonly path: string
  readonly records: number
  readonly cacheBytes: number
}

export interface ReplaySample {
  /** Commits that opening did again. */
  readonly records: number
  /** The log up to its end. */
  readonly logBytes: number
  /** From `open()` to the store. */
  readonly openMs: number
  /** Reading and decoding the log alone. */
  readonly readMs: number
  /** Opening data file and log: finding the log's end, reading it, doing it again in the engine. */
  readonly databaseMs: number
  /** Building the key index. */
  readonly indexMs: number
}

export type ReplayAnswer = Partial<ReplaySample> & { readonly error?: string }
