/**
 * The hash of a key, for the key table: multiplications and shifts over four bytes at a time, as in
 * the mixers of the Murmur family. Another seed gives another hash for the same key.
 */

/** A hash of `bytes[start, end)`; below 2^32, all bits alike. */
export function hashOf(bytes: Uint8Array, start: number, end: number, seed: number): number {
  let hash = seed ^ Math.imul(end - start, 0x9e3779b1)
  let at = start
  for (; at + 4 <= end; at += 4) {
    const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8)
    const high = (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8)
    hash = Math.imul(hash ^ (low | (high << 16)), 0x85ebca6b)
    hash ^= hash >>> 15
  }
  for (; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0xc2b2ae35)
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x7feb352d)
  hash ^= hash >>> 15
  hash = Math.imul(hash, 0x846ca68b)
  return (hash ^ (hash >>> 16)) >>> 0
}
