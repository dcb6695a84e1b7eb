/**
 * Where a store in this process answers otherwise than etcd 3.4: a question each, and what either
 * says.
 *
 * docs/etcd-differences.md has a row of the same name for each, with the reason.
 */

import { setTimeout } from 'node:timers/promises'
import { del, isKvError, put } from '../../index.ts'
import type { StoreOf } from '../behaviour/backend.ts'
import { brief } from '../behaviour/backend.ts'
import { lines, take } from '../behaviour/watch.ts'

type Utf8Store = StoreOf<'utf8'>

/** One of the two that are asked. */
export interface Side {
  readonly store: Utf8Store
  /** Ends it in peace and starts it again. */
  restart(): Promise<Utf8Store>
}

export interface Difference {
  readonly name: string
  /** A quota for either; undefined: none. */
  readonly quotaBytes?: number
  ask(side: Side): Promise<string>
  readonly here: string
  readonly etcd: string
}

/** What a call came to: its revision, or the code it was refused with. */
async function outcomeOf(call: () => Promise<{ readonly revision: number }>): Promise<string> {
  try {
    return `@${(await call()).revision}`
  } catch (error) {
    if (isKvError(error)) return error.code
    if (/required revision has been compacted/.test(String(error))) return 'KV_COMPACTED'
    throw error
  }
}

/** Writes until it is refused. */
async function fill(store: Utf8Store): Promise<string> {
  for (let i = 0; i < 1000; i++) {
    const outcome = await outcomeOf(async () => await store.put(`k${i}`, 'x'.repeat(1000)))
    if (!outcome.startsWith('@')) return outcome
  }
  return 'never full'
}

/** The least request that is refused by default has so many bytes of key and value, about. */
const LIMIT = 1_572_864

/** Two writes, a delete at revision 3, and a write after it; then all before 3 is dropped. */
async function compactAtTombstone(store: Utf8Store): Promise<void> {
  await store.put('a', '1')
  await store.delete('a')
  await store.put('b', '1')
  await store.compact(3, { physical: true })
}

