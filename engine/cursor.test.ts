import { describe, expect, test } from 'vitest'
import {
  DB_PATH,
  bucketOf,
  keyText,
  keysOf,
  openInMemory,
  withEngine,
} from '../proptest/engine/memory-engine.ts'
import type { Bucket } from './bucket.ts'
import type { Cursor } from './cursor.ts'
import type { Engine } from './engine.ts'

const LETTERS = ['a', 'b', 'c', 'd', 'e']

function fillLetters(engine: Engine): void {
  engine.update((tx) => {
    const bucket = tx.createBucket('b')
    for (const letter of LETTERS) bucket.put(letter, `value of ${letter}`)
  })
}

/**
 * Runs `claims` in a read transaction, in a clean write transaction, and in one that has edited the
 * leaf.
 */
async function everywhere(claims: (cursor: Cursor) => void): Promise<void> {
  await withEngine(async (engine) => {
    fillLetters(engine)
    engine.view((tx) => claims(bucketOf(tx, 'b').cursor()))
    const tx = await engine.begin({ writable: true })
    const bucket = bucketOf(tx, 'b')
    claims(bucket.cursor())
    bucket.put('c', 'edited')
    claims(bucket.cursor())
    tx.rollback()
  })
}

/** Keys of 300 bytes, three to a page of 1 KiB: `k00…`, `k01…`, … */
function wideKey(n: number): string {
  return `k${String(n).padStart(2, '0')}${'-'.repeat(297)}`
}

function fillWide(engine: Engine, count: number): void {
  engine.update((tx) => {
    const bucket = tx.createBucketIfNotExists('b')
    for (let n = 0; n < count; n++) bucket.put(wideKey(n), '')
  })
}

describe('Cursor at the edges', () => {
  test('a fresh cursor has no next and no prev', async () => {
    await everywhere((cursor) => {
      expect(cursor.next()).toBeUndefined()
      expect(cursor.prev()).toBeUndefined()
      expect(() => cursor.key).toThrow(TypeError)
      expect(() => cursor.value).toThrow(TypeError)
    })
  })

  test('first() and last() of an empty bucket find nothing', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const cursor = tx.createBucket('b').cursor()
        expect(cursor.first()).toBeUndefined()
        expect(cursor.last()).toBeUndefined()
        expect(cursor.seek('x')).toBeUndefined()
        expect(cursor.next()).toBeUndefined()
        expect(cursor.prev()).toBeUndefined()
      })
      engine.view((tx) => {
        const cursor = bucketOf(tx, 'b').cursor()
        expect(cursor.first()).toBeUndefined()
        expect(cursor.last()).toBeUndefined()
        expect(cursor.seek('x')).toBeUndefined()
        expect(cursor.prev()).toBeUndefined()
      })
    })
  })

  test('seek() stops at the first key not smaller', async () => {
    await everywhere((cursor) => {
      expect(keyText(cursor.seek('c'))).toBe('c')
      expect(keyText(cursor.seek('bb'))).toBe('c')
      expect(keyText(cursor.seek(''))).toBe('a')
    })
  })

  test('seek() past the end finds nothing; prev() from there is the last key, next() nothing', async () => {
    await everywhere((cursor) => {
      expect(cursor.seek('x')).toBeUndefined()
      expect(() => cursor.key).toThrow(TypeError)
      expect(cursor.next()).toBeUndefined()
      expect(keyText(cursor.prev())).toBe('e')
      expect(cursor.seek('x')).toBeUndefined()
      expect(keyText(cursor.prev())).toBe('e')
    })
  })

  test('next() at the end finds nothing and stays: prev() is the second last', async () => {
    await everywhere((cursor) => {
      cursor.last()
      expect(cursor.next()).toBeUndefined()
      expect(cursor.next()).toBeUndefined()
      expect(keyText(cursor)).toBe('e')
      expect(keyText(cursor.prev())).toBe('d')
    })
  })

  test('prev() at the start finds nothing and stays: next() is the second', async () => {
    await everywhere((cursor) => {
      cursor.first()
      expect(cursor.prev()).toBeUndefined()
      expect(cursor.prev()).toBeUndefined()
      expect(keyText(cursor)).toBe('a')
      expect(keyText(cursor.next())).toBe('b')
    })
  })

  test('next() and prev() cross pages of every level, there and back', async () => {
    await withEngine((engine) => {
      fillWide(engine, 60)
      engine.view((tx) => {
        const bucket = bucketOf(tx, 'b')
        const keys = keysOf(bucket)
        expect(keys).toEqual(Array.from({ length: 60 }, (_, n) => wideKey(n)))
        const cursor = bucket.cursor()
        for (let n = 0; n + 1 < 60; n++) {
          cursor.seek(wideKey(n))
          expect(keyText(cursor.next())).toBe(wideKey(n + 1))
          expect(keyText(cursor.prev())).toBe(wideKey(n))
        }
      })
    })
  })

  test('a bucket is an entry without a value, at the top level and below', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const outer = tx.createBucket('outer')
        outer.put('a', '')
        outer.createBucket('b')
      })
      engine.view((tx) => {
        const top = tx.cursor()
        expect(keyText(top.first())).toBe('outer')
        expect(top.value).toBeUndefined()
        const cursor = bucketOf(tx, 'outer').cursor()
        expect(cursor.first()?.value).toEqual(new Uint8Array(0))
        expect(cursor.next()?.value).toBeUndefined()
        expect(keyText(cursor)).toBe('b')
      })
    })
  })
})

