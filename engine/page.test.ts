import { describe, expect, test } from 'vitest'
import { DB_PATH, openInMemory } from '../proptest/engine/memory-engine.ts'
import fc from 'fast-check'
import { compareBytes } from '../base/bytes.ts'
import { Frames } from './frames.ts'
import { NodeEditor } from './node.ts'
import { Page, pageFault } from './page.ts'
import type { PageFaultCode } from './page.ts'

const PAGE_SIZE = 1024

function fromHex(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replace(/[ |]/g, ''), 'hex'))
}

function text(bytes: string): Uint8Array {
  return Uint8Array.from(Buffer.from(bytes, 'latin1'))
}

/** bbolt's own bytes: page 4 with bucket "bk", sequence 7, a → 1, bb → 22, inline. */
const GOLDEN_LEAF = fromHex(
  `0400000000000000 0200 0100 00000000 | 01000000 10000000 02000000 46000000 | 626b
   | 0000000000000000 0700000000000000 | 0000000000000000 0200 0200 00000000
   | 00000000 20000000 01000000 01000000 | 00000000 12000000 02000000 02000000
   | 61 31 6262 3232`.replace(/\s/g, ''),
)

const editor = new NodeEditor(new Frames(PAGE_SIZE), true)

function imageOf(node: Page): Uint8Array {
  editor.place(node, node.pgid, 1)
  editor.seal(node)
  return node.bytes.slice(node.base, node.base + PAGE_SIZE)
}

function leafOf(keys: readonly string[], value = 'v'): Uint8Array {
  const node = editor.make(true)
  keys.forEach((key, i) => editor.insertLeaf(node, i, text(key), text(value)))
  node.pgid = 7
  return imageOf(node)
}

function branchOf(keys: readonly string[]): Uint8Array {
  const node = editor.make(false)
  keys.forEach((key, i) => {
    const child = editor.make(true)
    editor.insertLeaf(child, 0, text(key), text(''))
    child.pgid = 20 + i
    editor.insertChild(node, i, text(key), child)
  })
  node.pgid = 8
  return imageOf(node)
}

/** The page without its seal, as another writer would have left it, with `change` made to it. */
function changed(image: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const bytes = image.slice()
  bytes.fill(0, bytes.length - 8)
  change(new DataView(bytes.buffer))
  return bytes
}

function faultOf(bytes: Uint8Array, isStrict = true): PageFaultCode | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const range = { base: 0, sizeBytes: bytes.length }
  return pageFault(bytes, view, range, { isInline: false, isStrict })?.code
}

describe('the page as bbolt writes it', () => {
  test('a leaf with an inline bucket is byte for byte the golden one', async () => {
    const { engine, disk } = await openInMemory()
    engine.update((tx) => {
      const bucket = tx.createBucket('bk')
      bucket.setSequence(7)
      bucket.put('a', '1')
      bucket.put('bb', '22')
    })
    const { rootPgid } = engine.core.meta
    await engine.close()
    const at = rootPgid * PAGE_SIZE
    const page = disk.readFile(DB_PATH).subarray(at, at + GOLDEN_LEAF.length)
    const expected = GOLDEN_LEAF.slice()
    expected[0] = rootPgid
    expect(Buffer.from(page).toString('hex')).toBe(Buffer.from(expected).toString('hex'))
  })

  test('the golden leaf is read: bucket, sequence and entries', () => {
    const bytes = new Uint8Array(PAGE_SIZE)
    bytes.set(GOLDEN_LEAF)
    expect(faultOf(bytes)).toBeUndefined()
    const page = new Page(4, bytes, 0, PAGE_SIZE)
    expect(page.isLeaf).toBe(true)
    expect(page.count).toBe(1)
    expect(page.isBucket(0)).toBe(true)
    expect(page.keySize(0)).toBe(2)
    expect(page.valueSize(0)).toBe(0x46)
    expect(page.contentEnd()).toBe(GOLDEN_LEAF.length)
    const inner = new Page(0, bytes, page.valueStart(0) + 16, 0x46 - 16)
    expect(inner.count).toBe(2)
    const start = inner.valueStart(1)
    expect(Buffer.from(bytes.subarray(start, start + inner.valueSize(1))).toString()).toBe('22')
  })

  test('a branch element is pos, key size, child; the pos counts from the element', () => {
    const bytes = branchOf(['aa', 'b'])
    expect(Buffer.from(bytes.subarray(0, 51)).toString('hex')).toBe(
      '0800000000000000' +
        '01000200' +
        '00000000' +
        '20000000' +
        '02000000' +
        '1400000000000000' +
        '12000000' +
        '01000000' +
        '1500000000000000' +
        '616162',
    )
    const page = new Page(8, bytes, 0, PAGE_SIZE)
    expect(page.childPgid(0)).toBe(20)
    expect(page.childPgid(1)).toBe(21)
  })
})

