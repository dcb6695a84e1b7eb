/**
 * What a side in Node can do. Every side has its own loops, so that no call in them is shared
 * with another side: shared loops would see several shapes, and the compiler would give up on
 * them.
 *
 * Whatever a side reads it touches: the first byte and the length of every key and value asked
 * for go into the checksum, which must be the same on all sides. That is spelled out in each loop
 * for the same reason: a function for it would see every side's kind of buffer.
 */

export const BUCKET = 'bench'

export interface PutWork {
  readonly keys: readonly Buffer[]
  /** To be indexed with a key's place mod their number. */
  readonly values: readonly Buffer[]
  /** Puts in a transaction. Each is durable when it returns. */
  readonly batch: number
}

export interface Side {
  open(path: string, writable: boolean): Promise<void> | void
  close(): Promise<void> | void
  load(work: PutWork): Promise<void> | void
  scan?(): Promise<number> | number
  scanBare?(): number
  readLent?(keys: readonly Buffer[]): number
  readOwned?(keys: readonly Buffer[]): number
  seek?(keys: readonly Buffer[], steps: number): number
}

export interface SideModule {
  readonly make: (options: SideOptions) => Side
}

export interface SideOptions {
  /** Memory that a side with a cache of its own may use for it, in bytes. */
  readonly cacheBytes: number
  /** More than the file will ever need, for sides that must know it. */
  readonly mapBytes: number
}

export function missing(key: Uint8Array): Error {
  return new Error(`key ${Buffer.from(key).toString('hex')} is missing`)
}

/** The side as it is between `open` and `close`. */
export function mustBeOpen<T>(handle: T | undefined): T {
  if (handle === undefined) throw new TypeError('side: it is not open')
  return handle
}

/** The value of a put. */
export function valueAt(work: PutWork, index: number): Buffer {
  return work.values[index % work.values.length] ?? Buffer.alloc(0)
}

/** The key of a put. */
export function keyAt(work: PutWork, index: number): Buffer {
  return work.keys[index] ?? Buffer.alloc(0)
}
