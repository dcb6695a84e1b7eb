import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes } from '../base/bytes.ts'
import { Frames } from './frames.ts'
import { placeOfKey } from './key-place.ts'
import { NodeEditor } from './node.ts'
import { Page } from './page.ts'
import { UNKNOWN, childBySignpost, makeSignpost } from './signpost.ts'
import { branchIndex } from './tree.ts'

const frames = new Frames(4096)
const editor = new NodeEditor(frames, true)

function branchOf(keys: readonly Uint8Array[]): Page {
  const node = editor.make(false)
  keys.forEach((key, i) => editor.insertChild(node, i, key, new Page(0)))
  return node
}

function leafOf(keys: readonly Uint8Array[]): Page {
  const node = editor.make(true)
  keys.forEach((key, i) => editor.insertLeaf(node, i, key, new Uint8Array(1)))
  node.forgetHeads()
  return node
}

/** As the store has its rows: a number, high byte first, and what is the same in all. */
function revisionKey(main: number): Uint8Array {
  const key = Buffer.alloc(17)
  key.writeBigUInt64BE(BigInt(main))
  key[8] = 0x5f
  return key
}

/** Few different bytes, zeros among them, so that many keys begin alike or end within a head. */
const suffix = fc
  .array(fc.constantFrom(0, 1, 0x61, 0x7f, 0x80, 0xff), { maxLength: 9 })
  .map((bytes) => Uint8Array.from(bytes))

const shape = fc.record({
  prefix: fc.oneof(fc.uint8Array({ maxLength: 9 }), fc.constant(new Uint8Array(70).fill(7))),
  suffixes: fc.uniqueArray(suffix, { minLength: 2, maxLength: 60, size: 'max', selector: String }),
  others: fc.array(suffix, { maxLength: 20 }),
})

interface Probed {
  readonly keys: readonly Uint8Array[]
  readonly probes: readonly Uint8Array[]
}

const probed: fc.Arbitrary<Probed> = shape.map(({ prefix, suffixes, others }) => {
  const whole = (end: Uint8Array): Uint8Array => Buffer.concat([prefix, end])
  const keys = suffixes.map(whole).filter((key) => key.length > 0)
  const probes = [...keys, ...others, ...others.map(whole), prefix, new Uint8Array(0)]
  return { keys: keys.sort(compareBytes), probes }
})

describe('a signpost', () => {
  test('names the child that the page does, or none, whatever the keys share', () => {
    fc.assert(
      fc.property(probed, ({ keys, probes }) => {
        const branch = branchOf(keys)
        const post = makeSignpost(branch)
        for (const probe of probes) {
          const child = childBySignpost(post, probe)
          if (child !== UNKNOWN) expect(child).toBe(branchIndex(branch, probe))
        }
        editor.free(branch)
      }),
      { numRuns: 300 },
    )
  })

  test.each([
    ['evenly', (i: number): number => 1_000_000 + 27 * i],
    ['ever farther', (i: number): number => 1000 + i ** 4],
  ])('knows where each revision lies between children that lie %s', (_name, mainOf) => {
    const mains = Array.from({ length: 80 }, (_, i) => mainOf(i))
    const branch = branchOf(mains.map((main) => revisionKey(main)))
    const post = makeSignpost(branch)
    const childOf = (main: number): number => childBySignpost(post, revisionKey(main))
    expect(childOf(0)).toBe(0)
    expect(childOf(2 ** 40)).toBe(79)
    mains.slice(0, -1).forEach((main, i) => {
      if ((mains[i + 1] ?? 0) - main < 3) return
      expect(childOf(main + 1)).toBe(i)
      expect(childOf((mains[i + 1] ?? 0) - 1)).toBe(i)
    })
  })
})

describe('placeOfKey()', () => {
  test('finds the keys that are there and no others, without heads and with them', () => {
    fc.assert(
      fc.property(probed, ({ keys, probes }) => {
        const leaf = leafOf(keys)
        for (let round = 0; round < 3; round++) {
          for (const probe of probes) {
            const at = keys.findIndex((key) => compareBytes(key, probe) === 0)
            if (at >= 0) expect(placeOfKey(leaf, probe)).toBe(at)
            else expect(placeOfKey(leaf, probe)).toBeLessThan(0)
          }
        }
        editor.free(leaf)
      }),
      { numRuns: 300 },
    )
  })
})