describe('Page.search()', () => {
  test('finds each key, and the place of each key that is not there', () => {
    const keys = Array.from({ length: 40 }, (_, i) => `k${String(i).padStart(2, '0')}`)
    for (const image of [leafOf(keys), branchOf(keys.slice(0, 30))]) {
      const page = new Page(7, image, 0, PAGE_SIZE)
      for (let i = 0; i < page.count; i++) {
        expect(page.search(text(keys[i] ?? ''))).toBe(i)
        expect(page.search(text(`${keys[i]}\0`))).toBe(~(i + 1))
      }
      expect(page.search(text(''))).toBe(~0)
      expect(page.search(text('\xff'))).toBe(~page.count)
    }
  })

  test('agrees with looking at every key, whatever the keys share and however many there are', () => {
    const frames = new Frames(4096)
    const wide = new NodeEditor(frames, true)
    const letters = fc.constantFrom(0, 1, 0x61, 0x7f, 0x80, 0xff)
    const tail = fc.uint8Array({ maxLength: 6 }).map((bytes) => bytes.map((b) => b & 0x81))
    const key = fc
      .tuple(fc.array(letters, { maxLength: 3 }), tail)
      .map(([a, b]) => Uint8Array.from([...a, ...b]))
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 9 }),
        fc.uniqueArray(key, {
          maxLength: 150,
          size: 'max',
          comparator: (a, b) => compareBytes(a, b) === 0,
        }),
        fc.array(key, { maxLength: 20 }),
        fc.boolean(),
        (prefix, suffixes, others, isLeaf) => {
          const whole = (suffix: Uint8Array): Uint8Array => Buffer.concat([prefix, suffix])
          const keys = suffixes
            .map(whole)
            .filter((k) => k.length > 0)
            .sort(compareBytes)
          const node = wide.make(isLeaf)
          keys.forEach((k, i) => {
            if (isLeaf) wide.insertLeaf(node, i, k, prefix)
            else wide.insertChild(node, i, k, new Page(0))
          })
          node.forgetHeads()
          const probes = [...keys, ...others, ...others.map(whole), prefix, new Uint8Array(0)]
          for (const probe of probes) {
            const at = keys.findIndex((k) => compareBytes(k, probe) >= 0)
            const place = at < 0 ? keys.length : at
            const isThere = at >= 0 && compareBytes(keys[at] ?? probe, probe) === 0
            // Without heads and with them.
            expect(node.search(probe)).toBe(isThere ? place : ~place)
            expect(node.search(probe)).toBe(isThere ? place : ~place)
          }
          wide.free(node)
        },
      ),
      { numRuns: 400 },
    )
  })

  test('orders bytes unsigned, a prefix first', () => {
    const page = new Page(7, leafOf(['\x00', '\x00\x00', '\x7f', '\x80', '\xff']), 0, PAGE_SIZE)
    expect(faultOf(page.bytes)).toBeUndefined()
    expect(page.search(text('\x80'))).toBe(3)
  })
})

