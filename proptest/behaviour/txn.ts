/** Transactions: etcd's documented cases. */
import { describe, expect, test } from 'vitest'
import { compare, del, get, put, range, txnOp } from '../../store/op.ts'
import type { Compare, Op } from '../../store/types/txn.ts'
import type { Backend } from './backend.ts'
import { briefResult, dump, expectCode, revisionOf, withStore } from './backend.ts'

export function txnCases(backend: Backend): void {
  describe('txn()', () => {
    runCases(backend)
  })
  describe('txn() compares', () => {
    compareCases(backend)
  })
  describe('txn() refuses a key written twice', () => {
    duplicateCases(backend)
  })
  describe('txn() refuses too many operations', () => {
    countCases(backend)
  })
  describe('txn() checks before it writes', () => {
    checkCases(backend)
  })
  describe.skipIf(!backend.supports.nestedTxn)('txn() within txn()', () => {
    nestedCases(backend)
  })
}

function runCases(backend: Backend): void {
  test('runs success when the compares hold, failure otherwise', async () => {
    await withStore(backend, async (store) => {
      await store.put('theme', 'dark')
      const request = {
        compare: [compare('theme').value('=', 'dark')],
        success: [put('theme', 'light')],
        failure: [get('theme')],
      }
      const first = await store.txn(request)
      expect([first.succeeded, first.revision]).toEqual([true, 3])
      expect(first.results.map((result) => briefResult(result))).toEqual(['put previous none'])
      const second = await store.txn(request)
      expect([second.succeeded, second.revision]).toEqual([false, 3])
      expect(second.results.map((result) => briefResult(result))).toEqual([
        'get theme=light c2 m3 v2',
      ])
    })
  })

  test('without compares succeeds; without operations does nothing', async () => {
    await withStore(backend, async (store) => {
      expect(await store.txn({})).toMatchObject({ succeeded: true, revision: 1, results: [] })
      expect((await store.txn({ success: [put('a', '1')] })).revision).toBe(2)
      const failed = await store.txn({ compare: [compare('a').version('=', 0)] })
      expect(failed).toMatchObject({ succeeded: false, revision: 2, results: [] })
    })
  })

  test('writes all its keys in one revision, and history has them together', async () => {
    await withStore(backend, async (store) => {
      await store.txn({ success: [put('key1', 'v1'), put('key2', 'v2')] })
      await store.txn({ success: [put('key1', 'v12'), put('key2', 'v22')] })
      expect(await dump(store)).toEqual(['key1=v12 c2 m3 v2', 'key2=v22 c2 m3 v2'])
      expect(await dump(store, 2)).toEqual(['key1=v1 c2 m2 v1', 'key2=v2 c2 m2 v1'])
      expect(await dump(store, 1)).toEqual([])
    })
  })

  readOwnWritesCases(backend)
}

function readOwnWritesCases(backend: Backend): void {
  test('reads what it wrote before, in the order of its operations', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      const { results, revision } = await store.txn({
        success: [
          get('a'),
          put('a', '2', { previous: true }),
          get('a'),
          range({ prefix: '' }),
          del('b', { previous: true }),
          put('c', '3'),
          range({ prefix: '', order: 'descend', limit: 1 }),
          range({ prefix: '', keysOnly: true }),
          range({ prefix: '', countOnly: true }),
        ],
      })
      expect(revision).toBe(3)
      expect(results.map((result) => briefResult(result))).toEqual([
        'get a=1 c2 m2 v1',
        'put previous a=1 c2 m2 v1',
        'get a=2 c2 m3 v2',
        'range count 1 [a=2 c2 m3 v2]',
        'delete 0 []',
        'put previous none',
        'range count 2 more [c=3 c3 m3 v1]',
        'range count 2 [a c2 m3 v2, c c3 m3 v1]',
        'range count 2 []',
      ])
    })
  })

  test('reads at an older revision', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      await store.put('a', '2')
      const success = [put('a', '3'), get('a', { revision: 2 }), range({ revision: 1 }), get('a')]
      const { results } = await store.txn({ success })
      expect(results.map((result) => briefResult(result))).toEqual([
        'put previous none',
        'get a=1 c2 m2 v1',
        'range count 0 []',
        'get a=3 c2 m4 v3',
      ])
    })
  })

  deleteInTxnCases(backend)
}

