/** The metas of a data file, read from its bytes. */
import { decodeMeta } from '../engine/meta.ts'
import type { Meta } from '../engine/meta.ts'

/** Those that can be read, newest first. `pageSizes`: which sizes the file's pages may have. */
export function metasOf(bytes: Uint8Array, pageSizes: readonly number[]): Meta[] {
  const metas: Meta[] = []
  for (const pageSizeBytes of pageSizes) {
    for (const slot of [0, 1] as const) {
      const reading = decodeMeta(bytes.subarray(slot * pageSizeBytes), 16, slot)
      if (!('meta' in reading) || reading.meta.pageSizeBytes !== pageSizeBytes) continue
      metas.push(reading.meta)
    }
  }
  return metas.sort((a, b) => b.txid - a.txid)
}