describe('pageFault()', () => {
  const leaf = leafOf(['a', 'b', 'c'])
  const branch = branchOf(['a', 'b', 'c'])

  test('finds nothing in sound pages, sealed or not', () => {
    for (const image of [leaf, branch]) {
      expect(faultOf(image)).toBeUndefined()
      expect(faultOf(changed(image, () => {}))).toBeUndefined()
      expect(faultOf(image, false)).toBeUndefined()
    }
  })

  test.each<[string, PageFaultCode, Uint8Array]>([
    ['a type that is none', 'page-type', changed(leaf, (v) => v.setUint16(8, 3, true))],
    ['a meta page', 'page-type', changed(leaf, (v) => v.setUint16(8, 4, true))],
    ['more elements than fit', 'page-count', changed(leaf, (v) => v.setUint16(10, 64, true))],
    ['65535 elements', 'page-count', changed(leaf, (v) => v.setUint16(10, 0xffff, true))],
    ['one child', 'branch-children', changed(branch, (v) => v.setUint16(10, 1, true))],
    ['no child', 'branch-children', changed(branch, (v) => v.setUint16(10, 0, true))],
    ['a gap', 'page-packing', changed(leaf, (v) => v.setUint32(20, 49, true))],
    ['an overlap', 'page-packing', changed(leaf, (v) => v.setUint32(36, 33, true))],
    ['a pos before the elements', 'page-packing', changed(leaf, (v) => v.setUint32(20, 0, true))],
    ['a pos of 4 GiB', 'page-packing', changed(leaf, (v) => v.setUint32(20, 0xffffffff, true))],
    ['an empty key', 'page-element', changed(leaf, (v) => v.setUint32(24, 0, true))],
    ['an unknown flag', 'page-element', changed(leaf, (v) => v.setUint32(16, 2, true))],
    ['a bucket of one byte', 'page-element', changed(leaf, (v) => v.setUint32(16, 1, true))],
    ['a value of 4 GiB', 'page-packing', changed(leaf, (v) => v.setUint32(60, 0xffffffff, true))],
    ['keys out of order', 'page-order', changed(leaf, (v) => v.setUint8(64, 0x7a))],
    ['a key twice', 'page-order', changed(leaf, (v) => v.setUint8(64, 0x62))],
    ['stray bytes in its tail', 'page-seal', changed(leaf, (v) => v.setUint8(500, 1))],
  ])('finds %s', (_, code, bytes) => {
    expect(faultOf(bytes)).toBe(code)
  })

  test('finds a byte of a key or value that flipped under the seal', () => {
    for (let at = 0; at < leaf.length; at++) {
      // The overflow count is believed before the page is; whoever reads a run checks the id.
      if (at >= 12 && at < 16) continue
      const bytes = leaf.slice()
      bytes[at] = (bytes[at] ?? 0) ^ 0x10
      expect(faultOf(bytes), `byte ${at}`).toBeDefined()
    }
  })

  test('never reads outside the run, whatever the header says', () => {
    let state = 12345
    for (let round = 0; round < 3000; round++) {
      const bytes = (round % 2 === 0 ? leaf : branch).slice()
      bytes.fill(0, 1016)
      for (let i = 0; i < 4; i++) {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0
        bytes[8 + ((state >>> 8) % 70)] = state & 0xff
      }
      for (const isStrict of [true, false]) expect(() => faultOf(bytes, isStrict)).not.toThrow()
    }
  })

  test('lets gaps and stray tails pass within bounds, never an overlap', () => {
    expect(
      faultOf(
        changed(leaf, (v) => v.setUint8(500, 1)),
        false,
      ),
    ).toBeUndefined()
    expect(
      faultOf(
        changed(leaf, (v) => v.setUint32(36, 33, true)),
        false,
      ),
    ).toBe('page-packing')
    expect(
      faultOf(
        changed(leaf, (v) => v.setUint8(64, 0x7a)),
        false,
      ),
    ).toBe('page-order')
  })
})
