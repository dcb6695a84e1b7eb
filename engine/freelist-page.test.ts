import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeFreelistPage, encodeFreelistPage, freelistPages } from './freelist-page.ts'
import { PageSet } from './page-set.ts'

function setOf(ids: Iterable<number>): PageSet {
  const set = new PageSet()
  for (const id of ids) set.add(id)
  return set
}

/** The ids 2, 3, … as a set. */
function idsUpTo(count: number): PageSet {
  return setOf(Array.from({ length: count }, (_, i) => i + 2))
}

/** A freelist page without a seal, as bbolt writes it. */
function foreignPage(ids: readonly number[], sizeBytes = 1024, isWide = false): Uint8Array {
  const bytes = new Uint8Array(sizeBytes)
  const view = new DataView(bytes.buffer)
  view.setUint16(8, 0x10, true)
  view.setUint16(10, isWide ? 0xffff : ids.length, true)
  const slots = isWide ? [ids.length, ...ids] : ids
  slots.forEach((id, i) => view.setBigUint64(16 + 8 * i, BigInt(id), true))
  return bytes
}

/** Bytes that were used before. */
function roomOf(sizeBytes: number): Uint8Array {
  return new Uint8Array(sizeBytes).fill(0xdb)
}

describe('a freelist page', () => {
  test.each([0, 1, 2, 126, 127, 65_533, 65_534, 65_535, 65_536, 65_537, 100_000])(
    'of %i ids is read back whole, at every page size',
    (count) => {
      for (const pageSizeBytes of [1024, 4096, 65536]) {
        const pageCount = freelistPages(count, pageSizeBytes)
        const bytes = encodeFreelistPage(
          roomOf(pageCount * pageSizeBytes),
          9,
          idsUpTo(count),
          pageSizeBytes,
        )
        const ids = decodeFreelistPage(bytes, count + 2)
        expect(ids).toHaveLength(count)
        const isWhole = typeof ids !== 'string' && ids.every((id, i) => id === i + 2)
        expect(isWhole).toBe(true)
      }
    },
  )

  test('changes its form at 65,535 ids: the count moves to the first slot', () => {
    for (const [count, field, first] of [
      [65_534, 65_534, 2n],
      [65_535, 0xffff, 65_535n],
      [65_536, 0xffff, 65_536n],
    ] as const) {
      const pageCount = freelistPages(count, 4096)
      const view = new DataView(
        encodeFreelistPage(roomOf(pageCount * 4096), 9, idsUpTo(count), 4096).buffer,
      )
      expect(view.getUint16(10, true)).toBe(field)
      expect(view.getBigUint64(16, true)).toBe(first)
      expect(view.getUint32(12, true)).toBe(pageCount - 1)
      expect(view.getBigUint64(0, true)).toBe(9n)
    }
  })

  test('takes one page more than needed where the ids end exactly with a page, as bbolt does', () => {
    // 16 + 8 × 126 = 1024
    expect(freelistPages(125, 1024)).toBe(1)
    expect(freelistPages(126, 1024)).toBe(2)
    expect(freelistPages(127, 1024)).toBe(2)
    expect(freelistPages(0, 1024)).toBe(1)
    // 16 + 8 × (65,535 + 1) = 524,304 = 128 × 4096 + 16
    expect(freelistPages(65_534, 4096)).toBe(129)
    expect(freelistPages(65_535, 4096)).toBe(129)
  })

  test('may have room for more ids than it holds', () => {
    const bytes = encodeFreelistPage(roomOf(3072), 9, idsUpTo(10), 1024)
    expect(decodeFreelistPage(bytes, 100)).toEqual([...idsUpTo(10)])
  })

  test('holds ids beyond 2^32 exactly', () => {
    const ids = [2 ** 32 - 1, 2 ** 32, 2 ** 40 + 1, 2 ** 53 - 2]
    expect(decodeFreelistPage(foreignPage(ids), 2 ** 53 - 1)).toEqual(ids)
  })
})

describe('decodeFreelistPage()', () => {
  test('sorts what an old writer left unsorted', () => {
    expect(decodeFreelistPage(foreignPage([9, 3, 7, 2]), 10)).toEqual([2, 3, 7, 9])
  })

  test('takes the wide form for a small count too', () => {
    expect(decodeFreelistPage(foreignPage([3, 5], 1024, true), 10)).toEqual([3, 5])
  })

  test.each([
    ['an id twice in a row', foreignPage([3, 3]), 'listed twice'],
    ['an id twice', foreignPage([3, 5, 3]), 'listed twice'],
    ['a meta page', foreignPage([1, 5]), 'outside'],
    ['page 0', foreignPage([0]), 'outside'],
    ['the high-water mark', foreignPage([5, 10]), 'outside'],
    ['a page far beyond it', foreignPage([2 ** 53]), 'outside'],
  ])('refuses %s', (_, bytes, reason) => {
    expect(decodeFreelistPage(bytes, 10)).toContain(reason)
  })

  test('refuses a type that is none', () => {
    const bytes = foreignPage([3])
    new DataView(bytes.buffer).setUint16(8, 0x12, true)
    expect(decodeFreelistPage(bytes, 10)).toContain('expected a freelist page')
  })

  test.each([
    ['one id too many', 127n, false],
    ['65,534 in one page', 65_534n, false],
    ['one id too many in the wide form', 126n, true],
    ['2^32', 2n ** 32n, true],
    ['2^53', 2n ** 53n, true],
    ['2^64 − 1', 2n ** 64n - 1n, true],
  ])('refuses a count of %s at once', (_, count, isWide) => {
    const bytes = foreignPage([], 1024, isWide)
    const view = new DataView(bytes.buffer)
    if (isWide) view.setBigUint64(16, count, true)
    else view.setUint16(10, Number(count), true)
    expect(decodeFreelistPage(bytes, 2 ** 50)).toContain('do not fit')
  })

  test('finds a flipped bit anywhere in a sealed page', () => {
    const sealed = encodeFreelistPage(roomOf(1024), 9, setOf([3, 4, 8]), 1024)
    // The id and the overflow count are checked by whoever reads the run, before.
    for (let at = 0; at < sealed.length; at++) {
      const bytes = sealed.slice()
      bytes[at] = (bytes[at] ?? 0) ^ 0x02
      expect(typeof decodeFreelistPage(bytes, 2000), `byte ${at}`).toBe('string')
    }
  })

  test('gives ids in range and order or a reason, for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (noise) => {
        noise[8] = 0x10
        noise[9] = 0
        if ((noise[0] ?? 0) > 128) noise.fill(0, 11, 64)
        const ids = decodeFreelistPage(noise, 1000)
        if (typeof ids === 'string') return
        expect(ids.every((id, i) => id >= 2 && id < 1000 && id > (ids[i - 1] ?? 0))).toBe(true)
      }),
    )
  })
})
