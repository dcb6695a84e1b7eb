import { describe, expect, test } from 'vitest'
import { Frames } from './frames.ts'
import { Page } from './page.ts'

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
    const bytes = pages[0]?.bytes
    for (const page of pages) frames.retire(page, 1)
    expect(frames.sizeBytes).toBe(0)
    expect(frames.retiredBytes).toBe(0)
    frames.release(2)
    placed(frames, 9)
    expect(bytes?.every((byte) => byte === 7)).toBe(true)
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
})
