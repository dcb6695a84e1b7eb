/** Transactions by a function that meet others, and how they end. */
import { describe, expect, test } from 'vitest'
import { KvError } from '../../base/errors.ts'
import type { Isolation, Transaction } from '../../store/types/txn.ts'
import type { Backend, StoreOf } from './backend.ts'
import { codeOf, dump, expectCode, refusalOf, revisionOf, withStore } from './backend.ts'

export function transactOutcomeCases(backend: Backend): void {
  describe('transact() runs again', () => {
    conflictCases(backend)
  })
  describe('transact() ends', () => {
    endCases(backend)
    afterCases(backend)
    refusalCases(backend)
    limitCases(backend)
  })
  describe('transact() isolation', () => {
    isolationCases(backend)
  })
}

/** Counts in a key, `between` a read and the write of it. */
async function count(
  store: StoreOf<'utf8'>,
  between: (attempt: number) => Promise<unknown>,
): Promise<number> {
  let attempt = 0
  const { attempts } = await store.transact(async (t) => {
    attempt++
    const kv = await t.get('n')
    await between(attempt)
    t.put('n', String(Number(kv?.value ?? 0) + 1))
  })
  return attempts
}

function conflictCases(backend: Backend): void {
  test('when a key that it read was changed, deleted or made', async () => {
    await withStore(backend, async (store) => {
      expect(await count(store, async (i) => i === 1 && (await store.put('n', '10')))).toBe(2)
      expect((await store.get('n'))?.value).toBe('11')
      expect(await count(store, async (i) => i === 1 && (await store.put('n', '11')))).toBe(2)
      expect(await count(store, async (i) => i === 1 && (await store.delete('n')))).toBe(2)
      expect((await store.get('n'))?.value).toBe('1')
      expect(await count(store, async (i) => await store.put('other', String(i)))).toBe(1)
    })
  })

  test.each([
    ['appeared in', async (store: StoreOf<'utf8'>) => await store.put('r/3', '100')],
    ['was deleted from', async (store: StoreOf<'utf8'>) => await store.delete('r/1')],
    ['was changed in', async (store: StoreOf<'utf8'>) => await store.put('r/2', '100')],
  ] as const)('when a key %s a range that it read', async (_how, change) => {
    await withStore(backend, async (store) => {
      await store.put('r/1', '1')
      await store.put('r/2', '1')
      let runs = 0
      const { attempts } = await store.transact(async (t) => {
        const sum = (await t.range({ prefix: 'r/' })).reduce((n, kv) => n + Number(kv.value), 0)
        if (++runs === 1) await change(store)
        t.put('sum', String(sum))
      })
      const { kvs } = await store.range({ prefix: 'r/' })
      const sum = kvs.reduce((n, kv) => n + Number(kv.value), 0)
      expect([attempts, (await store.get('sum'))?.value]).toEqual([2, String(sum)])
    })
  })

  test('when what it reads is compacted meanwhile', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      let runs = 0
      const { value, attempts } = await store.transact(async (t) => {
        const first = await t.get('a')
        if (++runs === 1) {
          const { revision } = await store.put('b', '1')
          await store.compact(revision)
        }
        t.put('c', '1')
        // Caught or not, the run counts for nothing.
        const second = await t.get('b').catch(() => undefined)
        return [first?.value, second?.value]
      })
      expect([value, attempts]).toEqual([['1', '1'], 2])
    })
  })

  test('until every one of many that count in one key has counted', async () => {
    await withStore(backend, async (store) => {
      const all = await Promise.all(Array.from({ length: 16 }, () => count(store, async () => {})))
      expect((await store.get('n'))?.value).toBe('16')
      expect(Math.max(...all)).toBeLessThan(10)
    })
  })
}

