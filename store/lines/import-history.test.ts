import { createHash } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { KvError } from '../../base/errors.ts'
import { PowerCut } from '../../disk/fault-plan.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { collect } from '../../proptest/behaviour/backend.ts'
import { put } from '../op.ts'
import { openOn } from '../open.ts'
import type { ImportHistoryOptions, ImportHistoryResult, LinesSource } from '../types/lines.ts'
import { exportLines } from './export.ts'
import { importHistoryOn } from './import-history.ts'

const TARGET = '/made'

/** A history of six revisions, the third of them compacted; two leases. */
let whole = ''
let hash = 0

beforeAll(async () => {
  const store = await openOn(new MemoryDisk(), '/store')
  await store.grant({ id: 7n, ttlSeconds: 500 })
  await store.grant({ id: -1n, ttlSeconds: 60 })
  await store.put('a', '1')
  await store.put('a', '2', { lease: 7n })
  await store.txn({ success: [put('b', new Uint8Array([0xff, 0])), put('c', '1')] })
  await store.delete('c')
  await store.put('a', '3', { ignoreLease: true })
  await store.compact(3, { physical: true })
  whole = (await collect(exportLines(store, { history: true }))).join('')
  hash = (await store.hashKV()).hash
  await store.close()
})

async function importInto(
  disk: MemoryDisk,
  lines: LinesSource,
  options?: ImportHistoryOptions,
): Promise<ImportHistoryResult> {
  return await importHistoryOn(disk, { lines, directory: TARGET }, options)
}

async function refusalOf(lines: string | Uint8Array): Promise<KvError> {
  const disk = new MemoryDisk()
  try {
    await importInto(disk, [lines])
  } catch (error) {
    if (!(error instanceof KvError)) throw error
    const left = disk.exists(TARGET) ? disk.list(TARGET) : []
    expect(left.filter((name) => name !== 'lock')).toEqual([])
    return error
  }
  return expect.fail('it was taken for whole')
}

function headOf(revision: number): string {
  const start = '{"type":"head","format":"revbolt-lines","formatVersion":1,"content":"history",'
  return `${start}"revision":${revision},"compactedRevision":0}`
}

/** The lines without their end, which is made anew for them. */
function withEnd(lines: readonly string[], end: object = {}): string {
  const text = lines.map((line) => `${line}\n`).join('')
  const sha256 = createHash('sha256').update(text).digest('hex')
  const fields = { type: 'end', count: lines.length - 1, revision: 6, sha256, ...end }
  return `${text}${JSON.stringify(fields)}\n`
}

function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -2)
}

async function mustHaveAll(disk: MemoryDisk): Promise<void> {
  const store = await openOn(disk, TARGET)
  expect((await store.hashKV()).hash).toBe(hash)
  const status = await store.status()
  expect([status.revision, status.compactedRevision]).toEqual([6, 3])
  expect((await store.get('c', { revision: 4 }))?.version).toBe(1)
  expect(await store.lease(7n, { keys: true })).toMatchObject({ ttlSeconds: 500, keys: ['a'] })
  expect(await store.leases()).toEqual([-1n, 7n])
  await store.revoke(7n)
  expect(await store.get('a')).toBeUndefined()
  await store.close()
}

