import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { IndexPruner } from './index-pruner.ts'
import { KeyIndex } from './key-index.ts'
import type { KeyIndexMemory, KeyIndexOptions } from './key-index.ts'
import { KeyState, VERSION_MAX } from './key-records.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (key: Uint8Array): string => new TextDecoder().decode(key)

interface Seen {
  readonly key: string
  readonly main: number
  readonly sub: number
  readonly create: number
  readonly version: number
}

function seen(key: string, state: KeyState): Seen {
  return {
    key,
    main: state.modMain,
    sub: state.modSub,
    create: state.createMain,
    version: state.version,
  }
}

function get(index: KeyIndex, key: string, main: number): Seen | undefined {
  const state = new KeyState()
  return index.get(bytes(key), main, state) ? seen(key, state) : undefined
}

function range(
  index: KeyIndex,
  main: number,
  options: { start?: string; end?: string; isDescending?: boolean } = {},
): Seen[] {
  const { start = '', end, isDescending = false } = options
  const cursor = index.cursor({
    start: bytes(start),
    end: end === undefined ? undefined : bytes(end),
    isDescending,
  })
  const state = new KeyState()
  const found: Seen[] = []
  while (cursor.next()) {
    if (index.load(cursor.record, main, state)) found.push(seen(text(cursor.key), state))
  }
  return found
}

function history(index: KeyIndex, key: string): Seen[] {
  const found: Seen[] = []
  index.forEachRevision(bytes(key), (state) => {
    found.push(seen(key, state))
    return true
  })
  return found
}

/** The reference: for each key the list of its revisions, oldest first. */
class Model {
  keys: Map<string, Seen[]> = new Map()

  copy(): Model {
    const copy = new Model()
    for (const [key, revisions] of this.keys) copy.keys.set(key, [...revisions])
    return copy
  }

  put(key: string, main: number, sub: number): void {
    const revisions = this.keys.get(key) ?? []
    const last = revisions.at(-1)
    const isNew = last === undefined || last.version === 0
    revisions.push(
      isNew
        ? { key, main, sub, create: main, version: 1 }
        : { key, main, sub, create: last.create, version: last.version + 1 },
    )
    this.keys.set(key, revisions)
  }

  /** What a compaction to `main` leaves. */
  prune(main: number): void {
    for (const [key, revisions] of this.keys) {
      const last = revisions.findLastIndex((revision) => revision.main <= main)
      const newest = revisions[last]
      if (newest === undefined) continue
      const isKept = newest.version > 0 || newest.main === main
      const left = revisions.slice(isKept ? last : last + 1)
      if (left.length > 0) this.keys.set(key, left)
      else this.keys.delete(key)
    }
  }

  tombstone(key: string, main: number, sub: number): void {
    this.keys.get(key)?.push({ key, main, sub, create: 0, version: 0 })
  }

  get(key: string, main: number): Seen | undefined {
    const last = this.keys.get(key)?.findLast((revision) => revision.main <= main)
    return last === undefined || last.version === 0 ? undefined : last
  }

  range(main: number, start = '', end?: string): Seen[] {
    return [...this.keys.keys()]
      .filter((key) => key >= start && (end === undefined || key < end))
      .toSorted()
      .flatMap((key) => this.get(key, main) ?? [])
  }
}

type Step =
  | { readonly type: 'put' | 'delete'; readonly key: string }
  | { readonly type: 'next' | 'mark' | 'undo' | 'forget' }
  /** Pruned to so many revisions before the current one. */
  | { readonly type: 'prune'; readonly back: number }

const letters = fc.constantFrom('a', 'b', 'c')
/** Some begin alike, and some go on with zeros, where heads of keys don't tell them apart. */
const key = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: letters, minLength: 1, maxLength: 5 }) },
  {
    weight: 2,
    arbitrary: fc
      .string({ unit: fc.constantFrom('a', 'b', '\0'), maxLength: 6 })
      .map((rest) => `bbbb/${rest}`),
  },
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ type: fc.constant('put' as const), key }) },
  { weight: 5, arbitrary: fc.record({ type: fc.constant('delete' as const), key }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('next' as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom('mark', 'undo', 'forget') }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('prune' as const), back: fc.nat(20) }),
  },
)

/**
 * Runs steps on an index with small nodes and on the model, comparing after each undo and at the
 * end.
 */