describe('Cursor.delete()', () => {
  /** Deletes all while walking; returns the keys visited. */
  function sweep(bucket: Bucket, isBackward: boolean): string[] {
    const visited: string[] = []
    const cursor = bucket.cursor()
    let entry = isBackward ? cursor.last() : cursor.first()
    while (entry !== undefined) {
      visited.push(keyText(entry) ?? '')
      cursor.delete()
      entry = isBackward ? cursor.prev() : cursor.next()
    }
    return visited
  }

  test.each([false, true])(
    'visits every key once while it deletes them, backward: %s',
    async (isBackward) => {
      await withEngine((engine) => {
        for (const isEdited of [false, true]) {
          fillWide(engine, 40)
          engine.update((tx) => {
            const bucket = bucketOf(tx, 'b')
            // bbolt skips every other key once the leaf was touched in the same transaction.
            if (isEdited) for (let n = 0; n < 40; n++) bucket.put(wideKey(n), 'edited')
            const expected = Array.from({ length: 40 }, (_, n) => wideKey(n))
            expect(sweep(bucket, isBackward)).toEqual(isBackward ? expected.reverse() : expected)
            expect(keysOf(bucket)).toEqual([])
          })
          expect(engine.check().findings).toEqual([])
        }
      })
    },
  )

  test('leaves the cursor between its neighbours', async () => {
    await withEngine((engine) => {
      fillLetters(engine)
      engine.update((tx) => {
        const cursor = bucketOf(tx, 'b').cursor()
        cursor.seek('c')
        cursor.delete()
        expect(() => cursor.key).toThrow(TypeError)
        expect(() => cursor.delete()).toThrow(TypeError)
        expect(keyText(cursor.next())).toBe('d')
        cursor.delete()
        expect(keyText(cursor.prev())).toBe('b')
        cursor.last()
        cursor.delete()
        expect(cursor.next()).toBeUndefined()
        expect(keyText(cursor.prev())).toBe('b')
      })
    })
  })

  test('refuses a bucket and a read transaction, and changes nothing', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        tx.createBucket('b').createBucket('inner')
        const cursor = bucketOf(tx, 'b').cursor()
        cursor.first()
        expect(() => cursor.delete()).toThrow(expect.objectContaining({ code: 'KV_WRONG_KIND' }))
        expect(keyText(cursor)).toBe('inner')
      })
      engine.view((tx) => {
        const cursor = tx.cursor()
        cursor.first()
        expect(() => cursor.delete()).toThrow(
          expect.objectContaining({ code: 'KV_TX_NOT_WRITABLE' }),
        )
      })
    })
  })
})