function endCases(backend: Backend): void {
  test('with KV_CONFLICT after so many runs, and nothing written', async () => {
    await withStore(backend, async (store) => {
      let runs = 0
      const error = await expectCode('KV_CONFLICT', () =>
        store.transact(
          async (t) => {
            await t.get('n')
            await store.put('n', String(++runs))
            t.put('a', '1')
          },
          { attemptsMax: 3 },
        ),
      )
      expect([runs, error.outcome, (await dump(store)).length]).toEqual([3, 'none', 1])
    })
  })

  test('with what the function throws, and nothing written', async () => {
    await withStore(backend, async (store) => {
      const reason = new Error('mine')
      const asynchronous = store.transact(async (t) => {
        t.put('a', '1')
        await t.get('b')
        throw reason
      })
      await expect(asynchronous).rejects.toBe(reason)
      const synchronous = store.transact((t) => {
        t.put('a', '1')
        throw reason
      })
      await expect(synchronous).rejects.toBe(reason)
      expect(await revisionOf(store)).toBe(1)
    })
  })
}

function afterCases(backend: Backend): void {
  test('and its handle is of no use after that', async () => {
    await withStore(backend, async (store) => {
      let handle: Transaction | undefined
      await store.transact((t) => {
        handle = t
      })
      const t = handle
      if (t === undefined) return expect.fail('it never ran')
      expect(() => t.put('a', '1')).toThrow(KvError)
      expect(() => t.delete('a')).toThrow(KvError)
      expect(await codeOf(() => t.get('a'))).toBe('KV_TX_CLOSED')
      expect(await codeOf(() => t.range({}))).toBe('KV_TX_CLOSED')
    })
  })

  test('when it is aborted, also while the function waits', async () => {
    await withStore(backend, async (store) => {
      const controller = new AbortController()
      const reason = new Error('enough')
      const { signal } = controller
      const call = store.transact(
        async (t) => {
          t.put('a', '1')
          await t.get('a')
          controller.abort(reason)
          await new Promise(() => {})
        },
        { signal },
      )
      await expect(call).rejects.toBe(reason)
      await expect(store.transact(() => 1, { signal })).rejects.toBe(reason)
      expect(await revisionOf(store)).toBe(1)
    })
  })

  test('when the store is closed', async () => {
    await withStore(backend, async (store) => {
      let runs = 0
      const call = store.transact(async (t) => {
        await store.close()
        t.put('a', '1')
      })
      expect(await codeOf(() => call)).toBe('KV_CLOSED')
      expect(await codeOf(() => store.transact(() => runs++))).toBe('KV_CLOSED')
      expect(runs).toBe(0)
    })
  })
}

function refusalCases(backend: Backend): void {
  test('with the slip that it was called with', async () => {
    await withStore(backend, async (store) => {
      const slips: [unknown, unknown, ErrorConstructor, RegExp][] = [
        [undefined, undefined, TypeError, /^fn: /],
        [() => 1, { attempts: 1 }, TypeError, /^attempts: /],
        [() => 1, { attemptsMax: 0 }, RangeError, /^attemptsMax: /],
        [() => 1, { attemptsMax: '1' }, TypeError, /^attemptsMax: /],
        [() => 1, { isolation: 'none' }, RangeError, /^isolation: /],
        [() => 1, { signal: 1 }, TypeError, /^signal: /],
      ]
      const run: (fn: unknown, options: unknown) => Promise<unknown> = (fn, options) =>
        store.transact(fn as () => number, options as object)
      for (const [fn, options, kind, message] of slips) {
        const error = await refusalOf(() => run(fn, options))
        expect(error).toBeInstanceOf(kind)
        expect((error as Error).message).toMatch(message)
      }
    })
  })

  test('with a read that the store refused, even if the function caught it', async () => {
    await withStore(backend, async (store) => {
      const controller = new AbortController()
      const call = store.transact(
        async (t) => {
          controller.abort(new Error('enough'))
          await t.get('a').catch(() => undefined)
          t.put('a', '1')
        },
        { signal: controller.signal },
      )
      await expect(call).rejects.toThrow('enough')
      expect(await store.get('a')).toBeUndefined()
    })
  })

  test('or goes on after a slip, and after what could not be decoded', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', new Uint8Array([0xff]))
      let runs = 0
      const { attempts } = await store.transact(async (t) => {
        runs++
        await expect(t.get(5 as never)).rejects.toThrow(/^key: /)
        await expect(t.range({ prefx: 'a' } as object)).rejects.toThrow(/^prefx: /)
        expect(() => t.put('b', 5 as never)).toThrow(/^value: /)
        expect(() => t.put('b', '1', { ttl: 1 } as object)).toThrow(/^ttl: /)
        expect(() => t.delete({})).toThrow(/^keys: /)
        expect(() => t.put('', '1')).toThrow(KvError)
        if (runs === 1) {
          expect(await codeOf(() => t.get('a'))).toBe('KV_DECODE')
          await store.put('a', 'text')
        }
        t.put('b', '1')
      })
      expect(attempts).toBe(2)
    })
  })
}

