/**
 * Namespaces of a store in this process, among keys of others that lie as near as can be. They must
 * never be seen, and never change.
 *
 * The suite counts revisions from 1. So the others' keys are of revision 1, which no store writes:
 * they are laid into the file, before the store first opens it.
 */
import { describe, expect } from 'vitest'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { Disk } from '../../disk/disk.ts'
import { openEngine } from '../../engine/engine.ts'
import { encodeRevisionKey } from '../../mvcc/revision.ts'
import { createBuckets } from '../../mvcc/schema.ts'
import { encodeKeyValue } from '../../proto/mvccpb.ts'
import { namespace } from '../../store/namespace.ts'
import { openOn } from '../../store/open.ts'
import type { BuiltStore } from '../../store/types.ts'
import type { BytesInput, Encoding } from '../../store/types/encoding.ts'
import { EVERYTHING } from './backend.ts'
import type { Backend, Opened, ReopenOptions, StoreOf } from './backend.ts'
import { propertyCases } from './property.ts'
import { rangeCases } from './range.ts'
import { behaviourSuite } from './suite.ts'
import { transactCases } from './transact.ts'
import { txnCases } from './txn.ts'
import { watchCases } from './watch.ts'
import { watchPropertyCases } from './watch-property.ts'

const PLACE = '/data'

/** Prefixes, one behind the other, for keys that are text and for any. */
interface Prefixes {
  readonly text: readonly string[]
  readonly bytes: readonly (readonly number[])[]
}

/** Keys that are not of the namespace, by their bytes in hexadecimal: its neighbours among them. */
function foreignKeys(prefix: Buffer): string[] {
  const last = prefix.length - 1
  const parent = prefix.subarray(0, last)
  const byte = prefix[last] ?? 0
  const below = Buffer.concat([parent, Buffer.from([byte - 1])])
  const above = byte === 0xff ? [] : [Buffer.concat([parent, Buffer.from([byte + 1])])]
  const tails = ['', '00', '61', 'ff', 'ffff', '6100', '62']
  const keys = [
    // The prefix itself, and what begins it.
    ...Array.from(prefix, (_, at) => hex(prefix.subarray(0, at + 1))),
    ...[below, ...above].flatMap((beside) => tails.map((tail) => hex(beside) + tail)),
    // What the suite calls its own keys, were they not behind the prefix.
    ...tails,
  ]
  const isForeign = (key: string): boolean =>
    key !== '' && (key === hex(prefix) || !key.startsWith(hex(prefix)))
  return [...new Set(keys)].filter((key) => isForeign(key)).sort()
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** A data file of revision 1 that holds these keys. */
async function layForeign(disk: Disk, keys: readonly string[]): Promise<void> {
  disk.makeDirectory(PLACE)
  const engine = await openEngine(disk.join(PLACE, 'db'), { disk, lock: 'none' })
  engine.update((tx) => {
    createBuckets(tx)
    for (const [sub, key] of keys.entries()) {
      const of = { createRevision: 1, modRevision: 1, version: 1, lease: 0n }
      const row = { ...of, key: Buffer.from(key, 'hex'), value: Buffer.from('foreign') }
      tx.bucket('key')?.put(encodeRevisionKey(1, sub), encodeKeyValue(row))
    }
  })
  await engine.close()
}

/** All keys of the store that are not of the namespace are as they were laid. */
async function mustBeUntouched(
  store: BuiltStore<unknown, unknown>,
  prefix: Buffer,
  keys: readonly string[],
): Promise<void> {
  const { kvs } = await store.range({ encoding: 'bytes', limit: Infinity })
  const found = kvs.filter(
    ({ key }) => keys.includes(hex(key)) || !hex(key).startsWith(hex(prefix)),
  )
  expect(found.map(({ key }) => hex(key))).toEqual(keys)
  for (const { value, createRevision, modRevision, version } of found) {
    expect([hex(value), createRevision, modRevision, version]).toEqual([
      hex(Buffer.from('foreign')),
      ...[1, 1, 1],
    ])
  }
}

function backendOf(name: string, prefixes: Prefixes): Backend {
  return {
    name,
    supports: EVERYTHING,
    async open<E extends Encoding>(encoding: E): Promise<Opened<E>> {
      const parts = encoding === 'bytes' ? prefixes.bytes : prefixes.text
      const inputs = parts.map((part) => (typeof part === 'string' ? part : Uint8Array.from(part)))
      const prefix = Buffer.concat(inputs.map((input) => Buffer.from(input)))
      const foreign = foreignKeys(prefix)
      const disk = new MemoryDisk()
      await layForeign(disk, foreign)
      let { whole, store } = await openWithin(disk, inputs, { encoding })
      return {
        store,
        async reopen(options?: ReopenOptions): Promise<StoreOf<E>> {
          await mustBeUntouched(whole, prefix, foreign)
          await store.close()
          await whole.close()
          ;({ whole, store } = await openWithin(disk, inputs, { encoding, ...options }))
          return store
        },
        async close(): Promise<void> {
          await store.close()
          await mustBeUntouched(whole, prefix, foreign)
          await whole.close()
        },
      }
    },
  }
}

interface Within<E extends Encoding> {
  readonly whole: BuiltStore<unknown, unknown>
  readonly store: StoreOf<E>
}

async function openWithin<E extends Encoding>(
  disk: Disk,
  prefixes: readonly BytesInput[],
  options: ReopenOptions & { readonly encoding: E },
): Promise<Within<E>> {
  const whole: StoreOf<E> = await openOn(disk, PLACE, options)
  let store = whole
  for (const prefix of prefixes) store = namespace(store, prefix)
  return { whole: whole as unknown as BuiltStore<unknown, unknown>, store }
}

behaviourSuite(backendOf('a namespace', { text: ['app/'], bytes: [[0x61, 0xff]] }))

describe('Store: a namespace of a namespace', () => {
  // The prefix of bytes has no end: nothing is behind all that begin with it.
  const backend = backendOf('nested', { text: ['a', 'b/'], bytes: [[0xff], [0xff]] })
  rangeCases(backend)
  txnCases(backend)
  transactCases(backend)
  watchCases(backend)
  propertyCases(backend)
  watchPropertyCases(backend)
})