describe('Cursor in an edited bucket', () => {
  test('a put behind and before it is met or not by order alone', async () => {
    await withEngine((engine) => {
      fillLetters(engine)
      engine.update((tx) => {
        const bucket = bucketOf(tx, 'b')
        const cursor = bucket.cursor()
        cursor.seek('c')
        bucket.put('bb', '')
        bucket.put('cc', '')
        expect(keyText(cursor)).toBe('c')
        expect(keyText(cursor.next())).toBe('cc')
        expect(keyText(cursor.prev())).toBe('c')
        expect(keyText(cursor.prev())).toBe('bb')
      })
    })
  })

  test('keeps its place when another bucket is edited', async () => {
    await withEngine((engine) => {
      fillLetters(engine)
      engine.update((tx) => {
        const other = tx.createBucket('other')
        const cursor = bucketOf(tx, 'b').cursor()
        cursor.first()
        for (const letter of LETTERS) {
          other.put(letter, '')
          expect(keyText(cursor)).toBe(letter)
          other.delete(letter)
          expect(Buffer.from(cursor.value ?? '').toString()).toBe(`value of ${letter}`)
          cursor.next()
        }
      })
    })
  })

  test('keeps its place when its delete() is refused', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const bucket = tx.createBucket('b')
        bucket.put('a', '')
        bucket.put('b', '')
        bucket.createBucket('c')
        const cursor = bucket.cursor()
        cursor.first()
        cursor.next()
        cursor.next()
        expect(() => cursor.delete()).toThrow(expect.objectContaining({ code: 'KV_WRONG_KIND' }))
        expect(keyText(cursor)).toBe('c')
        expect(keyText(cursor.prev())).toBe('b')
      })
    })
  })

  test('keeps its place when splits move its entry to other pages', async () => {
    await withEngine((engine) => {
      fillWide(engine, 30)
      engine.update((tx) => {
        const bucket = bucketOf(tx, 'b')
        const cursor = bucket.cursor()
        cursor.seek(wideKey(15))
        for (let n = 0; n < 30; n++) bucket.put(`${wideKey(n)}+`, 'x'.repeat(500))
        expect(keyText(cursor)).toBe(wideKey(15))
        expect(keyText(cursor.next())).toBe(`${wideKey(15)}+`)
        expect(keyText(cursor.next())).toBe(wideKey(16))
      })
    })
  })

  test('an entry deleted past the cursor stays gone, however often it is asked for', async () => {
    await withEngine((engine) => {
      fillLetters(engine)
      engine.update((tx) => {
        const bucket = bucketOf(tx, 'b')
        const cursor = bucket.cursor()
        cursor.seek('c')
        bucket.delete('c')
        expect(() => cursor.key).toThrow(TypeError)
        expect(() => cursor.key).toThrow(TypeError)
        expect(() => cursor.delete()).toThrow(TypeError)
        expect(keyText(cursor.next())).toBe('d')
      })
    })
  })

  test('an entry deleted and put again past the cursor is stood on again', async () => {
    await withEngine((engine) => {
      fillLetters(engine)
      engine.update((tx) => {
        const bucket = bucketOf(tx, 'b')
        const cursor = bucket.cursor()
        cursor.seek('c')
        bucket.delete('c')
        expect(() => cursor.key).toThrow(TypeError)
        bucket.put('c', 'again')
        expect(Buffer.from(cursor.value ?? '').toString()).toBe('again')
      })
    })
  })

  test('a cursor of a deleted bucket is refused', async () => {
    await withEngine((engine) => {
      fillLetters(engine)
      engine.update((tx) => {
        const cursor = bucketOf(tx, 'b').cursor()
        cursor.first()
        tx.deleteBucket('b')
        expect(() => cursor.next()).toThrow(
          expect.objectContaining({ code: 'KV_BUCKET_NOT_FOUND' }),
        )
      })
    })
  })

  test('a cursor of an ended transaction is refused', async () => {
    await withEngine((engine) => {
      fillLetters(engine)
      const cursor = engine.view((tx) => bucketOf(tx, 'b').cursor())
      const isClosed: unknown = expect.objectContaining({ code: 'KV_TX_CLOSED' })
      expect(() => cursor.first()).toThrow(isClosed)
      expect(() => cursor.seek('a')).toThrow(isClosed)
    })
  })
})

test('Cursor.seek() refuses what is neither text nor bytes', async () => {
  await withEngine((engine) => {
    fillLetters(engine)
    engine.view((tx) => {
      const cursor = bucketOf(tx, 'b').cursor()
      expect(() => cursor.seek(3 as unknown as string)).toThrow(/^key: /)
      expect(() => cursor.seek('\ud800')).toThrow(/^key: /)
    })
  })
})

test('a cursor stays on its entry at the edge of a file with an empty leaf, read within bounds', async () => {
  const { engine, disk } = await openInMemory()
  fillWide(engine, 9)
  // The last leaf of the bucket, emptied as an old bbolt could leave it.
  const { highWaterMark } = engine.stats()
  await engine.close()
  const bytes = disk.readFile(DB_PATH)
  const view = new DataView(bytes.buffer)
  const last = Buffer.from(wideKey(8))
  for (let pgid = 2; pgid < highWaterMark; pgid++) {
    const page = bytes.subarray(pgid * 1024, (pgid + 1) * 1024)
    const isLeaf = view.getUint16(pgid * 1024 + 8, true) === 2
    if (isLeaf && Buffer.from(page).includes(last)) {
      view.setUint16(pgid * 1024 + 10, 0, true)
      page.fill(0, 16)
    }
  }
  disk.writeFile(DB_PATH, bytes)
  const bounded = await openInMemory({ readOnly: true, pageRules: 'bounds' }, disk)
  bounded.engine.view((tx) => {
    const cursor = bucketOf(tx, 'b').cursor()
    const keys = keysOf(bucketOf(tx, 'b'))
    expect(keys.length).toBeGreaterThan(2)
    expect(keyText(cursor.last())).toBe(keys.at(-1))
    expect(cursor.next()).toBeUndefined()
    expect(keyText(cursor)).toBe(keys.at(-1))
    expect(keyText(cursor.prev())).toBe(keys.at(-2))
  })
  await bounded.engine.close()
  const strict = await openInMemory({ readOnly: true }, disk)
  strict.engine.view((tx) => {
    expect(() => bucketOf(tx, 'b').cursor().last()).toThrow(
      expect.objectContaining({ code: 'KV_CORRUPT' }),
    )
  })
  await strict.engine.close()
})
