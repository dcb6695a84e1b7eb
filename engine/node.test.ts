import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Node } from './node.ts'
import { Page, pageFault } from './page.ts'

const PAGE_SIZE = 1024

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'))
}

function text(source: Uint8Array, start: number, size: number): string {
  return Buffer.from(source.slice(start, start + size)).toString('latin1')
}

function entriesOf(ref: Node | Page): [string, string, boolean][] {
  return Array.from({ length: ref.count }, (_, i) => [
    text(ref.bytes, ref.keyStart(i), ref.keySize(i)),
    text(ref.bytes, ref.valueStart(i), ref.valueSize(i)),
    ref.isBucket(i),
  ])
}

function put(node: Node, key: string, value: string): void {
  const index = node.search(bytes(key))
  if (index >= 0) node.replaceValue(index, bytes(value), false)
  else node.insertLeaf(~index, bytes(key), bytes(value), false)
}

/** The page that a leaf packs into. */
function pack(node: Node): Page {
  node.pgid = 9
  const pageCount = Math.ceil(node.packedSize() / PAGE_SIZE)
  const image = node.toRun(pageCount, PAGE_SIZE, [])
  const view = new DataView(image.buffer)
  const rules = { isInline: false, isStrict: true }
  expect(pageFault(image, view, { base: 0, sizeBytes: image.length }, rules)).toBeUndefined()
  return new Page(9, image, 0, image.length)
}

function leafOf(entries: Iterable<readonly [string, string]>): Node {
  const node = new Node(true)
  for (const [key, value] of entries) put(node, key, value)
  return node
}

describe('Node as a leaf', () => {
  const step = fc.record({
    kind: fc.constantFrom('put', 'put', 'put', 'remove', 'repack', 'split', 'lend'),
    key: fc.integer({ min: 0, max: 30 }).map((n) => `k${n}`),
    size: fc.oneof(fc.nat(20), fc.nat(600)),
  })

  test('is a sorted map through any edits, packs to what it holds, and leaves lent bytes alone', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
        let node = new Node(true)
        const model = new Map<string, string>()
        const lent: [Uint8Array, string][] = []
        steps.forEach(({ kind, key, size }, i) => {
          if (kind === 'put') {
            const value = String.fromCharCode(65 + (i % 26)).repeat(size)
            put(node, key, value)
            model.set(key, value)
          } else if (kind === 'remove') {
            const index = node.search(bytes(key))
            expect(index >= 0).toBe(model.delete(key))
            if (index >= 0) node.remove(index)
          } else if (kind === 'repack') {
            node = Node.fromPage(pack(node))
          } else if (kind === 'split' && node.count > 1) {
            const right = node.splitAt(1 + (size % (node.count - 1)))
            node.appendFrom(right, 0, right.count)
          } else if (kind === 'lend' && node.count > 0) {
            const index = size % node.count
            const start = node.valueStart(index)
            const view = node.bytes.subarray(start, start + node.valueSize(index))
            lent.push([view, text(view, 0, view.length)])
            node.isLent = true
          }
        })
        const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
        expect(entriesOf(node)).toEqual(expected.map(([k, v]) => [k, v, false]))
        expect(entriesOf(pack(node))).toEqual(entriesOf(node))
        const content = expected.reduce((sum, [k, v]) => sum + 16 + k.length + v.length, 16)
        expect(node.packedSize()).toBe(content)
        for (const [view, copy] of lent) expect(text(view, 0, view.length)).toBe(copy)
      }),
      { numRuns: 300 },
    )
  })

  test('a value may be replaced by a view of its own heap', () => {
    const node = leafOf([
      ['a', 'x'.repeat(3000)],
      ['b', 'y'.repeat(3000)],
    ])
    const start = node.valueStart(1)
    node.isLent = true
    node.replaceValue(0, node.bytes.subarray(start, start + 3000), false)
    for (let i = 0; i < 20; i++) {
      const from = node.valueStart(0)
      node.isLent = true
      node.replaceValue(1, node.bytes.subarray(from, from + 3000), false)
    }
    expect(entriesOf(node).map(([, value]) => value)).toEqual(['y'.repeat(3000), 'y'.repeat(3000)])
  })

  test('shrinks its heap when most of it is garbage', () => {
    const node = new Node(true)
    for (let i = 0; i < 1000; i++) put(node, 'a', 'x'.repeat(1000 + i))
    expect(node.bytes.length).toBeLessThan(20_000)
    expect(entriesOf(node)).toEqual([['a', 'x'.repeat(1999), false]])
  })

  test('isShrunk tells a node that lost bytes from one that only grew', () => {
    const node = Node.fromPage(pack(leafOf([['a', '11']])))
    expect(node.isShrunk).toBe(false)
    put(node, 'b', '')
    put(node, 'a', '111')
    expect(node.isShrunk).toBe(false)
    put(node, 'a', '1')
    expect(node.isShrunk).toBe(true)
    const other = Node.fromPage(pack(leafOf([['a', '11']])))
    other.remove(0)
    expect(other.isShrunk).toBe(true)
  })
})