function deleteInTxnCases(backend: Backend): void {
  test('deletes in one revision; what is gone already is deleted 0 times', async () => {
    await withStore(backend, async (store) => {
      await store.txn({ success: [put('a', '1'), put('b', '2'), put('c', '3')] })
      const success = [del({ prefix: 'a' }, { previous: true }), del('a'), del({ fromKey: 'b' })]
      const { results, revision } = await store.txn({ success })
      expect(results.map((result) => briefResult(result))).toEqual([
        'delete 1 [a=1 c2 m2 v1]',
        'delete 0 []',
        'delete 2 []',
      ])
      expect([revision, await dump(store)]).toEqual([3, []])
    })
  })

  test('that wrote nothing makes no revision', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      expect((await store.txn({ success: [get('a'), range(), del('b')] })).revision).toBe(2)
      expect((await store.txn({ success: [del({ prefix: 'x' })] })).revision).toBe(2)
      expect((await store.put('b', '1')).revision).toBe(3)
    })
  })

  test('deletes a key and leaves it to the next transaction to put it anew', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      await store.txn({ success: [del('a'), put('b', '1')] })
      expect(await dump(store)).toEqual(['b=1 c3 m3 v1'])
    })
  })
}

interface CompareCase {
  readonly name: string
  readonly compare: Compare<string>
  readonly holds: boolean
}

// The store: a put at 2, b put at 3 and 4, c put at 5 and deleted at 6.
const COMPARES: readonly CompareCase[] = [
  { name: 'value =', compare: compare('a').value('=', 'one'), holds: true },
  { name: 'value = another', compare: compare('a').value('=', 'on'), holds: false },
  { name: 'value !=', compare: compare('a').value('!=', 'two'), holds: true },
  { name: 'value <', compare: compare('a').value('<', 'onf'), holds: true },
  { name: 'value < itself', compare: compare('a').value('<', 'one'), holds: false },
  { name: 'value >', compare: compare('a').value('>', 'on'), holds: true },
  { name: 'value = of a missing key', compare: compare('x').value('=', ''), holds: false },
  { name: 'value != of a missing key', compare: compare('x').value('!=', 'y'), holds: false },
  { name: 'value != of a deleted key', compare: compare('c').value('!=', 'y'), holds: false },
  { name: 'version =', compare: compare('b').version('=', 2), holds: true },
  { name: 'version >', compare: compare('b').version('>', 1), holds: true },
  { name: 'version > itself', compare: compare('b').version('>', 2), holds: false },
  { name: 'version = 0 of a missing key', compare: compare('x').version('=', 0), holds: true },
  { name: 'version = 0 of a deleted key', compare: compare('c').version('=', 0), holds: true },
  { name: 'version < 1 of a missing key', compare: compare('x').version('<', 1), holds: true },
  { name: 'version = 0 of a present key', compare: compare('a').version('=', 0), holds: false },
  { name: 'create revision =', compare: compare('b').createRevision('=', 3), holds: true },
  { name: 'create revision <', compare: compare('b').createRevision('<', 3), holds: false },
  {
    name: 'create revision = 0 of none',
    compare: compare('x').createRevision('=', 0),
    holds: true,
  },
  { name: 'mod revision =', compare: compare('b').modRevision('=', 4), holds: true },
  { name: 'mod revision !=', compare: compare('b').modRevision('!=', 4), holds: false },
  { name: 'mod revision < ahead', compare: compare('b').modRevision('<', 100), holds: true },
  { name: 'mod revision > 0 of none', compare: compare('x').modRevision('>', 0), holds: false },
  { name: 'lease = none', compare: compare('a').lease('=', 0n), holds: true },
  { name: 'lease > none', compare: compare('a').lease('>', 0n), holds: false },
  { name: 'lease != an id', compare: compare('a').lease('!=', { id: 7n }), holds: true },
  { name: 'lease < an id, missing key', compare: compare('x').lease('<', 7n), holds: true },
  { name: 'every key of a prefix', compare: compare({ prefix: '' }).version('>', 0), holds: true },
  {
    name: 'not every key of a range',
    compare: compare({ prefix: '' }).version('=', 1),
    holds: false,
  },
  { name: 'start alone', compare: compare({ start: 'a', end: 'b' }).version('=', 1), holds: true },
  { name: 'values of a range', compare: compare({ fromKey: 'b' }).value('=', 'two'), holds: true },
  { name: 'one value differs', compare: compare({ fromKey: 'a' }).value('=', 'one'), holds: false },
  { name: 'all values differ', compare: compare({ fromKey: 'a' }).value('!=', 'x'), holds: true },
  {
    name: 'version of an empty range',
    compare: compare({ prefix: 'x' }).version('=', 0),
    holds: true,
  },
  {
    name: 'value of an empty range',
    compare: compare({ prefix: 'x' }).value('!=', 'y'),
    holds: false,
  },
]