describe('importHistory()', () => {
  test('makes a store that has all of it, and says what', async () => {
    const disk = new MemoryDisk()
    const facts = { revision: 6, compactedRevision: 3, keyCount: 2, revisionCount: 5 }
    expect(await importInto(disk, [whole])).toMatchObject({ ...facts, leaseCount: 2 })
    expect(disk.list(TARGET).sort()).toEqual(['db', 'lock'])
    await mustHaveAll(disk)
  })

  test('keeps what is left of a lease, which is no longer all of it', async () => {
    const lines = linesOf(whole).map((line) =>
      line.replace('"remainingSeconds":500', '"remainingSeconds":3'),
    )
    const disk = new MemoryDisk()
    await importInto(disk, [withEnd(lines)])
    const store = await openOn(disk, TARGET, { readOnly: true })
    expect(await store.lease(7n)).toMatchObject({ ttlSeconds: 500, remainingSeconds: 3 })
    expect((await collect(exportLines(store, { history: true }))).join('')).toBe(withEnd(lines))
    await store.close()
  })

  test('keeps etcd’s mark of a raised revision, and an empty history', async () => {
    for (const body of [
      ['{"type":"raise","revision":6,"sub":0}'],
      [
        '{"type":"put","revision":2,"sub":0,"key":"a","value":"","createRevision":2,"version":1}',
        '{"type":"raise","revision":6,"sub":0}',
      ],
      [],
    ]) {
      const revision = body.length === 0 ? 1 : 6
      const text = withEnd([headOf(revision), ...body], { revision })
      const disk = new MemoryDisk()
      expect((await importInto(disk, [text])).revision).toBe(revision)
      const store = await openOn(disk, TARGET)
      expect((await store.status()).revision).toBe(revision)
      expect((await collect(exportLines(store, { history: true }))).join('')).toBe(text)
      await store.close()
    }
  })

  test('writes as it reads: what waits in memory is bounded', async () => {
    const disk = new MemoryDisk()
    const valueBytes = 100_000
    const count = 60
    const hashOf = createHash('sha256')
    const lag: number[] = []
    function* lines(): Generator<string> {
      const head = `${headOf(count + 1)}\n`
      hashOf.update(head)
      yield head
      for (let i = 0; i < count; i++) {
        const at = { revision: i + 2, sub: 0, key: `k${i}`, value: 'x'.repeat(valueBytes) }
        const fields = { type: 'put', ...at, createRevision: i + 2, version: 1 }
        const line = `${JSON.stringify(fields)}\n`
        hashOf.update(line)
        yield line
        const partial = `${TARGET}/db.importing`
        const written = disk.exists(partial) ? disk.readFile(partial).length : 0
        lag.push(i * valueBytes - written)
      }
      const sha256 = hashOf.digest('hex')
      yield `${JSON.stringify({ type: 'end', count, revision: count + 1, sha256 })}\n`
    }
    expect((await importInto(disk, lines())).keyCount).toBe(count)
    expect(Math.max(...lag)).toBeLessThan(3 * 1024 * 1024)
  })

  test('tells how far it has come, up to the end', async () => {
    const told: number[] = []
    await importInto(new MemoryDisk(), [whole], {
      sizeBytes: whole.length,
      onProgress: ({ doneBytes, totalBytes }) => told.push(doneBytes / totalBytes),
    })
    expect(told.at(-1)).toBe(1)
  })
})

interface Doctored {
  readonly name: string
  readonly line: number
  readonly message: string
  change(lines: string[]): string[] | void
}

const swap = (lines: string[], a: number, b: number): void => {
  ;[lines[a], lines[b]] = [lines[b] ?? '', lines[a] ?? '']
}
const replace =
  (at: number, from: string, to: string) =>
  (lines: string[]): void => {
    expect(lines[at]).toContain(from)
    lines[at] = (lines[at] ?? '').replace(from, to)
  }

