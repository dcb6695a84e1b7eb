import { beforeAll, describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import type { FreelistForm } from '../proptest/faults/workload.ts'
import type { Sample } from '../proptest/faults/sample.ts'
import { SAMPLE_PAGE_SIZE, SAMPLE_PATH, makeSample } from '../proptest/faults/sample.ts'
import { flipped } from '../proptest/faults/damage.ts'
import { openEngine } from './engine.ts'
import { openRawFile } from './raw-file.ts'
import type { Survey } from './survey.ts'
import { Surveyor } from './survey.ts'

const samples = new Map<FreelistForm, Sample>()

beforeAll(async () => {
  for (const form of ['sync', 'scan'] as const) samples.set(form, await makeSample(form))
})

function sampleOf(form: FreelistForm): Sample {
  const sample = samples.get(form)
  if (sample === undefined) throw new Error(`no sample ${form}`)
  return sample
}

async function survey(bytes: Uint8Array): Promise<Survey> {
  const disk = new MemoryDisk()
  disk.writeFile(SAMPLE_PATH, bytes)
  const file = await openRawFile(SAMPLE_PATH, { disk })
  const steps = new Surveyor(file, file.usableMetas[0]).run()
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

function count(found: Survey, kind: string): number {
  let pages = 0
  for (let pgid = 0; pgid < found.pageCount; pgid++) if (found.kind(pgid) === kind) pages++
  return pages
}

describe('Surveyor', () => {
  test.each(['sync', 'scan'] as const)('counts what check counts: freelist %s', async (form) => {
    const { bytes } = sampleOf(form)
    const found = await survey(bytes)
    const disk = new MemoryDisk()
    disk.writeFile(SAMPLE_PATH, bytes)
    const engine = await openEngine(SAMPLE_PATH, { disk, readOnly: true })
    const { pages, keys, buckets, highWaterMark } = engine.check()
    await engine.close()
    expect(found.problems).toEqual([])
    for (const kind of ['branch', 'leaf', 'overflow', 'freelist', 'free'] as const) {
      expect([kind, count(found, kind)]).toEqual([kind, pages[kind]])
    }
    expect(count(found, 'ahead')).toBe(found.pageCount - highWaterMark)
    expect(count(found, 'unreached')).toBe(0)
    const sum = (name: 'keys' | 'buckets'): number =>
      found.tops.reduce((total, top) => total + top[name], 0)
    expect(sum('keys') + sum('buckets')).toBe(keys)
    expect(sum('buckets')).toBe(buckets)
  })

  test('gives each page of a tree to its bucket', async () => {
    const found = await survey(sampleOf('sync').bytes)
    for (let pgid = 0; pgid < found.pageCount; pgid++) {
      const isTree = ['branch', 'leaf', 'overflow'].includes(found.kind(pgid))
      expect(found.bucket(pgid) !== undefined).toBe(isTree)
    }
    const names = found.buckets.map(({ path }) => path.map(String).length)
    expect(Math.max(...names)).toBeGreaterThan(1)
    expect(found.tops[0]?.bucket).toBe(0)
  })

  test('goes on past a damaged page, and says where it is', async () => {
    const { bytes } = sampleOf('sync')
    const sound = await survey(bytes)
    const leaves: number[] = []
    for (let pgid = 0; pgid < sound.pageCount; pgid++) {
      if (sound.kind(pgid) === 'leaf' && pgid !== sound.meta?.rootPgid) leaves.push(pgid)
    }
    for (const pgid of leaves) {
      const found = await survey(flipped(bytes, pgid * SAMPLE_PAGE_SIZE, 1))
      expect(found.kind(pgid)).toBe('damaged')
      expect(found.problems[0]).toMatchObject({
        code: 'page-damaged',
        pgid,
        offset: pgid * SAMPLE_PAGE_SIZE,
      })
      expect(found.isByHeaders).toBe(false)
      expect(count(found, 'leaf')).toBeGreaterThan(0)
    }
  })

  test('takes pages for what their headers say where no tree can be walked', async () => {
    const { bytes } = sampleOf('sync')
    const sound = await survey(bytes)
    const root = sound.meta?.rootPgid ?? 0
    for (const broken of [
      flipped(bytes, root * SAMPLE_PAGE_SIZE, 1),
      flipped(flipped(bytes, 20, 1), SAMPLE_PAGE_SIZE + 20, 1),
    ]) {
      const found = await survey(broken)
      expect(found.isByHeaders).toBe(true)
      expect(count(found, 'leaf')).toBeGreaterThan(1)
      expect(count(found, 'overflow')).toBeGreaterThan(0)
    }
  })

  test('a file that is cut short: what is missing is counted', async () => {
    const { bytes } = sampleOf('sync')
    const sound = await survey(bytes)
    const mark = sound.meta?.highWaterMark ?? 0
    const found = await survey(bytes.subarray(0, (mark - 5) * SAMPLE_PAGE_SIZE - 1))
    expect(found.missingPages).toBe(6)
    expect(found.problems.length).toBeGreaterThan(0)
  })
})