function run(steps: readonly Step[], leafMax: number, branchMax: number): void {
  const index = new KeyIndex({ leafMax, branchMax, segmentSlots: 8, seed: leafMax })
  let model = new Model()
  let marked = { mark: 0, model: model.copy() }
  let main = 2
  let sub = 0
  let pruned = 0
  for (const each of steps) {
    switch (each.type) {
      case 'put': {
        const state = new KeyState()
        index.put(bytes(each.key), main, sub, state)
        model.put(each.key, main, sub++)
        expect(seen(each.key, state)).toEqual(model.get(each.key, main))
        break
      }
      case 'delete':
        if (model.get(each.key, main) === undefined) break
        index.tombstone(bytes(each.key), main, sub)
        model.tombstone(each.key, main, sub++)
        break
      case 'next':
        main++
        sub = 0
        break
      case 'mark':
        marked = { mark: index.changeCount, model: model.copy() }
        break
      case 'forget':
        index.forget()
        marked = { mark: 0, model: model.copy() }
        break
      case 'prune': {
        index.forget()
        pruned = Math.max(pruned, main - each.back)
        const pruner = new IndexPruner(index, pruned)
        while (!pruner.step(3));
        model.prune(pruned)
        marked = { mark: 0, model: model.copy() }
        same(index, model, main, pruned)
        break
      }
      case 'undo':
        index.undo(marked.mark)
        model = marked.model.copy()
        same(index, model, main, pruned)
    }
  }
  same(index, model, main, pruned)
  same(loaded(model, { leafMax, branchMax, segmentSlots: 8 }), model, main, pruned)
}

/** An index that was loaded from rows, as a store does when it is opened. */
function loaded(model: Model, options: KeyIndexOptions): KeyIndex {
  const index = new KeyIndex(options)
  const state = new KeyState()
  const rows = [...model.keys.values()]
    .flat()
    .toSorted((a, b) => (a.main === b.main ? a.sub - b.sub : a.main - b.main))
  for (const row of rows) {
    state.set(row.main, row.sub, row.create, row.version)
    expect(index.restore(bytes(row.key), state)).toBeUndefined()
    expect(get(index, row.key, row.main)?.version ?? 0).toBe(row.version)
  }
  for (const _ of index.build());
  return index
}

/** `pruned`: what is older can't be read. */
function same(index: KeyIndex, model: Model, main: number, pruned: number): void {
  index.verify()
  expect(index.keyCount).toBe(model.keys.size)
  expect(index.liveCount).toBe(model.range(main).length)
  expect(index.countLive(bytes(''), undefined, main)).toBe(model.range(main).length)
  let revisionCount = 0
  expect(get(index, 'no such key', main)).toBeUndefined()
  for (const [key, revisions] of model.keys) {
    revisionCount += revisions.length
    expect(history(index, key)).toEqual(revisions.toReversed())
    for (let at = pruned; at <= main; at += 3)
      expect(get(index, key, at)).toEqual(model.get(key, at))
  }
  expect(index.revisionCount).toBe(revisionCount)
  for (let at = Math.max(1, pruned); at <= main; at += 5) {
    expect(range(index, at)).toEqual(model.range(at))
    expect(range(index, at, { isDescending: true })).toEqual(model.range(at).toReversed())
    for (const [start, end] of [
      ['ab', 'b'],
      ['b', 'b'],
      ['c', 'a'],
      ['', 'bb'],
      ['ca', 'zz'],
      ['zz', undefined],
    ] as const) {
      const options = { start, ...(end === undefined ? {} : { end }) }
      const expected = model.range(at, start, end)
      const count = index.countLive(bytes(start), end === undefined ? undefined : bytes(end), at)
      if (count !== undefined) expect(count).toBe(expected.length)
      expect(range(index, at, options)).toEqual(expected)
      expect(range(index, at, { ...options, isDescending: true })).toEqual(expected.toReversed())
    }
  }
}