/** 0 head · 1, 2 leases · 3 put a · 4 put b · 5 put c · 6 delete c · 7 put a */
const DOCTORED: readonly Doctored[] = [
  {
    name: 'a version one too high',
    line: 8,
    message: 'version 4 follows version 2',
    change: replace(7, '"version":3', '"version":4'),
  },
  {
    name: 'a version one too low',
    line: 8,
    message: 'version 2 follows version 2',
    change: replace(7, '"version":3', '"version":2'),
  },
  {
    name: 'a first version that is not 1',
    line: 6,
    message: 'version 2 of a key that is not there',
    change: replace(5, '"version":1', '"version":2'),
  },
  {
    name: 'another creation',
    line: 8,
    message: 'created at 3, but at 2',
    change: replace(7, '"createRevision":2', '"createRevision":3'),
  },
  {
    name: 'a creation after the change',
    line: 5,
    message: 'created after',
    change: replace(4, '"createRevision":4', '"createRevision":5'),
  },
  {
    name: 'changes in another order',
    line: 6,
    message: 'revision 4.0 follows revision 4.1',
    change: (lines) => swap(lines, 4, 5),
  },
  {
    name: 'a change told twice',
    line: 6,
    message: 'follows revision 4.0',
    change: (lines) => void lines.splice(5, 0, lines[4] ?? ''),
  },
  {
    name: 'a change that is missing',
    line: 6,
    message: 'it deletes a key that is not there',
    change: (lines) => void lines.splice(5, 1),
  },
  {
    name: 'a last change that is missing',
    line: 9,
    message: 'the last revision is 6, but it is 5',
    change: (lines) => void lines.splice(7, 1),
  },
  {
    name: 'a revision beyond the head’s',
    line: 8,
    message: 'revision 7 is beyond',
    change: replace(7, '"revision":6', '"revision":7'),
  },
  {
    name: 'two rows of a key before the compaction',
    line: 7,
    message: 'which revision 6 compacted',
    change: replace(0, '"compactedRevision":3', '"compactedRevision":6'),
  },
  {
    name: 'a delete before the compaction',
    line: 4,
    message: 'a delete before revision 3',
    change: (lines) => void lines.splice(3, 0, '{"type":"delete","revision":2,"sub":0,"key":"z"}'),
  },
  {
    name: 'leases in another order',
    line: 3,
    message: 'lease -1 follows lease 7',
    change: (lines) => swap(lines, 1, 2),
  },
  {
    name: 'a lease told twice',
    line: 3,
    message: 'lease -1 follows lease -1',
    change: (lines) => void lines.splice(2, 0, lines[1] ?? ''),
  },
  {
    name: 'a lease among the changes',
    line: 4,
    message: 'leases come before',
    change: (lines) => void lines.splice(3, 0, lines.splice(2, 1)[0] ?? ''),
  },
  {
    name: 'a key of one revision',
    line: 9,
    message: 'a history has no keys',
    change: (lines) =>
      void lines.push(
        '{"type":"key","key":"a","value":"","createRevision":2,"modRevision":2,"version":1}',
      ),
  },
  {
    name: 'a second head',
    line: 9,
    message: 'a second head',
    change: (lines) => void lines.push(lines[0] ?? ''),
  },
  {
    name: 'no head',
    line: 1,
    message: 'no head of an export',
    change: (lines) => void lines.shift(),
  },
]

describe('importHistory() refuses, though the checksum is right,', () => {
  test.each(DOCTORED)('$name', async ({ line, message, change }) => {
    const lines = linesOf(whole)
    change(lines)
    const error = await refusalOf(withEnd(lines))
    expect(error.message).toMatch(new RegExp(`^line ${line}: `))
    expect(error.message).toContain(message)
  })

  test('another count, revision or checksum at the end, and what is behind it', async () => {
    const lines = linesOf(whole)
    const zeros = '0'.repeat(64)
    expect((await refusalOf(withEnd(lines, { count: 8 }))).message).toContain('it ends 8 lines')
    expect((await refusalOf(withEnd(lines, { revision: 7 }))).message).toContain('at revision 7')
    expect((await refusalOf(withEnd(lines, { sha256: zeros }))).message).toContain('checksum')
    expect((await refusalOf(`${whole}\n`)).message).toContain('line 10: it is behind the end')
    expect((await refusalOf(`${whole}more`)).message).toContain('it is behind the end')
  })
})

/** So that letters become others, and what is no text any more. */
const MASKS = [0x01, 0x20, 0x80]

