import { describe, expect, test } from 'vitest'
import { MemoryDisk } from '../disk/memory-disk.ts'
import type { CheckReport } from './check.ts'
import type { Engine } from './engine.ts'
import { openEngine } from './engine.ts'

const PAGE = 1024

/** A file with a two-level bucket, an inline bucket, and free pages. */
async function sample(disk: MemoryDisk): Promise<{ engine: Engine; root: number; leaf: number }> {
  const engine = await openEngine('/a.db', { disk, pageSizeBytes: PAGE })
  engine.update((tx) => {
    const bucket = tx.createBucket('b')
    for (let i = 0; i < 60; i++) bucket.put(`key ${String(2 * i).padStart(3, '0')}`, 'v'.repeat(50))
    bucket.createBucket('inline').put('k', 'v')
  })
  engine.update((tx) => tx.bucket('b')?.put('key 000', 'w'))
  const root = engine.view((tx) => tx.bucket('b')?.tree.rootPgid ?? 0)
  const leaf = engine.core.pager.page(root, engine.core.meta.highWaterMark).childPgid(1)
  return { engine, root, leaf }
}

/**
 * Opens the file after `edit` has changed its bytes, seals taken off so that structure alone
 * speaks.
 */
async function checkEdited(
  edit: (view: DataView, places: { root: number; leaf: number }) => void,
): Promise<CheckReport> {
  const disk = new MemoryDisk()
  const { engine, root, leaf } = await sample(disk)
  await engine.close()
  const bytes = new Uint8Array(disk.readFile('/a.db'))
  for (let end = 3 * PAGE; end <= bytes.length; end += PAGE) bytes.fill(0, end - 8, end)
  edit(new DataView(bytes.buffer), { root, leaf })
  disk.writeFile('/a.db', bytes)
  const damaged = await openEngine('/a.db', { disk, readOnly: true, pageRules: 'bounds' })
  const report = damaged.check()
  await damaged.close()
  return report
}

function codes(report: CheckReport): string[] {
  return [...new Set(report.findings.map(({ code }) => code))]
}

describe('Engine.check()', () => {
  test('is clean on a sound file, newest and previous generation, sealed or not', async () => {
    const { engine } = await sample(new MemoryDisk())
    const report = engine.check()
    expect(report).toMatchObject({ isClean: true, findings: [], notices: [], buckets: 2, keys: 63 })
    expect(report.pages.sealed).toBe(report.pages.leaf + report.pages.branch)
    expect(engine.check({ generation: 'previous' }).isClean).toBe(true)
    expect(await engine.checkAsync()).toEqual(report)
    await engine.close()
    const bare = await checkEdited(() => {})
    expect(bare).toMatchObject({ isClean: true, pages: { sealed: 0 } })
  })

  test('finds a separator that is smaller than its child, which bbolt lets pass', async () => {
    const report = await checkEdited((view, { root }) => {
      const element = root * PAGE + 16 + 16
      const key = element + view.getUint32(element, true)
      const last = key + view.getUint32(element + 4, true) - 1
      view.setUint8(last, view.getUint8(last) - 1)
    })
    expect(codes(report)).toEqual(['separator'])
  })

  test('finds a separator that is larger than its child', async () => {
    const report = await checkEdited((view, { root }) => {
      const element = root * PAGE + 16 + 16
      const key = element + view.getUint32(element, true)
      const last = key + view.getUint32(element + 4, true) - 1
      view.setUint8(last, view.getUint8(last) + 1)
    })
    expect(codes(report)).toContain('separator')
  })

  test('finds a branch with one child, and what it no longer leads to', async () => {
    const report = await checkEdited((view, { root }) => {
      const element = root * PAGE + 16
      const keyBytes = element + view.getUint32(element, true)
      const size = view.getUint32(element + 4, true)
      const key = Array.from({ length: size }, (_, i) => view.getUint8(keyBytes + i))
      view.setUint16(root * PAGE + 10, 1, true)
      view.setUint32(element, 16, true)
      for (let at = element + 16; at < (root + 1) * PAGE; at++) view.setUint8(at, 0)
      for (const [i, byte] of key.entries()) view.setUint8(element + 16 + i, byte)
    })
    expect(codes(report)).toEqual(['branch-children'])
  })

  test('finds an empty leaf below a branch', async () => {
    const report = await checkEdited((view, { leaf }) => {
      for (let at = leaf * PAGE + 10; at < (leaf + 1) * PAGE; at++) view.setUint8(at, 0)
    })
    expect(codes(report)).toEqual(['empty-leaf'])
  })

  test('finds a page that two places lead to, and stops there', async () => {
    const report = await checkEdited((view, { root, leaf }) => {
      const first = root * PAGE + 16
      view.setUint32(first + 8, leaf, true)
    })
    expect(codes(report)).toContain('page-reached-twice')
  })

  test('ends on a loop', async () => {
    const report = await checkEdited((view, { root }) => {
      view.setUint32(root * PAGE + 16 + 8, root, true)
    })
    expect(codes(report)).toContain('page-reached-twice')
  })

  test('finds stray bytes behind the content, and an element that does not follow the one before', async () => {
    const stray = await checkEdited((view, { leaf }) => view.setUint8((leaf + 1) * PAGE - 3, 9))
    expect(codes(stray)).toEqual(['page-seal'])
    const moved = await checkEdited((view, { leaf }) => {
      const element = leaf * PAGE + 16
      view.setUint32(element + 4, view.getUint32(element + 4, true) + 1, true)
    })
    expect(codes(moved)).toContain('page-packing')
  })

  test('finds keys out of order', async () => {
    const report = await checkEdited((view, { leaf }) => {
      const element = leaf * PAGE + 16 + 16
      const key = element + view.getUint32(element + 4, true)
      view.setUint8(key, 0xff)
    })
    expect(codes(report)).toContain('page-order')
  })

  test('finds a page that is in use and on the freelist, and one that is on neither side', async () => {
    const report = await checkEdited((view, { leaf }) => {
      let page = 2
      while (view.getUint16(page * PAGE + 8, true) !== 0x10) page++
      for (let p = page; p * PAGE < view.byteLength; p++) {
        if (view.getUint16(p * PAGE + 8, true) === 0x10) page = p
      }
      view.setBigUint64(page * PAGE + 16, BigInt(leaf), true)
    })
    expect(codes(report)).toContain('page-reached-free')
  })

  test('says which meta page can not be used, as a notice', async () => {
    const disk = new MemoryDisk()
    const { engine } = await sample(disk)
    const older = engine.core.previous?.slot ?? 0
    await engine.close()
    disk.flipBit('/a.db', older * PAGE + 20, 1)
    const torn = await openEngine('/a.db', { disk, readOnly: true })
    expect(torn.report.fallback).toMatchObject({ slot: older })
    const report = torn.check()
    expect(report.isClean).toBe(true)
    expect(report.notices).toHaveLength(1)
    expect(() => torn.check({ generation: 'previous' })).toThrow(/no generation before/)
    await torn.close()
  })

  test('finds a changed byte inside a value on a page that we wrote', async () => {
    const disk = new MemoryDisk()
    const { engine, leaf } = await sample(disk)
    await engine.close()
    disk.flipBit('/a.db', leaf * PAGE + 700, 0)
    const damaged = await openEngine('/a.db', { disk, readOnly: true })
    expect(codes(damaged.check())).toEqual(['page-seal'])
    expect(() => damaged.view((tx) => [...(tx.bucket('b')?.entries() ?? [])].length)).toThrow(
      /the seal in its tail does not match/,
    )
    await damaged.close()
  })
})
