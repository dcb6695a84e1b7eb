/** How a store is opened. */
import type { Encoding } from './encoding.ts'

/**
 * How much history is kept: so many of the newest revisions, or what was current within so many
 * milliseconds (integers ≥ 1). What is older is compacted in the background, as writes come and in
 * portions worth the work: history may be longer by a tenth, by 1000 revisions or by a sixteenth of
 * the number of keys. Ages count from when the store was opened, at most.
 */
export type Retain = 'all' | { readonly revisions: number } | { readonly ageMs: number }

/**
 * How much of the past can be gone back to. What goes are whole stretches, so a limit is kept by
 * and large: docs/archive.md. Each is an integer ≥ 1.
 */
export interface ArchiveOptions {
  /**
   * The most bytes that the archive may take; not kept where it is less than four times the data
   * file's length.
   */
  readonly maxBytes?: number | undefined
  /** What lies that far back can be restored, in ms; what is half as old again may be gone. */
  readonly maxAgeMs?: number | undefined
  /** The most segments of the log that the archive may hold. */
  readonly maxSegments?: number | undefined
}

/**
 * Where an open store tells what it does: `console` will do. Never given values, and keys only
 * where a problem needs one. Called soon after what it is told of, from a microtask of its own;
 * what it throws is dropped.
 *
 *   debug  checkpoints, compactions
 *   info   opening, with what was done again from the log; closing
 *   warn   views that were forgotten, history that outgrows the keys, a checkpoint or a compaction
 *          that was given up, a data file of which one generation is unusable
 *   error  no more writes are taken; closing failed
 */
export interface Logger {
  /** Checkpoints and compactions, as they come. */
  debug?(message: string, facts?: Readonly<Record<string, unknown>>): void
  /** Opening, with what it found, and closing. */
  info?(message: string, facts?: Readonly<Record<string, unknown>>): void
  /** What somebody should look at; the store goes on. */
  warn?(message: string, facts?: Readonly<Record<string, unknown>>): void
  /** Something ended: no more writes are taken, or closing failed. */
  error?(message: string, facts?: Readonly<Record<string, unknown>>): void
}

/** How a store is opened. All of it may be left out; undefined means absent. */
export interface OpenOptions<E extends Encoding = 'utf8'> {
  /** What keys and values come out as; see `Encodings`. Default `utf8`. */
  readonly encoding?: E | undefined
  /**
   * Writes nothing at all; the store must exist, else `KV_NOT_FOUND`. Default false: a missing
   * store is made.
   */
  readonly readOnly?: boolean | undefined
  /**
   * How long to wait for another owner to let go, in ms; 0: `KV_LOCKED` at once, Infinity: for
   * ever. Default 0.
   */
  readonly lockTimeoutMs?: number | undefined
  /**
   * How the files are locked: flock(2) (`auto`), or by a lock file alone where that can't be had.
   * Default `auto`.
   */
  readonly lock?: 'auto' | 'file' | undefined
  /**
   * The largest write request, in bytes of its keys and values: an integer ≥ 1. Beyond it
   * `KV_REQUEST_TOO_LARGE`. Default 1,572,864 (1.5 MiB).
   */
  readonly maxRequestBytes?: number | undefined
  /** The most compares or operations in a list of a transaction: an integer ≥ 1. Default 128. */
  readonly maxTxnOps?: number | undefined
  /**
   * How much history to keep. Default `all`; then `logger` is warned, once, when there are more
   * than ten revisions for each key. Saying `all` keeps it quiet.
   */
  readonly retain?: Retain | undefined
  /**
   * The most bytes that the store's data may take in the file, an integer ≥ 1: writes that might go
   * beyond it are `KV_NO_SPACE`, while reads, deletes, compaction, ends of leases and `defragment`
   * go on. Counted is what the newest state needs, in pages, as the next checkpoint writes it;
   * space that is free for reuse is not, so the file may be longer. See docs/space.md. Default: no
   * quota.
   */
  readonly quotaBytes?: number | undefined
  /**
   * Keeps what is needed to go back to any moment from now on, in `archive/` beside the data file:
   * `restoreTo()` and `rollback()` use it. `true`: all of it, without end. Where there is no
   * archive yet, or the store was written to without one since, opening copies the data file first.
   * `false`: what the log needs no more is removed. Default: an archive that is there is gone on
   * with, and nothing of it goes; else none is kept.
   */
  readonly archive?: boolean | ArchiveOptions | undefined
  /**
   * When a write is acknowledged, and readers see it: on stable storage (`full`), so that power may
   * fail; handed to the system (`os`), so that the process may be killed; or at once (`none`), so
   * that it may be lost until `close()` resolves. In none of them a write is half there after a
   * crash, or a later one without an earlier one. Default `full`.
   */
  readonly sync?: 'full' | 'os' | 'none' | undefined
  /** Bytes of writes that may wait for the disk; beyond it a write is `KV_BUSY`. Default 64 MiB. */
  readonly maxPendingBytes?: number | undefined
  /**
   * How much the log may grow before the data file is brought to where it is, in the background, in
   * bytes: an integer ≥ 1. More makes opening after a crash slower and writes less in all. Default
   * 64 MiB.
   */
  readonly checkpointBytes?: number | undefined
  /**
   * Memory for pages of the data file, in bytes: an integer ≥ 16384; as much again may be taken by
   * pages that are newer than the file. Default 256 MiB.
   */
  readonly cacheBytes?: number | undefined
  /**
   * Views and snapshots open for longer than this are warned of through `logger`, once each, with
   * the stack that opened them: an integer ≥ 1, in ms. Taking the stack costs some ten microseconds
   * a view. Default: never, and no stack is taken.
   */
  readonly maxViewAgeMs?: number | undefined
  /** Lets other processes attach through a socket in the directory. Default false. */
  readonly share?: boolean | undefined
  /** Where the store tells what it does. Default: silent. */
  readonly logger?: Logger | undefined
  /** Abort stops the opening (also a wait for the lock) and rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined
}
