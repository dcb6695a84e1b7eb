/** Aborting, closing and opening again. */
import { describe, expect, test } from 'vitest'
import { isKvError } from '../../base/errors.ts'
import { get, put } from '../../store/op.ts'
import type { Backend, Opened, ReopenOptions, StoreOf } from './backend.ts'
import {
  briefAll,
  codeOf,
  collect,
  dump,
  expectCode,
  refusalOf,
  revisionOf,
  withStore,
} from './backend.ts'

export function lifecycleCases(backend: Backend): void {
  describe('signal', () => {
    abortCases(backend)
  })
  describe('status()', () => {
    statusCases(backend)
  })
  describe('close()', () => {
    closeCases(backend)
  })
  describe.skipIf(!backend.supports.reopen)('a store opened again', () => {
    reopenCases(backend)
  })
}

function abortCases(backend: Backend): void {
  test('aborted beforehand rejects every call with its reason and writes nothing', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      const reason = new Error('changed my mind')
      const signal = AbortSignal.abort(reason)
      const calls = [
        () => store.get('a', { signal }),
        () => store.range({ signal }),
        () => store.put('a', '2', { signal }),
        () => store.delete('a', { signal }),
        () => store.txn({ success: [put('a', '3')] }, { signal }),
        () => store.status({ signal }),
        async () => await collect(store.scan({ signal })),
      ]
      for (const call of calls) expect(await refusalOf(call)).toBe(reason)
      expect(await dump(store)).toEqual(['a=1 c2 m2 v1'])
    })
  })

  test('aborted without a reason gives an AbortError', async () => {
    await withStore(backend, async (store) => {
      const error = await refusalOf(() => store.get('a', { signal: AbortSignal.abort() }))
      expect(error).toMatchObject({ name: 'AbortError' })
    })
  })

  test('aborted after the call either leaves no trace or the whole write', async () => {
    await withStore(backend, async (store) => {
      const controller = new AbortController()
      const call = store.put('a', '1', { signal: controller.signal })
      controller.abort(new Error('late'))
      const [result] = await Promise.allSettled([call])
      const kv = await store.get('a')
      expect(kv?.value).toBe(result.status === 'fulfilled' ? '1' : undefined)
    })
  })

  test('aborted when all is done changes nothing', async () => {
    await withStore(backend, async (store) => {
      const controller = new AbortController()
      await store.put('a', '1', { signal: controller.signal })
      controller.abort()
      expect(await dump(store)).toEqual(['a=1 c2 m2 v1'])
    })
  })
}

function statusCases(backend: Backend): void {
  test('tells the revision, and that nothing is compacted', async () => {
    await withStore(backend, async (store) => {
      const empty = await store.status()
      expect([empty.revision, empty.compactedRevision ?? 0]).toEqual([1, 0])
      await store.put('a', '1')
      await store.delete('a')
      expect((await store.status()).revision).toBe(3)
    })
  })

  test.skipIf(!backend.supports.sizesAtOnce)(
    'tells sizes in bytes, of which no more is used than there is',
    async () => {
      await withStore(backend, async (store) => {
        await store.put('a', 'x'.repeat(100_000))
        const { sizeBytes, sizeInUseBytes } = await store.status()
        expect(sizeInUseBytes).toBeGreaterThanOrEqual(100_000)
        expect(sizeBytes).toBeGreaterThanOrEqual(sizeInUseBytes)
      })
    },
  )
}

function closeCases(backend: Backend): void {
  test('makes every later call KV_CLOSED', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      await store.close()
      const calls = [
        () => store.get('a'),
        () => store.range(),
        () => store.put('a', '2'),
        () => store.put('a', undefined, { ignoreValue: true }),
        () => store.delete('a'),
        () => store.txn({ success: [get('a')] }),
        () => store.txn({}),
        () => store.status(),
        async () => await collect(store.scan()),
      ]
      const codes: string[] = []
      for (const call of calls) codes.push(await codeOf(call))
      expect(codes).toEqual(calls.map(() => 'KV_CLOSED'))
    })
  })

  test('may be called again, and at the same time', async () => {
    await withStore(backend, async (store) => {
      await Promise.all([store.close(), store.close()])
      await store.close()
      await expect(store[Symbol.asyncDispose]()).resolves.toBeUndefined()
    })
  })

  test('is what the end of an `await using` block does', async () => {
    await withStore(backend, async (store) => {
      {
        await using used = store
        await used.put('a', '1')
      }
      expect(await codeOf(() => store.get('a'))).toBe('KV_CLOSED')
    })
  })

  test('lets calls already made come to an end', async () => {
    await withStore(backend, async (store, opened) => {
      const calls = ['1', '2', '3'].map(async (value) => await store.put('a', value))
      const closing = store.close()
      const results = await Promise.allSettled(calls)
      await closing
      const refused = results.filter((result) => result.status === 'rejected')
      expect(refused.map((result) => isKvError(result.reason, 'KV_CLOSED'))).toEqual(
        refused.map(() => true),
      )
      if (!backend.supports.reopen) return
      const done = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [`${i + 1}`] : []))
      const last = backend.supports.ordersCalls ? done.slice(-1) : done
      const again = await reopened(opened)
      expect(last.length === 0 ? [undefined] : last).toContain((await again.get('a'))?.value)
    })
  })
}