function compareCases(backend: Backend): void {
  test('hold or not, one by one', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', 'one')
      await store.put('b', 'one')
      await store.put('b', 'two')
      await store.put('c', 'three')
      await store.delete('c')
      const judged: string[] = []
      for (const { name, compare: judgedCompare } of COMPARES) {
        const { succeeded } = await store.txn({ compare: [judgedCompare] })
        judged.push(`${name}: ${succeeded}`)
      }
      expect(judged).toEqual(COMPARES.map(({ name, holds }) => `${name}: ${holds}`))
    })
  })

  test('must all hold', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      const yes = compare('a').version('=', 1)
      const no = compare('a').version('=', 2)
      expect((await store.txn({ compare: [yes, yes] })).succeeded).toBe(true)
      expect((await store.txn({ compare: [yes, no] })).succeeded).toBe(false)
      expect((await store.txn({ compare: [no, yes] })).succeeded).toBe(false)
    })
  })

  test('are judged before anything is written', async () => {
    await withStore(backend, async (store) => {
      const { succeeded } = await store.txn({
        compare: [compare('a').createRevision('=', 0)],
        success: [put('a', '1')],
        failure: [put('a', '2')],
      })
      expect([succeeded, await dump(store)]).toEqual([true, ['a=1 c2 m2 v1']])
    })
  })
}

interface ListCase {
  readonly name: string
  readonly list: readonly Op<string>[]
  readonly nested?: boolean
  readonly openEnded?: boolean
}

const A = put('a', '1')
const B = put('b', '1')

const DUPLICATES: readonly ListCase[] = [
  { name: 'a key put twice', list: [A, put('a', '2')] },
  { name: 'a key put twice the same', list: [A, B, A] },
  { name: 'a key put, then deleted', list: [A, del('a')] },
  { name: 'a key deleted, then put', list: [del('a'), A] },
  { name: 'a put in a deleted prefix', list: [A, del({ prefix: '' })], openEnded: true },
  { name: 'a put in a deleted range', list: [del({ start: 'a', end: 'b' }), A] },
  { name: 'a put after a deleted start', list: [B, del({ fromKey: 'aa' })], openEnded: true },
  { name: 'a nested put of the same key', list: [A, txnOp({ success: [A] })], nested: true },
  { name: 'a nested put of it in failure', list: [A, txnOp({ failure: [A] })], nested: true },
  {
    name: 'a nested put of what is deleted here',
    list: [txnOp({ success: [A] }), del('a')],
    nested: true,
  },
  {
    name: 'a put of what a nested one deletes',
    list: [A, txnOp({ failure: [del('a')] })],
    nested: true,
  },
  {
    name: 'siblings that put the same key, in any list',
    list: [txnOp({ success: [A] }), txnOp({ failure: [A] })],
    nested: true,
  },
  {
    name: 'a put in what an earlier sibling deletes',
    list: [txnOp({ success: [del({ prefix: '' })] }), txnOp({ success: [A] })],
    nested: true,
    openEnded: true,
  },
]

