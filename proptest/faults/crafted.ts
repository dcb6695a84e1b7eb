/**
 * Damage made on purpose: pages changed and sealed anew, so that only their meaning is wrong.
 */

import { META_MAGIC } from '../../engine/format.ts'
import { fnv1a64 } from '../../engine/meta.ts'
import { SEAL_MAGIC, sealRun } from '../../engine/seal.ts'
import { layoutsOf } from './damage.ts'
import type { RunLayout } from './damage.ts'

/** A copy of a file's bytes with ways to forge it. */
export class Forgery {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly pageSizeBytes: number

  constructor(bytes: Uint8Array, pageSizeBytes: number) {
    this.bytes = new Uint8Array(bytes)
    this.view = new DataView(this.bytes.buffer)
    this.pageSizeBytes = pageSizeBytes
  }

  layouts(): RunLayout[] {
    return layoutsOf(this.bytes, this.pageSizeBytes)
  }

  /** Where element `index` of a page begins. */
  element(layout: RunLayout, index: number): number {
    return layout.start + 16 + 16 * index
  }

  count(layout: RunLayout): number {
    return this.view.getUint16(layout.start + 10, true)
  }

  /** Gives a run the seal that its bytes now ask for, where it had one. */
  reseal({ start, end, contentEnd }: RunLayout): void {
    if (this.view.getUint32(end - 8, true) !== SEAL_MAGIC) return
    this.bytes.fill(0, end - 8, end)
    sealRun(this.bytes, this.view, start, contentEnd, end)
  }

  /** Takes all seals away: a file as bbolt writes it. */
  unseal(): this {
    for (const { contentEnd, end } of this.layouts()) this.bytes.fill(0, contentEnd, end)
    for (let start = 0; start < this.bytes.length; start += this.pageSizeBytes) {
      const isFreelist = this.view.getUint16(start + 8, true) === 0x10
      const end = start + this.pageSizeBytes
      if (isFreelist && this.view.getUint32(end - 8, true) === SEAL_MAGIC) {
        this.bytes.fill(0, end - 8, end)
      }
    }
    return this
  }

  setU64(offset: number, value: bigint): void {
    this.view.setBigUint64(offset, value, true)
  }

  /** The slot of the newest meta. */
  newestSlot(): 0 | 1 {
    const txid = (slot: number): bigint =>
      this.view.getBigUint64(slot * this.pageSizeBytes + 64, true)
    return txid(0) > txid(1) ? 0 : 1
  }

  /** Changes a field of a meta, `offset` as in its layout, and makes its checksum right. */
  setMeta(slot: 0 | 1, offset: number, value: bigint): void {
    const at = slot * this.pageSizeBytes + 16
    if (this.view.getUint32(at, true) !== META_MAGIC) throw new Error('crafted: no meta there')
    this.setU64(at + offset, value)
    const [low, high] = fnv1a64(this.bytes, at, at + 56)
    this.view.setUint32(at + 56, low, true)
    this.view.setUint32(at + 60, high, true)
  }

  /** Elements of leaves that are buckets with a page of their own: where their root pgid stands. */
  bucketRoots(): { readonly layout: RunLayout; readonly at: number }[] {
    const roots: { layout: RunLayout; at: number }[] = []
    for (const layout of this.layouts()) {
      if (!layout.isLeaf) continue
      for (let i = 0; i < this.count(layout); i++) {
        const e = this.element(layout, i)
        if (this.view.getUint32(e, true) !== 1) continue
        const at = e + this.view.getUint32(e + 4, true) + this.view.getUint32(e + 8, true)
        if (this.view.getBigUint64(at, true) !== 0n) roots.push({ layout, at })
      }
    }
    return roots
  }
}
