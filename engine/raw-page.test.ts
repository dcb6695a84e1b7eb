import { beforeAll, describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import type { Sample } from '../proptest/faults/sample.ts'
import { SAMPLE_PAGE_SIZE, SAMPLE_PATH, makeSample } from '../proptest/faults/sample.ts'
import { Forgery } from '../proptest/faults/crafted.ts'
import type { RunLayout } from '../proptest/faults/damage.ts'
import type { RawFile } from './raw-file.ts'
import { openRawFile } from './raw-file.ts'
import { findRunOf, readRawPage } from './raw-page.ts'

let sample: Sample

beforeAll(async () => {
  sample = await makeSample('sync')
})

async function open(bytes: Uint8Array): Promise<RawFile> {
  const disk = new MemoryDisk()
  disk.writeFile(SAMPLE_PATH, bytes)
  return openRawFile(SAMPLE_PATH, { disk })
}

function runs(bytes: Uint8Array): readonly RunLayout[] {
  return new Forgery(bytes, SAMPLE_PAGE_SIZE).layouts()
}

/** The notes on the first leaf of two elements or more, after an edit of it. */
async function notesAfter(
  edit: (view: DataView, layout: RunLayout) => void,
): Promise<readonly string[]> {
  const forgery = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE)
  const leaf = forgery.layouts().find((each) => each.isLeaf && forgery.count(each) >= 2)!
  edit(forgery.view, leaf)
  const file = await open(forgery.bytes)
  return readRawPage(file, leaf.pgid).notes
}

describe('readRawPage()', () => {
  test('has nothing to note on the pages of a sound file, and finds their ends', async () => {
    const file = await open(sample.bytes)
    for (const { pgid, contentEnd, start, end } of runs(sample.bytes)) {
      const page = readRawPage(file, pgid)
      expect(page.notes).toEqual([])
      expect(page.contentEnd).toBe(contentEnd - start)
      expect(page.bytes).toHaveLength(end - start)
      expect(page.elements).toHaveLength(page.count)
    }
  })

  test.each<[string, (view: DataView, leaf: RunLayout) => void]>([
    ['its header says page 9999', (view, { start }) => view.setUint32(start, 9999, true)],
    ['flags 0x44 are no type of page', (view, { start }) => view.setUint16(start + 8, 0x44, true)],
    ['65000 elements do not fit', (view, { start }) => view.setUint16(start + 10, 65000, true)],
    ['overflow pages', (view, { start }) => view.setUint32(start + 12, 100_000, true)],
    ['its flags are 0x7', (view, { start }) => view.setUint32(start + 16, 7, true)],
    ['its key begins at', (view, { start }) => view.setUint32(start + 20, 500, true)],
    ['its key is empty', (view, { start }) => view.setUint32(start + 24, 0, true)],
    ['bytes beyond the page', (view, { start }) => view.setUint32(start + 28, 1 << 30, true)],
    ['its checksum, in the last 4 bytes', (view, { end }) => view.setUint32(end - 4, 1, true)],
  ])('notes %s', async (expected, edit) => {
    expect((await notesAfter(edit)).join('\n')).toContain(expected)
  })

  test('a page that the file ends inside: whatever is left, without throwing', async () => {
    for (const { pgid, start } of runs(sample.bytes)) {
      for (const rest of [1, 9, 15, 16, 17, 23, 24, 40, 1000]) {
        const file = await open(sample.bytes.subarray(0, start + rest))
        expect(readRawPage(file, pgid).notes.join()).toContain('the file ends inside this page')
      }
    }
  })

  test('refuses a page beyond the file', async () => {
    const file = await open(sample.bytes)
    expect(() => readRawPage(file, file.pageCount)).toThrow(RangeError)
    expect(() => readRawPage(file, -1)).toThrow(RangeError)
  })
})

describe('findRunOf()', () => {
  test('leads from an overflow page to the page that it continues', async () => {
    const file = await open(sample.bytes)
    const long = runs(sample.bytes).find(({ start, end }) => end - start > SAMPLE_PAGE_SIZE)!
    expect(findRunOf(file, long.pgid + 1, 100)).toBe(long.pgid)
    expect(findRunOf(file, long.pgid, 100)).not.toBe(long.pgid)
  })
})