export const DIFFERENCES: readonly Difference[] = [
  {
    name: 'hash at the compacted revision',
    ask: async ({ store }) => {
      await store.put('a', '1')
      await store.put('a', '2')
      await store.compact(2, { physical: true })
      return await outcomeOf(async () => await store.hashKV({ revision: 2 }))
    },
    here: '@3',
    etcd: 'KV_COMPACTED',
  },
  {
    name: 'a delete at the compacted revision, watched',
    ask: async ({ store }) => {
      await compactAtTombstone(store)
      const batches = await take(store.watch({ startRevision: 3 }), 1)
      const later = await take(store.watch({ startRevision: 4 }), 1)
      return lines([...batches, ...later]).join(', ')
    },
    here: 'delete a m3, put b=1 c4 m4 v1, put b=1 c4 m4 v1',
    etcd: 'put b=1 c4 m4 v1, put b=1 c4 m4 v1',
  },
  {
    name: 'a delete without end beside a put',
    ask: async ({ store }) =>
      await outcomeOf(async () => {
        return await store.txn({ success: [put('k', '1'), del({ fromKey: 'a' })] })
      }),
    here: 'KV_TXN_DUPLICATE_KEY',
    etcd: '@2',
  },
  {
    name: 'compaction at 0',
    ask: async ({ store }) => {
      await store.put('a', '1')
      const first = await outcomeOf(async () => await store.compact(0))
      return `${first} ${await outcomeOf(async () => await store.compact(0))}`
    },
    here: 'KV_COMPACTED KV_COMPACTED',
    etcd: '@2 KV_COMPACTED',
  },
  {
    name: 'equal sort keys',
    ask: async ({ store }) => {
      const keys = Array.from({ length: 100 }, (_, i) => `k${String(i).padStart(2, '0')}`)
      await store.txn({ success: keys.map((key, i) => put(key, String(i % 7))) })
      const { kvs } = await store.range({ sortBy: 'value', order: 'descend' })
      const isOrdered = kvs.every(({ key, value }, i) => {
        const after = kvs[i + 1]
        return after === undefined || value > after.value || key < after.key
      })
      return isOrdered ? 'in key order' : 'in no order'
    },
    here: 'in key order',
    etcd: 'in no order',
  },
  {
    name: 'the size of a request',
    ask: async ({ store }) => {
      const keyAndValue = [LIMIT - 100, LIMIT - 1, LIMIT + 1]
      const outcomes = keyAndValue.map(async (size) => {
        return await outcomeOf(async () => await store.put('k', 'x'.repeat(size - 1)))
      })
      const taken = (await Promise.all(outcomes)).map((outcome) => outcome.startsWith('@'))
      return taken.join(' ')
    },
    here: 'true true false',
    etcd: 'true false false',
  },
  {
    name: 'room after a full quota',
    quotaBytes: 200_000,
    ask: async ({ store }) => {
      const full = await fill(store)
      await store.delete({ prefix: '' })
      await store.compact((await store.status()).revision, { physical: true })
      const again = await outcomeOf(async () => await store.put('small', '1'))
      const alarms = (await store.alarms()).map(({ type }) => type)
      return `${full}, ${again.replace(/\d+/, 'N')} [${alarms.join(' ')}]`
    },
    here: 'KV_NO_SPACE, @N []',
    etcd: 'KV_NO_SPACE, KV_NO_SPACE [NOSPACE]',
  },
  {
    name: 'the compacted revision',
    ask: async ({ store }) => {
      await store.put('a', '1')
      await store.compact(2)
      return String((await store.status()).compactedRevision)
    },
    here: '2',
    etcd: 'undefined',
  },
  {
    name: 'the time of a lease over a restart',
    ask: async ({ store, restart }) => {
      await store.grant({ id: 7n, ttlSeconds: 1000 })
      await setTimeout(2100)
      const again = await restart()
      const { remainingSeconds = 0 } = (await again.lease(7n)) ?? {}
      return remainingSeconds < 999 ? 'goes on' : 'begins again'
    },
    here: 'goes on',
    etcd: 'begins again',
  },
  {
    name: 'calls that are not waited for',
    ask: async ({ store }) => {
      const values = Array.from({ length: 200 }, (_, i) => String(i))
      const done = await Promise.all(values.map(async (value) => await store.put('a', value)))
      const isOrdered = done.every(({ revision }, i) => revision === i + 2)
      const last = brief(await store.get('a'))
      return isOrdered ? `in order: ${last}` : 'in any order'
    },
    here: 'in order: a=199 c2 m201 v200',
    etcd: 'in any order',
  },
  {
    name: 'what is not text',
    ask: async ({ store }) => {
      await store.put('a', Uint8Array.of(0xff))
      const replaced = async (): Promise<{ readonly revision: number }> =>
        await store.put('a', '2', { previous: true })
      return `${await outcomeOf(replaced)} @${(await store.status()).revision}`
    },
    here: 'KV_DECODE @2',
    etcd: 'KV_DECODE @3',
  },
  {
    name: 'where a scan begins',
    ask: async ({ store }) => {
      await store.put('a', '1')
      const scan = store.scan()
      await store.put('a', '2')
      const found: string[] = []
      for await (const kv of scan) found.push(brief(kv))
      return found.join()
    },
    here: 'a=1 c2 m2 v1',
    etcd: 'a=2 c2 m3 v2',
  },
  {
    name: 'progress of a watch',
    ask: async ({ store }) => {
      await store.put('b', '1')
      const watch = store.watch({ key: 'a', startRevision: 2, progress: true })
      const first = watch[Symbol.asyncIterator]().next()
      const told = await Promise.race([first, setTimeout(1000)])
      await watch.cancel()
      return told === undefined ? 'later' : `at once: ${told.value?.revision}`
    },
    here: 'at once: 2',
    etcd: 'later',
  },
  {
    name: 'sizes in status',
    ask: async ({ store }) => {
      for (let i = 1; i <= 20; i++) {
        await store.put(`k${i}`, 'x'.repeat(100_000))
        const { sizeInUseBytes } = await store.status()
        if (sizeInUseBytes < i * 100_000) return 'without'
      }
      return 'with what was written'
    },
    here: 'with what was written',
    etcd: 'without',
  },
]