const NO_DUPLICATES: readonly ListCase[] = [
  { name: 'different keys', list: [A, B] },
  { name: 'a put beside a range that ends before it', list: [B, del({ start: 'a', end: 'b' })] },
  { name: 'deletes that overlap', list: [del('a'), del({ prefix: 'a' }), del({ prefix: '' })] },
  { name: 'reads of what is put', list: [A, get('a'), range(), get('a')] },
  {
    name: 'a nested put in both lists',
    list: [txnOp({ success: [A], failure: [A] })],
    nested: true,
  },
  {
    name: 'siblings that delete the same key',
    list: [txnOp({ success: [del('a')] }), txnOp({ success: [del('a')] })],
    nested: true,
  },
]

function duplicateCases(backend: Backend): void {
  const known = (cases: readonly ListCase[]): readonly ListCase[] =>
    cases
      .filter(({ nested }) => nested !== true || backend.supports.nestedTxn)
      .filter(({ openEnded }) => openEnded !== true || backend.supports.openEndedDuplicates)

  test.each(known(DUPLICATES))('$name', async ({ list }) => {
    await withStore(backend, async (store) => {
      await store.put('z', '1')
      await expectCode('KV_TXN_DUPLICATE_KEY', () => store.txn({ success: list }))
      // Also where the list doesn't run.
      await expectCode('KV_TXN_DUPLICATE_KEY', () => store.txn({ failure: list }))
      expect(await dump(store)).toEqual(['z=1 c2 m2 v1'])
      expect(await revisionOf(store)).toBe(2)
    })
  })

  test.each(known(NO_DUPLICATES))('but not $name', async ({ list }) => {
    await withStore(backend, async (store) => {
      expect((await store.txn({ success: list })).succeeded).toBe(true)
    })
  })

  test('but not one in each list', async () => {
    await withStore(backend, async (store) => {
      expect((await store.txn({ success: [A], failure: [del('a')] })).revision).toBe(2)
    })
  })
}

function countCases(backend: Backend): void {
  const many = Array.from({ length: 128 }, (_, i) => i)
  const ops = many.map((i) => put(`k${i}`, ''))
  const compares = many.map((i) => compare(`k${i}`).version('=', 0))

  test('in any of the lists, beyond 128', async () => {
    await withStore(backend, async (store) => {
      const code = 'KV_TXN_TOO_MANY_OPS'
      const oneMore = compare('more').version('=', 0)
      await expectCode(code, () => store.txn({ success: [...ops, put('more', '')] }))
      await expectCode(code, () => store.txn({ failure: [...ops, get('more')] }))
      await expectCode(code, () => store.txn({ compare: [...compares, oneMore] }))
      expect(await revisionOf(store)).toBe(1)
    })
  })

  test('but not 128 in each', async () => {
    await withStore(backend, async (store) => {
      const { succeeded } = await store.txn({ compare: compares, success: ops, failure: ops })
      expect([succeeded, (await store.range({ countOnly: true })).count]).toEqual([true, 128])
    })
  })

  test.skipIf(!backend.supports.nestedTxn)('and counts down with each level', async () => {
    await withStore(backend, async (store) => {
      const code = 'KV_TXN_TOO_MANY_OPS'
      await expectCode(code, () => store.txn({ success: [txnOp({ success: ops })] }))
      await store.txn({ success: [txnOp({ success: ops.slice(1) })] })
      expect((await store.range({ countOnly: true })).count).toBe(127)
    })
  })
}

