/**
 * All small cases, not samples: every sequence of up to five edits of a tiny alphabet, and every
 * pair of edits in trees of one to three levels. Each runs in one transaction and again with a
 * commit after each edit.
 */

import { expect, test } from 'vitest'
import type { Bucket, Engine, Tx } from '../../engine/index.ts'
import { bytesOf, compareAll } from './compare.ts'
import { mustBeClean, openInMemory } from './memory-engine.ts'
import { ModelBucket } from './model.ts'

const TIMEOUT_MS = 600_000

/** An edit of the bucket `x`, made to the engine or the model. */
interface SmallEdit {
  readonly name: string
  readonly engine: (bucket: Bucket) => void
  readonly model: (bucket: ModelBucket) => void
}

function put(key: string, size: number): SmallEdit {
  const value = new Uint8Array(size).fill(key.charCodeAt(0) + (size % 7))
  return {
    name: `put ${key} ${size}`,
    engine: (bucket) => bucket.put(bytesOf(key), value),
    model: (bucket) => bucket.put(key, value),
  }
}

function remove(key: string): SmallEdit {
  return {
    name: `delete ${key}`,
    engine: (bucket) => bucket.delete(bytesOf(key)),
    model: (bucket) => bucket.delete(key),
  }
}

function inner(name: string, key: string, size: number): SmallEdit {
  const value = new Uint8Array(size).fill(0x69)
  return {
    name: `put ${name} / ${key} ${size}`,
    engine: (bucket) => bucket.createBucketIfNotExists(name).put(key, value),
    model: (bucket) => bucket.createBucketIfNotExists(name).put(key, value),
  }
}

function dropInner(name: string): SmallEdit {
  return {
    name: `drop ${name}`,
    engine: (bucket) => (bucket.bucket(name) === undefined ? 0 : bucket.deleteBucket(name)),
    model: (bucket) => (bucket.bucket(name) === undefined ? 0 : bucket.deleteBucket(name)),
  }
}

/** All sequences of one to `length` letters. */
function* sequences<T>(alphabet: readonly T[], length: number): Generator<readonly T[]> {
  const indexes = [-1]
  while (indexes.length > 0) {
    const last = indexes.length - 1
    indexes[last] = (indexes[last] ?? 0) + 1
    if (indexes[last] === alphabet.length) {
      indexes.pop()
      continue
    }
    yield indexes.map((i) => alphabet[i] as T)
    if (indexes.length < length) indexes.push(-1)
  }
}

class Bench {
  readonly #engine: Engine
  #checks = 0

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Runs `edits` on a bucket that `prepare` has filled. */
  run(edits: readonly SmallEdit[], prepare: readonly SmallEdit[], isOneByOne: boolean): void {
    const model = new ModelBucket()
    const x = model.createBucket('x')
    const engine = this.#engine
    engine.update((tx) => {
      if (tx.bucket('x') !== undefined) tx.deleteBucket('x')
      const bucket = tx.createBucket('x')
      for (const edit of prepare) edit.engine(bucket)
    })
    for (const edit of prepare) edit.model(x)
    const steps = isOneByOne ? edits.map((edit) => [edit]) : [edits]
    for (const step of steps) {
      engine.update((tx) => {
        const bucket = tx.bucket('x')
        for (const edit of step) if (bucket !== undefined) edit.engine(bucket)
        for (const edit of step) edit.model(x)
        this.#compare(tx, model, edits)
      })
      this.#verify(model, edits)
    }
  }

  #verify(model: ModelBucket, edits: readonly SmallEdit[]): void {
    this.#engine.view((tx) => this.#compare(tx, model, edits))
    // The page-by-page check costs more than all the rest.
    if (this.#checks++ % 5 === 0) mustBeClean(this.#engine)
  }

  #compare(tx: Tx, model: ModelBucket, edits: readonly SmallEdit[]): void {
    try {
      compareAll(tx, model)
    } catch (error) {
      throw new Error(`after ${edits.map(({ name }) => name).join(', ')}`, { cause: error })
    }
  }
}

test('every sequence of up to five edits of a tiny alphabet', { timeout: TIMEOUT_MS }, async () => {
  // 300 bytes: the third does not fit in a page of 1 KiB with the others; 1200: an overflow page.
  const alphabet = [
    put('a', 300),
    put('b', 300),
    put('c', 1200),
    remove('a'),
    inner('b2', 'k', 240),
  ]
  const { engine } = await openInMemory()
  const bench = new Bench(engine)
  let count = 0
  for (const edits of sequences(alphabet, 5)) {
    bench.run(edits, [], count++ % 2 === 0)
  }
  expect(count).toBe(5 + 25 + 125 + 625 + 3125)
  mustBeClean(engine)
  await engine.close()
})

test(
  'every pair of edits in every tree of up to twelve wide keys',
  { timeout: TIMEOUT_MS },
  async () => {
    const { engine } = await openInMemory()
    const bench = new Bench(engine)
    // Keys of 250 bytes: three children to a branch, so twelve keys make three levels.
    const keys = Array.from({ length: 12 }, (_, i) => String.fromCharCode(97 + i).repeat(250))
    let count = 0
    for (let size = 1; size <= keys.length; size++) {
      const held = keys.slice(0, size)
      const prepare = held.map((key) => put(key, 60))
      const alphabet = [
        ...held.map(remove),
        put(`${held[size >> 1] ?? ''}+`, 60),
        put('!', 500),
        put('~', 0),
        put(held[0] ?? '', 900),
        put(held.at(-1) ?? '', 0),
        inner('m', 'k', 300),
        dropInner('m'),
      ]
      for (const edits of sequences(alphabet, 2)) bench.run(edits, prepare, count++ % 2 === 0)
    }
    expect(count).toBeGreaterThan(1500)
    mustBeClean(engine)
    await engine.close()
  },
)

test(
  'every contiguous range deleted from trees of every size',
  { timeout: TIMEOUT_MS },
  async () => {
    const { engine } = await openInMemory()
    const bench = new Bench(engine)
    for (let size = 1; size <= 24; size++) {
      const keys = Array.from({ length: size }, (_, i) => String.fromCharCode(97 + i).repeat(200))
      const prepare = keys.map((key) => put(key, 100))
      for (let from = 0; from < size; from++) {
        for (let to = from + 1; to <= size; to++) {
          bench.run(keys.slice(from, to).map(remove), prepare, false)
        }
      }
    }
    mustBeClean(engine)
    await engine.close()
  },
)