function limitCases(backend: Backend): void {
  test('with KV_TXN_TOO_MANY_OPS, which says what it needed', async () => {
    await withStore(backend, async (store) => {
      for (let i = 0; i < 130; i++) await store.put(`k${i}`, '1')
      const error = await expectCode('KV_TXN_TOO_MANY_OPS', () =>
        store.transact(async (t) => {
          for (const kv of await t.range({ prefix: 'k' })) t.put(kv.key, '2')
          t.put('z', '1')
        }),
      )
      expect(error.message).toMatch(/131 compares.*131 operations/)
      const { attempts } = await store.transact(async (t) => {
        const all = await t.range({ prefix: 'k' })
        return all.length
      })
      expect(attempts).toBe(1)
    })
  })
}

function isolationCases(backend: Backend): void {
  test('what was read, and what was written, is compared as the level says', async () => {
    await withStore(backend, async (store) => {
      /** Reads `a`, writes `b`; meanwhile another writes what is named. Tells how often it ran. */
      const runs = async (isolation: Isolation, other: string): Promise<number> => {
        let run = 0
        const { attempts } = await store.transact(
          async (t) => {
            await t.get('a')
            if (++run === 1) await store.put(other, 'other')
            t.put('b', isolation)
          },
          { isolation },
        )
        expect((await store.get('b'))?.value).toBe(isolation)
        return attempts
      }
      for (const [isolation, ifRead, ifWritten] of [
        ['serializableSnapshot', 2, 2],
        ['serializable', 2, 1],
        ['repeatableReads', 2, 1],
        ['readCommitted', 1, 1],
      ] as const) {
        expect([await runs(isolation, 'a'), await runs(isolation, 'b')]).toEqual([
          ifRead,
          ifWritten,
        ])
      }
    })
  })

  test.each([
    ['serializableSnapshot', ['1', '1', '1', 'none']],
    ['serializable', ['1', '1', '1', 'none']],
    ['repeatableReads', ['1', '1', '2', '2']],
    ['readCommitted', ['1', '2', '2', '2']],
  ] as const)('%s: reads what it says', async (isolation, expected) => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      await store.put('b', '1')
      let seen: unknown
      await store
        .transact(
          async (t) => {
            const first = await t.get('a')
            await store.txn({
              success: ['a', 'b', 'c'].map((key) => ({ type: 'put', key, value: '2' })),
            })
            const [a, b, c] = [await t.get('a'), await t.get('b'), await t.get('c')]
            seen = [first?.value, a?.value, b?.value, c?.value ?? 'none']
            const range = (await t.range({})).map((kv) => kv.value)
            const all = [a?.value, b?.value, c?.value].filter((value) => value !== undefined)
            expect(range).toEqual(all)
          },
          { isolation, attemptsMax: 1 },
        )
        .catch(() => {})
      expect(seen).toEqual(expected)
    })
  })
}