async function reopened(opened: Opened, options?: ReopenOptions): Promise<StoreOf<'utf8'>> {
  if (opened.reopen === undefined) throw new Error('this backend says that it can reopen')
  return await opened.reopen(options)
}

function reopenCases(backend: Backend): void {
  test('has its whole history', async () => {
    await withStore(backend, async (store, opened) => {
      await store.put('a', '1')
      await store.txn({ success: [put('a', '2'), put('b', '1')] })
      await store.delete('a')
      await store.put('a', '3')
      const before: string[][] = []
      for (let revision = 1; revision <= 5; revision++) before.push(await dump(store, revision))
      const again = await reopened(opened)
      expect(await revisionOf(again)).toBe(5)
      for (const [i, rows] of before.entries()) expect(await dump(again, i + 1)).toEqual(rows)
      expect(await dump(again)).toEqual(['a=3 c5 m5 v1', 'b=1 c3 m3 v1'])
    })
  })

  test('goes on with versions and revisions where it stopped', async () => {
    await withStore(backend, async (store, opened) => {
      await store.put('a', '1')
      await store.put('a', '2')
      let again = await reopened(opened)
      expect((await again.put('a', '3')).revision).toBe(4)
      again = await reopened(opened)
      await again.delete('a')
      again = await reopened(opened)
      await again.put('a', '4')
      expect(await dump(again)).toEqual(['a=4 c6 m6 v1'])
      expect(await dump(again, 4)).toEqual(['a=3 c2 m4 v3'])
    })
  })

  test('keeps its revision also where its last act was a delete', async () => {
    await withStore(backend, async (store, opened) => {
      await store.put('a', '1')
      await store.delete('a')
      const again = await reopened(opened)
      expect([await revisionOf(again), await dump(again)]).toEqual([3, []])
      expect(await dump(again, 2)).toEqual(['a=1 c2 m2 v1'])
    })
  })

  test('is at revision 1 where nothing was written', async () => {
    await withStore(backend, async (_, opened) => {
      const again = await reopened(opened)
      expect([await revisionOf(again), await dump(again)]).toEqual([1, []])
    })
  })

  readOnlyCases(backend)
}

function readOnlyCases(backend: Backend): void {
  test('makes no revision by opening', async () => {
    await withStore(backend, async (store, opened) => {
      await store.put('a', '1')
      for (let i = 0; i < 3; i++) expect(await revisionOf(await reopened(opened))).toBe(2)
    })
  })

  test.skipIf(!backend.supports.readOnly)('for reading only refuses every write', async () => {
    await withStore(backend, async (store, opened) => {
      await store.put('a', '1')
      await store.put('a', '2')
      const reader = await reopened(opened, { readOnly: true })
      await expectCode('KV_READ_ONLY', () => reader.put('a', '3'))
      await expectCode('KV_READ_ONLY', () => reader.delete('a'))
      await expectCode('KV_READ_ONLY', () => reader.txn({ success: [put('a', '3')] }))
      expect((await reader.txn({ success: [get('a')] })).results.length).toBe(1)
      expect(await dump(reader)).toEqual(['a=2 c2 m3 v2'])
      expect(await dump(reader, 2)).toEqual(['a=1 c2 m2 v1'])
      expect(briefAll(await collect(reader.scan()))).toEqual(['a=2 c2 m3 v2'])
      const writer = await reopened(opened)
      expect((await writer.put('a', '3')).revision).toBe(4)
    })
  })
}
