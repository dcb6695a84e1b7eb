import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Frames } from './frames.ts'
import { NodeEditor, childNode, splitIndex } from './node.ts'
import { Page, pageFault } from './page.ts'

const PAGE_SIZE = 1024

const editor = new NodeEditor(new Frames(PAGE_SIZE), true)

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'))
}

function text(source: Uint8Array, start: number, size: number): string {
  return Buffer.from(source.slice(start, start + size)).toString('latin1')
}

function entriesOf(page: Page): [string, string, boolean][] {
  return Array.from({ length: page.count }, (_, i) => [
    text(page.bytes, page.keyStart(i), page.keySize(i)),
    text(page.bytes, page.valueStart(i), page.valueSize(i)),
    page.isBucket(i),
  ])
}

function put(node: Page, key: string, value: string): void {
  const index = node.search(bytes(key))
  if (index >= 0) editor.replaceValue(node, index, bytes(value))
  else editor.insertLeaf(node, ~index, bytes(key), bytes(value))
}

/** The image that a node is written as, as a page of its own. */
function sealed(node: Page): Page {
  const pageCount = Math.ceil(node.packedSize() / PAGE_SIZE)
  editor.place(node, 9, pageCount)
  editor.seal(node)
  const image = node.bytes.slice(node.base, node.base + pageCount * PAGE_SIZE)
  const view = new DataView(image.buffer)
  const rules = { isInline: false, isStrict: true }
  expect(pageFault(image, view, { base: 0, sizeBytes: image.length }, rules)).toBeUndefined()
  return new Page(9, image, 0, image.length)
}

function leafOf(entries: Iterable<readonly [string, string]>): Page {
  const node = editor.make(true)
  for (const [key, value] of entries) put(node, key, value)
  return node
}

/** A branch above leaves of one key each. */
function branchOf(keys: readonly string[]): Page {
  const branch = editor.make(false)
  keys.forEach((key, i) => editor.insertChild(branch, i, bytes(key), leafOf([[key, '']])))
  return branch
}

describe('a node that is a leaf', () => {
  const step = fc.record({
    kind: fc.constantFrom('put', 'put', 'put', 'remove', 'repack', 'split'),
    key: fc.integer({ min: 0, max: 30 }).map((n) => `k${n}`),
    size: fc.oneof(fc.nat(20), fc.nat(600), fc.nat(5000)),
  })

  test.each([true, false])(
    'is a sorted map through any edits, and is sealed as what it holds (strict: %s)',
    (isStrict) => {
      const copier = new NodeEditor(editor.frames, isStrict)
      fc.assert(
        fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
          let node = editor.make(true)
          const model = new Map<string, string>()
          steps.forEach(({ kind, key, size }, i) => {
            if (kind === 'put') {
              const value = String.fromCharCode(65 + (i % 26)).repeat(size)
              put(node, key, value)
              model.set(key, value)
            } else if (kind === 'remove') {
              const index = node.search(bytes(key))
              expect(index >= 0).toBe(model.delete(key))
              if (index >= 0) editor.remove(node, index)
            } else if (kind === 'repack') {
              const page = sealed(node)
              editor.free(node)
              node = copier.fromPage(page)
            } else if (kind === 'split' && node.count > 1) {
              const right = editor.split(node, 1 + (size % (node.count - 1)))
              editor.append(node, right)
              editor.free(right)
            }
          })
          const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1))
          expect(entriesOf(node)).toEqual(expected.map(([k, v]) => [k, v, false]))
          const content = expected.reduce((sum, [k, v]) => sum + 16 + k.length + v.length, 16)
          expect(node.packedSize()).toBe(content)
          expect(entriesOf(sealed(node))).toEqual(entriesOf(node))
          editor.free(node)
        }),
        { numRuns: 150 },
      )
    },
  )

  test('a page with gaps between its keys is packed when it is copied', () => {
    const image = sealed(
      leafOf([
        ['a', '1'],
        ['b', '22'],
      ]),
    ).bytes
    const view = new DataView(image.buffer)
    // The second key and value move on by five bytes.
    image.copyWithin(16 + 32 + 2 + 5, 16 + 32 + 2, 16 + 32 + 5)
    view.setUint32(32 + 4, view.getUint32(32 + 4, true) + 5, true)
    const node = new NodeEditor(editor.frames, false).fromPage(new Page(9, image, 0, PAGE_SIZE))
    expect(entriesOf(node)).toEqual([
      ['a', '1', false],
      ['b', '22', false],
    ])
    expect(node.packedSize()).toBe(16 + 2 * 16 + 2 + 3)
  })

  test('leaves its frame when it outgrows it, and comes back when it is split', () => {
    const node = leafOf([['a', 'x'.repeat(700)]])
    expect(node.slab).toBeDefined()
    put(node, 'b', 'y'.repeat(700))
    expect(node.slab).toBeUndefined()
    const right = editor.split(node, 1)
    expect(node.slab).toBeDefined()
    expect(right.slab).toBeDefined()
    expect(entriesOf(node)).toEqual([['a', 'x'.repeat(700), false]])
    expect(entriesOf(right)).toEqual([['b', 'y'.repeat(700), false]])
  })

  test('isShrunk tells a node that lost bytes from one that only grew', () => {
    const node = editor.fromPage(sealed(leafOf([['a', '11']])))
    expect(node.isShrunk).toBe(false)
    put(node, 'b', '')
    put(node, 'a', '111')
    expect(node.isShrunk).toBe(false)
    put(node, 'a', '1')
    expect(node.isShrunk).toBe(true)
    const other = editor.fromPage(sealed(leafOf([['a', '11']])))
    editor.remove(other, 0)
    expect(other.isShrunk).toBe(true)
  })
})

