/**
 * Copies of short byte ranges, made quickly: out of a shared pool, as `Buffer.from` does it.
 *
 * A buffer of its own costs a microsecond and the garbage collector's attention; a place in a pool
 * costs the copy. Whoever keeps one copy keeps the pool that it stands in, 8 KiB.
 */

const POOL_SIZE = 8192
/** Longer copies get a buffer of their own. */
const POOLED_SIZE_MAX = POOL_SIZE >>> 3
/** Longer ranges are copied by the system's routine. */
const LOOP_SIZE_MAX = 256

let pool = new ArrayBuffer(POOL_SIZE)
let poolBytes = new Uint8Array(pool)
let poolView = new DataView(pool)
let poolUsed = 0

/** Bytes and a DataView of the very same memory. */
export interface BytesAndView {
  readonly bytes: Uint8Array
  readonly view: DataView
}

/** A copy of `[start, end)`, owned by the caller. */
export function copyRange(source: BytesAndView, start: number, end: number): Uint8Array {
  const size = end - start
  if (size > POOLED_SIZE_MAX) return source.bytes.slice(start, end)
  if (poolUsed + size > POOL_SIZE) {
    pool = new ArrayBuffer(POOL_SIZE)
    poolBytes = new Uint8Array(pool)
    poolView = new DataView(pool)
    poolUsed = 0
  }
  const at = poolUsed
  poolUsed += (size + 7) & ~7
  if (size > LOOP_SIZE_MAX) {
    poolBytes.set(source.bytes.subarray(start, end), at)
  } else {
    const { view, bytes } = source
    let i = 0
    for (; i + 4 <= size; i += 4) poolView.setInt32(at + i, view.getInt32(start + i, true), true)
    for (; i < size; i++) poolBytes[at + i] = bytes[start + i] as number
  }
  return new Uint8Array(pool, at, size)
}
