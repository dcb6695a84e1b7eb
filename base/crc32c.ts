/**
 * CRC-32C (Castagnoli), as etcd sums history by: reflected, polynomial 0x1edc6f41, initial value
 * and final exclusive-or 0xffffffff. (Node's zlib has the other CRC-32 only.)
 *
 * Eight bytes at a time through eight tables of 256: table k says what a byte comes to that k more
 * bytes follow. Of signed numbers, for the others are no integers to the machine: together a third
 * faster than four tables of unsigned ones. Sixteen tables are no faster.
 */

const POLYNOMIAL = 0x82f63b78
const STRIDE = 8

const TABLES: Int32Array = makeTables()

function makeTables(): Int32Array {
  const tables = new Int32Array(STRIDE * 256)
  for (let byte = 0; byte < 256; byte++) {
    let sum = byte
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1
    tables[byte] = sum
  }
  for (let at = 256; at < tables.length; at++) {
    const sum = tables[at - 256] as number
    tables[at] = (sum >>> 8) ^ (tables[sum & 0xff] as number)
  }
  return tables
}

/** Goes on with the checksum `sum` of what came before; 0: nothing did. Unsigned. */
export function crc32c(bytes: Uint8Array, sum = 0): number {
  const t = TABLES
  let rest = ~sum
  let at = 0
  for (const end = bytes.length - STRIDE + 1; at < end; at += STRIDE) {
    rest =
      (t[1792 + ((rest ^ (bytes[at] as number)) & 0xff)] as number) ^
      (t[1536 + (((rest >>> 8) ^ (bytes[at + 1] as number)) & 0xff)] as number) ^
      (t[1280 + (((rest >>> 16) ^ (bytes[at + 2] as number)) & 0xff)] as number) ^
      (t[1024 + ((rest >>> 24) ^ (bytes[at + 3] as number))] as number) ^
      (t[768 + (bytes[at + 4] as number)] as number) ^
      (t[512 + (bytes[at + 5] as number)] as number) ^
      (t[256 + (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number)
  }
  for (; at < bytes.length; at++) {
    rest = (rest >>> 8) ^ (t[(rest ^ (bytes[at] as number)) & 0xff] as number)
  }
  return ~rest >>> 0
}
