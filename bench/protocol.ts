/**
 * What a benchmark process is asked and what it answers, one JSON value a line. worker.ts speaks
 * it for the sides in Node, bbolt/main.go for bbolt.
 */

export const SIDE_NAMES = ['revbolt', 'bbolt', 'lmdb', 'sqlite', 'level', 'disk'] as const
export type SideName = (typeof SIDE_NAMES)[number]

export type Operation =
  /** Puts keys in durable transactions; the checksum is that of a scan afterwards, not timed. */
  | 'load'
  /** Reads every key; the value is lent. */
  | 'read-lent'
  /** Reads every key; the value is the caller's. */
  | 'read-owned'
  /** Visits every entry in order and asks for key and value. */
  | 'scan'
  /** As `scan`, and asks for nothing; the checksum is the count. */
  | 'scan-bare'
  /** For every key: seeks it, then takes steps; asks for key and value at each place. */
  | 'seek'
  /** Opens, reads one key, closes. */
  | 'open'
  /** Closes the files that reads left open. */
  | 'close'

/** `count` keys of a key file, from the key number `first`. */
export interface KeySlice {
  readonly file: string
  readonly first: number
  readonly count: number
}

export interface Command {
  readonly side: SideName
  readonly op: Operation
  readonly path: string
  readonly writable: boolean
  readonly keys?: KeySlice
  /** `load`: puts in a transaction. */
  readonly batch?: number
  /** `seek`: steps behind the sought key. */
  readonly steps?: number
  /** `open` and scans: how often; the checksum is the sum. Default 1. */
  readonly times?: number
}

export interface Answer {
  /** What was timed, in nanoseconds. */
  readonly ns: number
  /** Sum over what was read. Sides that read nothing have none. */
  readonly checksum?: number
  /** What went wrong; the other fields mean nothing then. */
  readonly error?: string
}