describe('importHistory() refuses', () => {
  test('lines that were cut, wherever', async () => {
    const bytes = Buffer.from(whole)
    for (let size = 0; size < bytes.length; size += size < bytes.length - 120 ? 7 : 1) {
      const { code } = await refusalOf(bytes.subarray(0, size))
      expect([size, ['KV_CORRUPT', 'KV_BAD_FILE'].includes(code)]).toEqual([size, true])
    }
    expect((await refusalOf(whole.slice(0, -1))).message).toContain('cut off')
  })

  test('lines of which any byte was changed', async () => {
    const bytes = Buffer.from(whole)
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ (MASKS[at % MASKS.length] ?? 1)
      const { code } = await refusalOf(changed)
      const isKnown = ['KV_CORRUPT', 'KV_BAD_FILE', 'KV_BAD_VERSION'].includes(code)
      expect([at, isKnown]).toEqual([at, true])
    }
  })

  test('lines that were dropped, doubled or swapped', async () => {
    const lines = whole.split('\n').slice(0, -1)
    for (let i = 0; i < lines.length; i++) {
      await refusalOf(
        lines
          .toSpliced(i, 1)
          .map((line) => `${line}\n`)
          .join(''),
      )
      await refusalOf(
        lines
          .toSpliced(i, 0, lines[i] ?? '')
          .map((line) => `${line}\n`)
          .join(''),
      )
      for (let j = 0; j < i; j++) {
        const swapped = lines.with(i, lines[j] ?? '').with(j, lines[i] ?? '')
        await refusalOf(swapped.map((line) => `${line}\n`).join(''))
      }
    }
  })

  test('what is something else', async () => {
    const other = [new Uint8Array(0), Buffer.from('{"kvs":[]}\n'), Buffer.alloc(100_000, 7)]
    for (const lines of other) expect((await refusalOf(lines)).code).toBe('KV_BAD_FILE')
    const next = whole.replace('"formatVersion":1', '"formatVersion":2')
    expect((await refusalOf(next)).code).toBe('KV_BAD_VERSION')
    const store = await openOn(new MemoryDisk(), '/store')
    const keys = (await collect(exportLines(store))).join('')
    await store.close()
    expect((await refusalOf(keys)).message).toContain('importLines puts those into a store')
  })

  test('a directory that holds something, and what is no path and no option', async () => {
    const disk = new MemoryDisk()
    await importInto(disk, [whole])
    await expect(importInto(disk, [whole])).rejects.toMatchObject({ code: 'KV_EXISTS' })
    await mustHaveAll(disk)
    const call = async (places: unknown, options?: unknown): Promise<unknown> =>
      await importHistoryOn(disk, places as { lines: LinesSource; directory: unknown }, options)
    await expect(call({ lines: [whole], directory: '' })).rejects.toThrow(/^directory: it is/)
    await expect(call({ lines: 7, directory: '/x' })).rejects.toThrow(/^lines: expected/)
    await expect(call({ lines: [7], directory: '/x' })).rejects.toThrow(/^lines: expected strings/)
    const odd = call({ lines: [whole], directory: '/x' }, { prefix: 'a' })
    await expect(odd).rejects.toThrow(/^prefix: there is no such option/)
    expect(disk.exists('/x')).toBe(false)
  })
})

describe('importHistory() cut short', () => {
  test('by its signal, its listener or its lines leaves no store', async () => {
    const disk = new MemoryDisk()
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(importInto(disk, [whole], { signal })).rejects.toBe(reason)
    async function* broken(): AsyncGenerator<string> {
      yield whole.slice(0, 300)
      throw reason
    }
    await expect(importInto(disk, broken())).rejects.toBe(reason)
    expect(disk.list(TARGET)).toEqual(['lock'])
    await importInto(disk, [whole])
    await mustHaveAll(disk)
  })

  test('by a failing disk, wherever it fails, leaves no store and can be done again', async () => {
    const perfect = new MemoryDisk()
    await importInto(perfect, [whole])
    const count = perfect.operationCount
    for (let operation = 1; operation <= count; operation++) {
      const disk = new MemoryDisk()
      disk.injectFault({ operation, code: 'EIO' })
      await expect(importInto(disk, [whole])).rejects.toMatchObject({ code: 'KV_IO' })
      const left = disk.exists(TARGET) ? disk.list(TARGET) : []
      if (!left.includes('db')) {
        expect(left.filter((name) => name !== 'lock')).toEqual([])
        await importInto(disk, [whole])
      }
      await mustHaveAll(disk)
    }
  })

  test('by the power, wherever it is cut, leaves no store or all of it', async () => {
    const perfect = new MemoryDisk()
    await importInto(perfect, [whole])
    let found = 0
    for (let operation = 1; operation <= perfect.operationCount; operation++) {
      const disk = new MemoryDisk()
      disk.cutPowerAt(operation)
      await expect(importInto(disk, [whole])).rejects.toBeInstanceOf(PowerCut)
      for (let seed = 0; seed < 8; seed++) {
        const after = disk.afterPowerLoss(seed)
        if (after.exists(`${TARGET}/db`)) found++
        else await importInto(after, [whole])
        await mustHaveAll(after)
      }
    }
    expect(found).toBeGreaterThan(0)
  })

  test('by nothing, it is durable', async () => {
    const disk = new MemoryDisk()
    await importInto(disk, [whole])
    for (let seed = 0; seed < 20; seed++) await mustHaveAll(disk.afterPowerLoss(seed))
  })
})