function checkCases(backend: Backend): void {
  const refused = [
    { name: 'a revision ahead', code: 'KV_FUTURE_REVISION', op: get('a', { revision: 3 }) },
    { name: 'a range ahead', code: 'KV_FUTURE_REVISION', op: range({ revision: 99 }) },
    { name: 'a missing lease', code: 'KV_LEASE_NOT_FOUND', op: put('c', '1', { lease: 9n }) },
    {
      name: 'a value to keep of a missing key',
      code: 'KV_KEY_NOT_FOUND',
      op: put('c', undefined, { ignoreValue: true }),
    },
    {
      name: 'a lease to keep of a key made in the same transaction',
      code: 'KV_KEY_NOT_FOUND',
      op: put('c', '1', { ignoreLease: true }),
    },
  ] as const

  test.each(refused)('$name', async ({ code, op }) => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      const rows = await dump(store)
      await expectCode(code, () => store.txn({ success: [put('b', '1'), op] }))
      expect([await dump(store), await revisionOf(store)]).toEqual([rows, 2])
      // Of the list that doesn't run nothing is asked.
      const { succeeded } = await store.txn({ success: [put('b', '1')], failure: [op] })
      expect([succeeded, await revisionOf(store)]).toEqual([true, 3])
    })
  })

  test('an empty key anywhere', async () => {
    await withStore(backend, async (store) => {
      const requests = [
        { success: [put('', '1')] },
        { success: [put('a', '1'), get('')] },
        { success: [del('')] },
        { success: [range({ key: '' })] },
        { failure: [put('', '1')] },
        { compare: [compare('').version('=', 0)], success: [put('a', '1')] },
      ]
      for (const request of requests) await expectCode('KV_KEY_EMPTY', () => store.txn(request))
      expect(await revisionOf(store)).toBe(1)
    })
  })

  test('a kept value is the one from before the transaction', async () => {
    await withStore(backend, async (store) => {
      await store.put('a', '1')
      await store.txn({ success: [put('a', undefined, { ignoreValue: true }), get('a')] })
      expect(await dump(store)).toEqual(['a=1 c2 m3 v2'])
    })
  })
}

function nestedCases(backend: Backend): void {
  test('judges every compare against the state before', async () => {
    await withStore(backend, async (store) => {
      const inner = txnOp({
        compare: [compare('a').version('=', 0)],
        success: [put('b', 'was missing')],
        failure: [put('b', 'was there')],
      })
      const { results, revision } = await store.txn({ success: [A, inner, get('b')] })
      expect(results.map((result) => briefResult(result))).toEqual([
        'put previous none',
        'txn true {put previous none}',
        `get b="was missing" c2 m2 v1`,
      ])
      expect(revision).toBe(2)
    })
  })

  test('gives results that nest as the operations do', async () => {
    await withStore(backend, async (store) => {
      await store.put('z', '1')
      const deepest = txnOp({ success: [get('a'), range({ prefix: '', keysOnly: true })] })
      const middle = txnOp({
        compare: [compare('a').value('=', 'never')],
        success: [put('never', '')],
        failure: [B, deepest, del('z', { previous: true })],
      })
      const { results } = await store.txn({ success: [A, middle, txnOp({}), get('a')] })
      expect(results.map((result) => briefResult(result))).toEqual([
        'put previous none',
        'txn false {put previous none; ' +
          'txn true {get a=1 c3 m3 v1; range count 3 [a c3 m3 v1, b c3 m3 v1, z c2 m2 v1]}; ' +
          'delete 1 [z=1 c2 m2 v1]}',
        'txn true {}',
        'get a=1 c3 m3 v1',
      ])
      expect(await dump(store)).toEqual(['a=1 c3 m3 v1', 'b=1 c3 m3 v1'])
    })
  })

  test('makes no revision where no level wrote', async () => {
    await withStore(backend, async (store) => {
      const inner = txnOp({ success: [get('a'), del('a')] })
      expect((await store.txn({ success: [inner, inner] })).revision).toBe(1)
    })
  })

  test('refuses what is nested deeper than the limit, however deep', async () => {
    await withStore(backend, async (store) => {
      for (const depth of [128, 300]) {
        let op: Op<string> = A
        for (let i = 0; i < depth; i++) op = txnOp({ success: [op] })
        await expectCode('KV_TXN_TOO_MANY_OPS', () => store.txn({ success: [op] }))
      }
      let op: Op<string> = A
      for (let i = 0; i < 127; i++) op = txnOp({ success: [op] })
      await store.txn({ success: [op] })
      expect(await dump(store)).toEqual(['a=1 c2 m2 v1'])
    })
  })

  test('checks the whole path before anything is written', async () => {
    await withStore(backend, async (store) => {
      const inner = txnOp({ success: [get('a', { revision: 50 })] })
      await expectCode('KV_FUTURE_REVISION', () => store.txn({ success: [A, inner] }))
      expect(await revisionOf(store)).toBe(1)
    })
  })
}