describe('KeyIndex', () => {
  test('agrees with the model after any puts, tombstones, undos and prunes', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200, size: 'max' }),
        fc.constantFrom(2, 3, 5),
        fc.constantFrom(3, 4),
        run,
      ),
      { numRuns: 60 },
    )
  })

  test('before() finds the revision that another one supersedes', () => {
    const index = new KeyIndex()
    const state = new KeyState()
    const k = bytes('k')
    for (let main = 2; main < 600; main += 2) {
      index.put(k, main, 0, state)
      index.put(k, main, 3, state)
    }
    const before = (main: number, sub: number): [number, number] | undefined =>
      index.before(k, main, sub, state) ? [state.modMain, state.modSub] : undefined
    expect(before(2, 0)).toBeUndefined()
    expect(before(2, 3)).toEqual([2, 0])
    expect(before(4, 0)).toEqual([2, 3])
    expect(before(300, 3)).toEqual([300, 0])
    expect(before(300, 0)).toEqual([298, 3])
    expect(before(598, 3)).toEqual([598, 0])
    expect(before(700, 0)).toEqual([598, 3])
    expect(index.before(bytes('l'), 700, 0, state)).toBe(false)
  })

  test('a key has its creation when the revision that made it is pruned', () => {
    const index = new KeyIndex()
    const state = new KeyState()
    const k = bytes('k')
    for (const main of [2, 3, 4]) index.put(k, main, 0, state)
    index.tombstone(k, 5, 0)
    for (const main of [6, 7, 8]) index.put(k, main, 0, state)
    index.forget()
    new IndexPruner(index, 7).step(10)
    expect(history(index, 'k').map(({ main, create }) => [main, create])).toEqual([
      [8, 6],
      [7, 6],
    ])
  })

  test('a long history is pruned bit by bit, and goes on growing', () => {
    const index = new KeyIndex()
    const state = new KeyState()
    const k = bytes('k')
    const other = bytes('other')
    for (let main = 2; main < 4000; main++) index.put(k, main, 0, state)
    index.forget()
    for (let pruned = 2; pruned < 3990; pruned += 37) {
      const pruner = new IndexPruner(index, pruned)
      while (!pruner.step(10));
      // What was released is used by another key, whose revisions differ.
      index.put(other, 5000 + pruned, 7, state)
      index.put(other, 5000 + pruned, 8, state)
      index.put(k, 5000 + pruned, 0, state)
      index.forget()
      for (const main of [pruned, pruned + 1, pruned + 40, 3999]) {
        expect(index.get(k, main, state)).toBe(true)
        expect([state.modMain, state.createMain]).toEqual([Math.min(main, 3999), 2])
      }
    }
    const revisions = history(index, 'k').map(({ main }) => main)
    expect(revisions).toEqual(revisions.toSorted((a, b) => b - a))
  })

  test('room that was pruned is used again', () => {
    const index = new KeyIndex()
    const state = new KeyState()
    const bytesAfter: number[] = []
    let main = 2
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 2000; i++) {
        const name = bytes(`round ${round} key ${1000 + i}`)
        index.put(name, main++, 0, state)
        index.put(name, main++, 0, state)
        index.put(bytes('hot'), main++, 0, state)
        index.tombstone(name, main++, 0)
      }
      index.forget()
      const pruner = new IndexPruner(index, main)
      while (!pruner.step(100));
      expect([index.keyCount, index.revisionCount]).toEqual([1, 1])
      const { recordBytes, historyBytes, treeBytes, tableBytes } = index.memory
      bytesAfter.push(recordBytes + historyBytes + treeBytes + tableBytes)
    }
    expect(bytesAfter.at(-1)).toBe(bytesAfter[1])
  })

  test('a key too long for a shared chunk gives its chunk back', () => {
    const index = new KeyIndex()
    const state = new KeyState()
    const sizes: number[] = []
    for (let main = 2; main < 20; main += 2) {
      const name = new Uint8Array(100_000).fill(main)
      index.put(name, main, 0, state)
      index.tombstone(name, main + 1, 0)
      index.forget()
      const pruner = new IndexPruner(index, main + 2)
      while (!pruner.step(10));
      sizes.push(index.memory.recordBytes)
    }
    expect(new Set(sizes)).toEqual(new Set([0]))
  })

  test('generations: put(2.0) put(3.1) tombstone(5.0) put(6.0)', () => {
    const index = new KeyIndex()
    const state = new KeyState()
    const k = bytes('k')
    index.put(k, 2, 0, state)
    index.put(k, 3, 1, state)
    index.tombstone(k, 5, 0)
    index.put(k, 6, 0, state)
    expect(get(index, 'k', 1)).toBeUndefined()
    expect(get(index, 'k', 2)).toEqual({ key: 'k', main: 2, sub: 0, create: 2, version: 1 })
    expect(get(index, 'k', 4)).toEqual({ key: 'k', main: 3, sub: 1, create: 2, version: 2 })
    expect(get(index, 'k', 5)).toBeUndefined()
    expect(get(index, 'k', 9)).toEqual({ key: 'k', main: 6, sub: 0, create: 6, version: 1 })
    expect(history(index, 'k').map(({ main, version }) => [main, version])).toEqual([
      [6, 1],
      [5, 0],
      [3, 2],
      [2, 1],
    ])
  })

  test('a history of thousands of revisions is read at every one of them', () => {
    const index = new KeyIndex()
    const state = new KeyState()
    const k = bytes('k')
    for (let main = 2; main < 20_000; main += 2) index.put(k, main, 0, state)
    for (let main = 2; main < 20_000; main++) {
      expect(index.get(k, main, state)).toBe(true)
      if (state.modMain !== main - (main % 2)) expect(state.modMain).toBe(main - (main % 2))
    }
    expect(state).toMatchObject({ createMain: 2, version: 9_999 })
    index.undo(1)
    expect(history(index, 'k')).toHaveLength(1)
  })

  test('keys of all lengths are held, long ones in chunks of their own', () => {
    const index = new KeyIndex()
    const state = new KeyState()
    const keys = [200_000, 65_504, 65_505, 16_000, 17_000, 1, 2, 3, 4, 5, 0].map((size, i) =>
      new Uint8Array(size).fill(i),
    )
    for (const [i, each] of keys.entries()) index.put(each, 2, i, state)
    index.verify()
    for (const [i, each] of keys.entries()) {
      expect(index.get(each, 2, state)).toBe(true)
      expect(state.modSub).toBe(i)
    }
    const cursor = index.cursor({ start: bytes(''), end: undefined })
    const found: Uint8Array[] = []
    while (cursor.next()) found.push(cursor.key)
    expect(found.map((each) => each.length)).toEqual(
      keys.toSorted((a, b) => Buffer.compare(a, b)).map((each) => each.length),
    )
  })

  test('revisions, subs and versions of any legal size are kept exactly', () => {
    const index = new KeyIndex()
    const state = new KeyState()
    const main = Number.MAX_SAFE_INTEGER - 3
    const sub = 2 ** 31 - 1
    state.set(main, sub, 2 ** 52 + 1, VERSION_MAX - 1)
    expect(index.restore(bytes('k'), state)).toBeUndefined()
    for (const _ of index.build());
    const expected = { key: 'k', main, sub, create: 2 ** 52 + 1, version: VERSION_MAX - 1 }
    expect(get(index, 'k', main)).toEqual(expected)
    index.put(bytes('k'), main + 1, 0, state)
    index.put(bytes('l'), main + 1, 1, state)
    index.tombstone(bytes('k'), main + 2, 0)
    expect(get(index, 'k', main)).toEqual(expected)
    expect(get(index, 'k', main + 1)).toEqual({
      ...expected,
      main: main + 1,
      sub: 0,
      version: VERSION_MAX,
    })
    expect(get(index, 'l', main + 1)?.create).toBe(main + 1)
  })

  test('restore() takes a history whose beginning was compacted away', () => {
    const index = new KeyIndex()
    const state = new KeyState()
    const restore = (
      key: string,
      main: number,
      create: number,
      version: number,
    ): string | undefined => {
      state.set(main, 0, create, version)
      return index.restore(bytes(key), state)
    }
    expect(restore('a', 7, 3, 4)).toBeUndefined()
    expect(restore('gone', 8, 0, 0)).toBeUndefined()
    expect(restore('a', 9, 3, 5)).toBeUndefined()
    expect(restore('a', 10, 0, 0)).toBeUndefined()
    expect(restore('a', 11, 11, 1)).toBeUndefined()
    expect(get(index, 'a', 7)).toEqual({ key: 'a', main: 7, sub: 0, create: 3, version: 4 })
    expect(get(index, 'a', 9)).toEqual({ key: 'a', main: 9, sub: 0, create: 3, version: 5 })
    expect(get(index, 'a', 6)).toBeUndefined()
    expect(get(index, 'gone', 9)).toBeUndefined()
    expect(get(index, 'a', 12)?.version).toBe(1)
    expect(index.changeCount).toBe(0)
  })

  test('restore() refuses what can not follow', () => {
    const index = new KeyIndex()
    const state = new KeyState()
    const restore = (
      key: string,
      main: number,
      create: number,
      version: number,
    ): string | undefined => {
      state.set(main, 0, create, version)
      return index.restore(bytes(key), state)
    }
    expect(restore('a', 7, 8, 4)).toMatch(/created after/)
    expect(restore('a', 7, 6, 1)).toMatch(/version 1 is not its creation/)
    expect(restore('a', 7, 3, 4)).toBeUndefined()
    expect(restore('a', 8, 3, 6)).toMatch(/version 6 follows version 4/)
    expect(restore('a', 8, 4, 5)).toMatch(/created at 4, but at 3/)
    expect(restore('a', 8, 0, 0)).toBeUndefined()
    expect(restore('a', 9, 0, 0)).toMatch(/tombstone follows/)
    expect(restore('a', 9, 3, 5)).toMatch(/version 5 follows a tombstone/)
    expect(index.revisionCount).toBe(2)
  })
})

