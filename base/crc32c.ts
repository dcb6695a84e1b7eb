/**
 * CRC-32C (Castagnoli), as etcd sums history by: reflected, polynomial 0x1edc6f41, initial value
 * and final exclusive-or 0xffffffff. (Node's zlib has the other CRC-32 only.)
 *
 * Four bytes at a time through four tables: table k says what a byte comes to that k more bytes
 * follow.
 */

const POLYNOMIAL = 0x82f63b78

const TABLES: readonly Uint32Array[] = makeTables()

function makeTables(): Uint32Array[] {
  const first = new Uint32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1
    first[byte] = sum
  }
  const tables = [first]
  for (let k = 1; k < 4; k++) {
    const before = tables[k - 1] as Uint32Array
    tables.push(before.map((sum) => (sum >>> 8) ^ (first[sum & 0xff] as number)))
  }
  return tables
}

const [T0, T1, T2, T3] = TABLES as readonly [Uint32Array, Uint32Array, Uint32Array, Uint32Array]

/** Goes on with the checksum `sum` of what came before; 0: nothing did. Unsigned. */
export function crc32c(bytes: Uint8Array, sum = 0): number {
  let rest = ~sum
  let at = 0
  for (const end = bytes.length - 3; at < end; at += 4) {
    rest ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    rest =
      (T3[rest & 0xff] as number) ^
      (T2[(rest >>> 8) & 0xff] as number) ^
      (T1[(rest >>> 16) & 0xff] as number) ^
      (T0[rest >>> 24] as number)
  }
  for (; at < bytes.length; at++) {
    rest = (rest >>> 8) ^ (T0[(rest ^ (bytes[at] as number)) & 0xff] as number)
  }
  return ~rest >>> 0
}
