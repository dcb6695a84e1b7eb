import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compareBytes } from '../base/bytes.ts'
import { TO_LAST_KEY } from '../mvcc/request.ts'
import type { KeySpan } from '../mvcc/request.ts'
import { effort, seed } from '../proptest/effort.ts'
import { IntervalTree } from './interval-tree.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

function span(start: string, end?: string): KeySpan {
  return { key: bytes(start), end: end === undefined ? undefined : bytes(end) }
}

function found(tree: IntervalTree<string>, key: string): string[] {
  const values: string[] = []
  tree.stab(bytes(key), (value) => values.push(value))
  return values.toSorted()
}

/** The naive list. */
function holds({ key: start, end }: KeySpan, key: Uint8Array): boolean {
  if (end === undefined) return compareBytes(start, key) === 0
  if (compareBytes(start, key) > 0) return false
  return compareBytes(end, TO_LAST_KEY) === 0 || compareBytes(key, end) < 0
}

describe('IntervalTree', () => {
  test('stab() finds a key alone, the ranges around it, and no others', () => {
    const tree = new IntervalTree<string>()
    tree.add(span('b'), 'key')
    tree.add(span('a', 'c'), 'around')
    tree.add(span('b', 'b\0'), 'just it')
    tree.add(span('c', 'd'), 'behind')
    tree.add(span('a', 'b'), 'before')
    tree.add({ key: bytes('a'), end: TO_LAST_KEY }, 'open')
    tree.add(span('c', 'a'), 'nothing')
    expect(found(tree, 'b')).toEqual(['around', 'just it', 'key', 'open'])
    expect(found(tree, 'a')).toEqual(['around', 'before', 'open'])
    expect(found(tree, 'zzz')).toEqual(['open'])
    expect(found(tree, '0')).toEqual([])
  })

  test('tells bytes apart that are no text', () => {
    const tree = new IntervalTree<string>()
    tree.add({ key: new Uint8Array([0xff, 0x80]), end: undefined }, 'high')
    tree.add({ key: new Uint8Array([0x7f]), end: new Uint8Array([0xff, 0x80]) }, 'below')
    const values: string[] = []
    tree.stab(new Uint8Array([0xff, 0x80]), (value) => values.push(value))
    tree.stab(new Uint8Array([0xff]), (value) => values.push(value))
    expect(values).toEqual(['high', 'below'])
  })

  test('remove() takes one value of a span and says whether it was there', () => {
    const tree = new IntervalTree<string>()
    for (const value of ['x', 'y']) tree.add(span('a', 'b'), value)
    expect(tree.remove(span('a', 'b'), 'x')).toBe(true)
    expect(tree.remove(span('a', 'b'), 'x')).toBe(false)
    expect(tree.remove(span('a', 'c'), 'y')).toBe(false)
    expect(tree.remove(span('a'), 'y')).toBe(false)
    expect([found(tree, 'a'), tree.size]).toEqual([['y'], 1])
    expect(tree.remove(span('a', 'b'), 'y')).toBe(true)
    expect([found(tree, 'a'), tree.size, tree.height]).toEqual([[], 0, 0])
  })

  test('stays balanced when ranges arrive and go in order', () => {
    const tree = new IntervalTree<number>()
    const spans = Array.from({ length: 4096 }, (_, i) => {
      const start = String(i).padStart(5, '0')
      return span(start, `${start}~`)
    })
    spans.forEach((each, i) => tree.add(each, i))
    expect(tree.height).toBeLessThanOrEqual(17)
    spans.slice(0, 4000).forEach((each, i) => tree.remove(each, i))
    expect(tree.height).toBeLessThanOrEqual(9)
  })

  test(`agrees with a list after any adding and removing, seed ${seed}`, () => {
    const key = fc.uint8Array({ minLength: 0, maxLength: 2 }).map((source) => {
      return source.map((byte) => byte % 4)
    })
    const wanted = fc.record({ key, end: fc.option(key, { nil: undefined }) })
    const step = fc.record({ span: wanted, value: fc.nat(3), isRemoval: fc.boolean() })
    const property = fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.array(key, { maxLength: 10 }),
      (steps, keys) => {
        const tree = new IntervalTree<string>()
        const list = new Map<string, { readonly span: KeySpan; readonly value: string }>()
        for (const each of steps) {
          const end = each.span.end === undefined ? 'alone' : each.span.end.join()
          const name = `${each.span.key.join()} ${end} ${each.value}`
          if (each.isRemoval) {
            expect(tree.remove(each.span, name)).toBe(list.delete(name))
          } else {
            tree.add(each.span, name)
            list.set(name, { span: each.span, value: name })
          }
          expect(tree.size).toBe(list.size)
        }
        for (const each of keys) {
          const values: string[] = []
          tree.stab(each, (value) => values.push(value))
          const expected = [...list.values()].filter((one) => holds(one.span, each))
          expect(values.toSorted()).toEqual(expected.map(({ value }) => value).toSorted())
        }
      },
    )
    fc.assert(property, { numRuns: effort({ smoke: 300, ci: 3000, soak: 100_000 }), seed })
  })
})