describe('KeyCursor', () => {
  function filled(count: number): KeyIndex {
    const index = new KeyIndex({ leafMax: 3, branchMax: 3 })
    for (let i = 0; i < count; i++) index.put(bytes(`k${100 + i * 2}`), 2, i, new KeyState())
    return index
  }

  test.each([false, true])(
    'a parked cursor goes on by key when keys came and went (descending: %s)',
    (isDescending) => {
      const index = filled(100)
      const mark = index.changeCount
      const cursor = index.cursor({ start: bytes('k120'), end: bytes('k260'), isDescending })
      const found: string[] = []
      for (let i = 0; cursor.next(); i++) {
        found.push(text(cursor.key))
        cursor.park()
        if (i % 3 === 1) index.undo(mark)
        else for (let j = 0; j < 5; j++) index.put(bytes(`j${i}-${j}`), 3, 0, new KeyState())
      }
      const expected = Array.from({ length: 70 }, (_, i) => `k${120 + i * 2}`)
      expect(found).toEqual(isDescending ? expected.toReversed() : expected)
      expect(cursor.next()).toBe(false)
    },
  )

  test.each([false, true])(
    'sees keys that came ahead of it, not behind (descending: %s)',
    (isDescending) => {
      const index = filled(10)
      const cursor = index.cursor({ start: bytes(''), end: undefined, isDescending })
      for (let i = 0; i < 5; i++) cursor.next()
      const here = text(cursor.key)
      cursor.park()
      index.put(bytes('a'), 3, 0, new KeyState())
      index.put(bytes('z'), 3, 1, new KeyState())
      const rest: string[] = []
      while (cursor.next()) rest.push(text(cursor.key))
      expect(rest).not.toContain(here)
      expect(rest.at(-1)).toBe(isDescending ? 'a' : 'z')
      expect(rest).toHaveLength(6)
    },
  )

  test('a cursor whose own key went away goes on after it', () => {
    const index = filled(10)
    const mark = index.changeCount
    index.put(bytes('k105'), 3, 0, new KeyState())
    const cursor = index.cursor({ start: bytes('k105'), end: undefined })
    cursor.next()
    expect(text(cursor.key)).toBe('k105')
    cursor.park()
    index.undo(mark)
    cursor.next()
    expect(text(cursor.key)).toBe('k106')
  })

  test('next() throws when the index changed and the cursor was not parked', () => {
    const index = filled(10)
    const cursor = index.cursor({ start: bytes(''), end: undefined })
    cursor.next()
    index.put(bytes('new'), 3, 0, new KeyState())
    expect(() => cursor.next()).toThrow(/not parked/)
  })
})

test('KeyIndex.release() gives its memory back', () => {
  const index = new KeyIndex()
  const state = new KeyState()
  for (let i = 0; i < 20_000; i++) index.put(Buffer.from(`key ${i}`), i + 2, 0, state)
  const bytesOf = ({ recordBytes, treeBytes, tableBytes, historyBytes }: KeyIndexMemory): number =>
    recordBytes + treeBytes + tableBytes + historyBytes
  expect(bytesOf(index.memory)).toBeGreaterThan(1_000_000)
  index.release()
  expect(bytesOf(index.memory)).toBeLessThan(100_000)
})