describe('Node.splitIndex()', () => {
  const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(500), fc.nat(3000)), {
    minLength: 1,
    maxLength: 60,
  })

  test('leaves both sides their least, and the left one no larger than asked where it can', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 100, max: 1024 }), (valueSizes, target) => {
        const node = leafOf(valueSizes.map((size, i) => [`k${1000 + i}`, 'v'.repeat(size)]))
        const index = node.splitIndex(target)
        if (node.count < 2) {
          expect(index).toBeUndefined()
          return
        }
        expect(index).toBeGreaterThanOrEqual(1)
        expect(index).toBeLessThan(node.count)
        node.splitAt(index ?? 0)
        expect(node.count === 1 || node.packedSize() <= target).toBe(true)
      }),
    )
  })

  test('leaves a branch two children on each side, and refuses where it can not', () => {
    for (let count = 2; count < 12; count++) {
      const node = new Node(false)
      for (let i = 0; i < count; i++) node.insertChild(i, bytes(`k${10 + i}${'-'.repeat(400)}`), i)
      const index = node.splitIndex(512)
      if (count < 4) expect(index).toBeUndefined()
      else expect(index).toBe(2)
    }
  })
})

describe('Node as a branch', () => {
  test('leads to clean pages by pgid beyond 2^32, and to nodes by number', () => {
    const leaf = leafOf([['m', '']])
    leaf.pgid = 2 ** 40 + 5
    const branch = new Node(false)
    branch.insertChild(0, bytes('a'), 0)
    branch.insertChild(1, bytes('m'), 0)
    branch.pgid = 3
    const image = branch.toRun(1, PAGE_SIZE, [leaf])
    const again = Node.fromPage(new Page(3, image, 0, PAGE_SIZE))
    expect(again.childPgid(1)).toBe(2 ** 40 + 5)
    expect(again.childNode(1)).toBe(-1)
    again.setChildNode(1, 77)
    expect(again.childNode(1)).toBe(77)
    expect(again.childNode(0)).toBe(-1)
  })

  test('setSeparator() makes the key equal, larger or smaller, and keeps the child', () => {
    const branch = new Node(false)
    branch.insertChild(0, bytes('aaa'), 4)
    branch.insertChild(1, bytes('m'), 5)
    for (const key of ['b', 'bbbbbb', '', 'aaa']) {
      branch.setSeparator(0, bytes(key), 0, key.length)
      expect(Buffer.from(branch.key(0)).toString()).toBe(key)
      expect(branch.childNode(0)).toBe(4)
      expect(branch.packedSize()).toBe(16 + 2 * 16 + key.length + 1)
    }
  })

  test('packing a branch above a child without a page is a bug of ours', () => {
    const branch = new Node(false)
    branch.insertChild(0, bytes('a'), 0)
    branch.insertChild(1, bytes('b'), 0)
    expect(() => branch.toRun(1, PAGE_SIZE, [new Node(true)])).toThrow(/without a page/)
  })
})
