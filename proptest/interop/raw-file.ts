/**
 * A bbolt file's bytes, read and doctored without the engine: to see what a freelist names, and to
 * make files that are wrong in one place.
 *
 * Layouts are those of docs/file-format.md; ids are read as u32, which is enough for the files of
 * tests.
 */

import { readFileSync, writeFileSync } from 'node:fs'

const HEADER = 16
const ELEMENT = 16
const BRANCH = 1
const LEAF = 2
const TXID = HEADER + 48
const META_SIZE = 64
const NOT_PERSISTED = 0xffffffffffffffffn

/** One element of a page, by where its parts lie in the file. */
export interface RawElement {
  /** Where the element's 16 bytes begin. */
  readonly at: number
  readonly key: number
  readonly keySize: number
  readonly value: number
  readonly valueSize: number
  /** Of a branch: the page it leads to. */
  readonly child: number
}

/** One page that the newest root reaches. */
export interface RawPage {
  readonly id: number
  readonly isBranch: boolean
  readonly isRoot: boolean
  readonly elements: readonly RawElement[]
}

/** A file in memory. */
export class RawFile {
  readonly bytes: Buffer
  readonly pageSize: number
  /** Where the newest meta begins. */
  readonly meta: number

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.pageSize = bytes.readUInt32LE(HEADER + 8)
    const isFirstNewer = bytes.readUInt32LE(TXID) > bytes.readUInt32LE(this.pageSize + TXID)
    this.meta = (isFirstNewer ? 0 : this.pageSize) + HEADER
  }

  static read(path: string): RawFile {
    return new RawFile(readFileSync(path))
  }

  write(path: string): void {
    writeFileSync(path, this.bytes)
  }

  /** The free ids of the newest generation, ascending; undefined where the file keeps none. */
  freeIds(): number[] | undefined {
    if (this.bytes.readBigUInt64LE(this.meta + 32) === NOT_PERSISTED) return undefined
    const page = this.bytes.readUInt32LE(this.meta + 32) * this.pageSize
    let count = this.bytes.readUInt16LE(page + 10)
    let first = page + HEADER
    if (count === 0xffff) {
      count = this.bytes.readUInt32LE(first)
      first += 8
    }
    return Array.from({ length: count }, (_, i) => this.bytes.readUInt32LE(first + 8 * i))
  }

  /** All pages of all buckets, each bucket's root before what is below it. */
  pages(): RawPage[] {
    const found: RawPage[] = []
    const stack = [{ id: this.bytes.readUInt32LE(this.meta + 16), isRoot: true }]
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const page = this.page(top.id, top.isRoot)
      found.push(page)
      for (const { at, value, child } of page.elements) {
        if (page.isBranch) stack.push({ id: child, isRoot: false })
        else if (this.bytes.readUInt32LE(at) === 1 && this.bytes.readUInt32LE(value) !== 0) {
          stack.push({ id: this.bytes.readUInt32LE(value), isRoot: true })
        }
      }
    }
    return found
  }

  page(id: number, isRoot: boolean): RawPage {
    const start = id * this.pageSize
    const flags = this.bytes.readUInt16LE(start + 8)
    if (flags !== BRANCH && flags !== LEAF) throw new Error(`page ${id} has flags ${flags}`)
    const isBranch = flags === BRANCH
    const elements: RawElement[] = []
    for (let i = 0; i < this.bytes.readUInt16LE(start + 10); i++) {
      const at = start + HEADER + i * ELEMENT
      const field = isBranch ? at : at + 4
      const key = at + this.bytes.readUInt32LE(field)
      const keySize = this.bytes.readUInt32LE(field + 4)
      const valueSize = isBranch ? 0 : this.bytes.readUInt32LE(at + 12)
      const child = isBranch ? this.bytes.readUInt32LE(at + 8) : 0
      elements.push({ at, key, keySize, value: key + keySize, valueSize, child })
    }
    return { id, isBranch, isRoot, elements }
  }

  /**
   * Writes the run of `id` anew with its first `count` elements, packed, and nothing behind them:
   * no stray byte and no seal is left that could give the change away.
   */
  keepFirst(id: number, count: number): void {
    const start = id * this.pageSize
    const page = this.page(id, false)
    const kept = page.elements.slice(0, count)
    const data = kept.map((e) => Buffer.from(this.bytes.subarray(e.key, e.value + e.valueSize)))
    const heads = kept.map((e) => Buffer.from(this.bytes.subarray(e.at, e.at + ELEMENT)))
    const runSize = (1 + this.bytes.readUInt32LE(start + 12)) * this.pageSize
    this.bytes.fill(0, start + HEADER, start + runSize)
    this.bytes.writeUInt16LE(count, start + 10)
    let end = start + HEADER + count * ELEMENT
    for (const [i, head] of heads.entries()) {
      const at = start + HEADER + i * ELEMENT
      head.writeUInt32LE(end - at, page.isBranch ? 0 : 4)
      head.copy(this.bytes, at)
      const bytes = data[i] ?? Buffer.alloc(0)
      bytes.copy(this.bytes, end)
      end += bytes.length
    }
  }

  /**
   * Lowers the last byte of a key that does not end in zero, and clears what lies behind the
   * content.
   */
  lowerKey(id: number, element: number): void {
    const { elements } = this.page(id, false)
    this.keepFirst(id, elements.length)
    const found = this.page(id, false).elements[element]
    if (found === undefined) throw new Error(`page ${id} has no element ${element}`)
    const last = found.key + found.keySize - 1
    this.bytes.writeUInt8(this.bytes.readUInt8(last) - 1, last)
  }

  /** Makes the older meta unusable, so that it can't be fallen back to. */
  dropOlderMeta(): void {
    const older = this.meta === HEADER ? this.pageSize + HEADER : HEADER
    this.bytes.fill(0xff, older, older + META_SIZE)
  }
}