describe('splitIndex()', () => {
  const sizes = fc.array(fc.oneof(fc.nat(40), fc.nat(500), fc.nat(3000)), {
    minLength: 1,
    maxLength: 60,
  })

  test('leaves both sides their least, and the left one no larger than asked where it can', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 100, max: 1024 }), (valueSizes, target) => {
        const node = leafOf(valueSizes.map((size, i) => [`k${1000 + i}`, 'v'.repeat(size)]))
        const index = splitIndex(node, target)
        if (node.count < 2) {
          expect(index).toBeUndefined()
          return
        }
        expect(index).toBeGreaterThanOrEqual(1)
        expect(index).toBeLessThan(node.count)
        editor.split(node, index ?? 0)
        expect(node.count === 1 || node.packedSize() <= target).toBe(true)
      }),
    )
  })

  test('leaves a branch two children on each side, and refuses where it can not', () => {
    for (let count = 2; count < 12; count++) {
      const keys = Array.from({ length: count }, (_, i) => `k${10 + i}${'-'.repeat(400)}`)
      const index = splitIndex(branchOf(keys), 512)
      if (count < 4) expect(index).toBeUndefined()
      else expect(index).toBe(2)
    }
  })
})

describe('a node that is a branch', () => {
  test('names its children by pgid once they are placed, beyond 2^32 too', () => {
    const branch = branchOf(['a', 'm'])
    const leaf = childNode(branch, 1)
    for (const kid of branch.kids ?? []) if (kid !== undefined) kid.pgid = 4
    if (leaf !== undefined) leaf.pgid = 2 ** 40 + 5
    const again = editor.fromPage(sealed(branch))
    expect(again.childPgid(0)).toBe(4)
    expect(again.childPgid(1)).toBe(2 ** 40 + 5)
    expect(childNode(again, 1)).toBeUndefined()
    const other = leafOf([['m', '']])
    editor.setChild(again, 1, other)
    expect(childNode(again, 1)).toBe(other)
    expect(childNode(again, 0)).toBeUndefined()
  })

  test('its children follow it through inserting, removing, splitting and joining', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 12, maxLength: 60 }), (choices) => {
        const branch = editor.make(false)
        const model: Page[] = []
        choices.forEach((choice, i) => {
          const at = choice % (model.length + 1)
          if (choice % 5 === 0 && model.length > 0) {
            editor.remove(branch, at % model.length)
            model.splice(at % model.length, 1)
          } else if (choice % 7 === 0 && model.length > 1) {
            const right = editor.split(branch, 1 + (at % (model.length - 1)))
            for (const part of [branch, right]) {
              part.kids?.forEach((kid, k) => expect(kid?.linkKids?.[k]).toBe(kid))
            }
            editor.append(branch, right)
          } else {
            const child = leafOf([[`k${i}`, '']])
            editor.insertChild(branch, at, bytes(`k${i}`), child)
            model.splice(at, 0, child)
          }
        })
        expect(branch.count).toBe(model.length)
        expect(branch.kids).toEqual(model)
        model.forEach((child, i) => expect(branch.key(i)).toEqual(child.key(0)))
        for (const child of model) expect(child.linkKids).toBe(branch.kids)
      }),
    )
  })

  test('setSeparator() makes the key equal, larger or smaller, and keeps the child', () => {
    const branch = branchOf(['aaa', 'm'])
    const child = childNode(branch, 0)
    for (const key of ['b', 'bbbbbb', 'ba', 'aaa']) {
      editor.setSeparator(branch, 0, leafOf([[key, '']]))
      expect(Buffer.from(branch.key(0)).toString()).toBe(key)
      expect(childNode(branch, 0)).toBe(child)
      expect(branch.packedSize()).toBe(16 + 2 * 16 + key.length + 1)
      expect(branch.search(bytes('m'))).toBe(1)
    }
  })

  test('sealing a branch above a child without a page is a bug of ours', () => {
    const branch = branchOf(['a', 'b'])
    editor.place(branch, 9, 1)
    expect(() => editor.seal(branch)).toThrow(/without a page/)
  })
})
