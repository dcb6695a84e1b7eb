import { describe, expect, test } from 'vitest'
import { Frames, lentAt, strike } from './frames.ts'
import { NodeEditor } from './node.ts'
import { Page } from './page.ts'
import { frameAt } from './signpost.ts'

const PAGE_SIZE = 4096
const FRAMES_PER_SLAB = (256 * 1024) / PAGE_SIZE
const SLAB_SIZE = 256 * 1024

function placed(frames: Frames, fill = 1): Page {
  const page = new Page(fill)
  frames.take(page)
  page.bytes.fill(fill, page.base, page.base + PAGE_SIZE)
  return page
}

function isFilledWith(page: Page, fill: number): boolean {
  const bytes = page.bytes.subarray(page.base, page.base + PAGE_SIZE)
  return bytes.every((byte) => byte === fill)
}

describe('Frames', () => {
  test('gives each page a place of its own', () => {
    const frames = new Frames(PAGE_SIZE)
    const pages = Array.from({ length: 3 * FRAMES_PER_SLAB }, (_, i) => placed(frames, i % 251))
    pages.forEach((page, i) => expect(isFilledWith(page, i % 251)).toBe(true))
    expect(frames.sizeBytes).toBe(3 * SLAB_SIZE)
    expect(frames.freeBytes).toBe(0)
  })

  test('a frame given back is used again, before memory grows', () => {
    const frames = new Frames(PAGE_SIZE)
    for (let i = 0; i < 10_000; i++) frames.give(placed(frames))
    expect(frames.sizeBytes).toBe(SLAB_SIZE)
  })

  test('a retired frame keeps its bytes until all that began before it was retired have ended', () => {
    const frames = new Frames(PAGE_SIZE)
    const page = placed(frames, 7)
    const { bytes, base } = page
    frames.retire(page, 5)
    frames.release(5)
    const others = Array.from({ length: FRAMES_PER_SLAB }, () => placed(frames, 9))
    expect(bytes[base]).toBe(7)
    expect(frames.retiredBytes).toBe(PAGE_SIZE)
    frames.release(6)
    expect(frames.retiredBytes).toBe(0)
    others.push(...Array.from({ length: FRAMES_PER_SLAB - 1 }, () => placed(frames, 9)))
    expect(bytes[base]).toBe(9)
    expect(frames.sizeBytes).toBe(2 * SLAB_SIZE)
    expect(others).toHaveLength(2 * FRAMES_PER_SLAB - 1)
  })

  test('a slab of retired frames is let go of, its bytes as they were', () => {
    const frames = new Frames(PAGE_SIZE)
    const pages = Array.from({ length: FRAMES_PER_SLAB }, () => placed(frames, 7))
    const lent = pages.map((page) => page.bytes.subarray(page.base, page.base + PAGE_SIZE))
    for (const page of pages) frames.retire(page, 1)
    expect(frames.sizeBytes).toBe(0)
    expect(frames.retiredBytes).toBe(0)
    frames.release(2)
    placed(frames, 9)
    expect(lent.every((bytes) => bytes.every((byte) => byte === 7))).toBe(true)
  })

  test('compact() moves what lives out of slabs that are mostly retired', () => {
    const frames = new Frames(PAGE_SIZE)
    const pages = Array.from({ length: 4 * FRAMES_PER_SLAB }, (_, i) => placed(frames, i % 251))
    const kept = pages.filter((_, i) => i % 4 === 0)
    const lent = pages.map((page) => page.bytes.subarray(page.base, page.base + PAGE_SIZE))
    pages.forEach((page, i) => {
      if (i % 4 !== 0) frames.retire(page, 1)
    })
    frames.compact(0)
    expect(frames.retiredBytes).toBe(0)
    expect(frames.sizeBytes).toBe(SLAB_SIZE)
    kept.forEach((page, i) => expect(isFilledWith(page, (4 * i) % 251)).toBe(true))
    lent.forEach((bytes, i) => expect(bytes.every((byte) => byte === i % 251)).toBe(true))
  })

  test('compact() does nothing below its limit, nor twice for the same frames', () => {
    const frames = new Frames(PAGE_SIZE)
    const pages = Array.from({ length: 4 * FRAMES_PER_SLAB }, () => placed(frames))
    pages.forEach((page, i) => {
      if (i % 3 === 0) frames.retire(page, 1)
    })
    const { retiredBytes } = frames
    frames.compact(2 * retiredBytes)
    frames.compact(0)
    expect(frames.retiredBytes).toBe(retiredBytes)
    frames.release(2)
    expect(frames.retiredBytes).toBe(0)
    expect(frames.freeBytes).toBe(retiredBytes)
  })

  test('shrink() lets go of slabs that are free as a whole', () => {
    const frames = new Frames(PAGE_SIZE)
    const pages = Array.from({ length: 8 * FRAMES_PER_SLAB }, () => placed(frames))
    const survivor = pages.pop() as Page
    for (const page of pages) frames.give(page)
    frames.shrink(2 * SLAB_SIZE)
    expect(frames.sizeBytes).toBe(3 * SLAB_SIZE)
    for (let i = 0; i < 2 * FRAMES_PER_SLAB; i++) placed(frames, 3)
    expect(isFilledWith(survivor, 1)).toBe(true)
  })

  test('a frame that cools is free with the next use of what has cooled, and not before', () => {
    const frames = new Frames(PAGE_SIZE)
    const page = placed(frames, 7)
    const { bytes, base } = page
    frames.cool(page)
    const others = Array.from({ length: FRAMES_PER_SLAB - 1 }, () => placed(frames, 9))
    expect(bytes[base]).toBe(7)
    frames.useCooled()
    others.push(placed(frames, 9))
    expect(bytes[base]).toBe(9)
    expect(frames.sizeBytes).toBe(SLAB_SIZE)
    expect(others).toHaveLength(FRAMES_PER_SLAB)
  })

  test('frames that were cooling in a slab that was let go of are not given', () => {
    const frames = new Frames(PAGE_SIZE)
    const pages = Array.from({ length: FRAMES_PER_SLAB }, () => placed(frames, 7))
    pages.forEach((page, i) => (i % 8 === 0 ? frames.cool(page) : frames.retire(page, 1)))
    frames.compact(0)
    expect(frames.sizeBytes).toBe(0)
    frames.useCooled()
    expect(frames.freeBytes).toBe(0)
  })

  test('slabs grow with what there is, to a 64th of the memory meant for pages', () => {
    const KIB = 1024
    for (const [budget, sizes] of [
      [0, [256, 512, 768]],
      [64 * KIB * KIB, [256, 512, 1024, 2048, 3072]],
      [100_000_000, [256, 512, 1024, 2048, 3072]],
      [KIB * KIB * KIB, [256, 512, 1024, 2048, 4096, 8192, 12288, 16384]],
    ] as const) {
      const frames = new Frames(PAGE_SIZE, budget)
      for (const size of sizes) {
        placed(frames)
        expect(frames.sizeBytes).toBe(size * KIB)
        while (frames.freeBytes > 0) placed(frames)
      }
    }
  })

  describe('links to frames', () => {
    /** Not a number where the parent leads nowhere. */
    function linkOf({ signpost }: Page, index: number): number {
      return signpost?.[frameAt(signpost, index)] ?? Number.NaN
    }

    function linked(): { frames: Frames; parent: Page; leaf: Page; lens: Page } {
      const frames = new Frames(PAGE_SIZE, 2 ** 30)
      // So that it stands in neither the first slab nor its first frame.
      for (let i = 0; i < 300; i++) placed(frames)
      const [parent, leaf] = [placed(frames, 0), placed(frames)]
      parent.count = 4
      Object.assign(leaf, { count: 300, headShift: 3, prefixSize: 9 })
      frames.linkFrame(parent, 2, leaf)
      return { frames, parent, leaf, lens: new Page(0) }
    }

    test('lead to where the page stands, with what a search needs', () => {
      const { frames, parent, leaf, lens } = linked()
      const isLinked = [0, 1, 2, 3].map((index) => linkOf(parent, index) > 0)
      expect(isLinked).toEqual([false, false, true, false])
      frames.look(lens, linkOf(parent, 2))
      for (const field of [
        'base',
        'bytes',
        'heads',
        'headsAt',
        'count',
        'headShift',
        'prefixSize',
      ] as const) {
        expect(lens[field]).toBe(leaf[field])
      }
    })

    test('mark what they are followed to, and remember what was lent', () => {
      const { frames, parent, leaf, lens } = linked()
      frames.takeMark(leaf)
      expect(frames.takeMark(leaf)).toBe(false)
      frames.look(lens, linkOf(parent, 2))
      expect(frames.takeMark(leaf)).toBe(true)
      expect(frames.takeMark(leaf)).toBe(false)
      frames.look(lens, linkOf(parent, 2))
      expect(lens.count).toBe(300)
      frames.noteLent(lens, 77)
      expect(lentAt(leaf)).toBe(77)
      strike(leaf)
      expect(lentAt(leaf)).toBe(77)
    })

    test.each([
      ['given back', (frames: Frames, page: Page): void => frames.give(page)],
      ['retired', (frames: Frames, page: Page): void => frames.retire(page, 1)],
      ['cooled', (frames: Frames, page: Page): void => frames.cool(page)],
      [
        'made a node',
        (frames: Frames, page: Page): void => new NodeEditor(frames, true).adopt(page),
      ],
      [
        'linked anew',
        (frames: Frames, page: Page): void => {
          const other = placed(frames, 0)
          other.count = 1
          frames.linkFrame(other, 0, page)
        },
      ],
    ])('end when the page is %s', (_name, end) => {
      const { frames, parent, leaf } = linked()
      end(frames, leaf)
      expect(linkOf(parent, 2)).toBe(0)
    })
  })
})
