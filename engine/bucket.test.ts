import { describe, expect, test } from 'vitest'
import { bucketOf, keysOf, openInMemory, withEngine } from '../proptest/engine/memory-engine.ts'
import type { Bucket } from './bucket.ts'
import type { Tx } from './tx.ts'

function withCode(code: string): unknown {
  return expect.objectContaining({ name: 'KvError', code })
}

/** Calls that take a wrong type, as a JavaScript caller can make them. */
function untyped(target: Bucket | Tx): Record<string, (...args: unknown[]) => unknown> {
  const names = ['get', 'put', 'delete', 'bucket', 'createBucket', 'createBucketIfNotExists']
  names.push('deleteBucket', 'moveBucket', 'setSequence', 'onCommit')
  const calls = target as unknown as Record<string, (...args: unknown[]) => unknown>
  return Object.fromEntries(names.map((name) => [name, (...args) => calls[name]?.(...args)]))
}

describe('Bucket.put() and get()', () => {
  test('take text as UTF-8 and bytes as they are', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const bucket = tx.createBucket('b')
        bucket.put('ключ', '値')
        bucket.put(Uint8Array.of(0, 255), Uint8Array.of(1))
      })
      engine.view((tx) => {
        const bucket = bucketOf(tx, 'b')
        expect(Buffer.from(bucket.get(Buffer.from('ключ')) ?? '').toString()).toBe('値')
        expect(bucket.get(Uint8Array.of(0, 255))).toEqual(Uint8Array.of(1))
        expect(bucket.get('')).toBeUndefined()
        expect(bucket.get('x')).toBeUndefined()
      })
    })
  })

  test('an empty value is a value, in the transaction and after it', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const bucket = tx.createBucket('b')
        bucket.put('k', '')
        expect(bucket.get('k')).toEqual(new Uint8Array(0))
      })
      engine.view((tx) => expect(bucketOf(tx, 'b').get('k')).toEqual(new Uint8Array(0)))
    })
  })

  test('the limits: a key of 1 to 32768 bytes, a name of 1 or more', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const bucket = tx.createBucket('b')
        bucket.put('k'.repeat(32768), 'long')
        expect(() => bucket.put('k'.repeat(32769), '')).toThrow(withCode('KV_KEY_TOO_LARGE'))
        expect(() => bucket.put('', '')).toThrow(withCode('KV_KEY_EMPTY'))
        expect(() => tx.createBucket('')).toThrow(withCode('KV_KEY_EMPTY'))
        expect(() => tx.createBucketIfNotExists('')).toThrow(withCode('KV_KEY_EMPTY'))
        tx.createBucket('k'.repeat(40_000)).put('inside', '')
      })
      engine.view((tx) => {
        expect(bucketOf(tx, 'b').get('k'.repeat(32768))).toHaveLength(4)
        expect(keysOf(bucketOf(tx, 'k'.repeat(40_000)))).toEqual(['inside'])
      })
    })
  })

  test('a value beyond 2147483646 bytes is refused before it is copied', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const huge = new Uint8Array(16)
        Object.defineProperty(huge, 'length', { value: 2147483647 })
        expect(() => tx.createBucket('b').put('k', huge)).toThrow(withCode('KV_VALUE_TOO_LARGE'))
      })
    })
  })

  test('a value of several MiB spans overflow pages and comes back whole', async () => {
    await withEngine((engine) => {
      const value = Uint8Array.from({ length: 5_000_001 }, (_, i) => (i * 31) >>> 3)
      engine.update((tx) => tx.createBucket('b').put('k', value))
      engine.update((tx) => bucketOf(tx, 'b').put('l', 'small'))
      engine.view((tx) => {
        const found = bucketOf(tx, 'b').get('k')
        expect(Buffer.compare(found ?? new Uint8Array(), value)).toBe(0)
      })
    })
  })
})

describe('wrong arguments are a TypeError or RangeError that begins with the name', () => {
  test.each<[string, readonly unknown[], string]>([
    ['get', [1], 'key'],
    ['get', [undefined], 'key'],
    ['get', ['\udfff'], 'key'],
    ['put', [null, ''], 'key'],
    ['put', ['k', undefined], 'value'],
    ['put', ['k', 12], 'value'],
    ['put', ['k', [1, 2]], 'value'],
    ['put', ['k', new ArrayBuffer(2)], 'value'],
    ['put', ['k', '\ud800'], 'value'],
    ['delete', [{}], 'key'],
    ['bucket', [1n], 'name'],
    ['createBucket', [true], 'name'],
    ['createBucketIfNotExists', [undefined], 'name'],
    ['deleteBucket', [Symbol('s')], 'name'],
    ['moveBucket', [5, undefined], 'name'],
    ['moveBucket', ['inner', undefined], 'target'],
    ['moveBucket', ['inner', 'other'], 'target'],
    ['setSequence', ['1'], 'value'],
    ['setSequence', [1.5], 'value'],
    ['setSequence', [2 ** 53], 'value'],
    ['setSequence', [undefined], 'value'],
  ])('%s(%o)', async (name, args, argument) => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const bucket = tx.createBucket('b')
        bucket.createBucket('inner')
        const call = (): unknown => untyped(bucket)[name]?.(...args)
        expect(call).toThrow(TypeError)
        expect(call).toThrow(new RegExp(`^${argument}: `))
        expect(keysOf(bucket)).toEqual(['inner'])
      })
    })
  })

  test('a number out of range is a RangeError', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const bucket = tx.createBucket('b')
        for (const value of [-1, -1n, 2n ** 64n]) {
          expect(() => bucket.setSequence(value)).toThrow(RangeError)
        }
        for (const value of [0.09, 1.01, Number.NaN, Infinity]) {
          expect(() => {
            bucket.fillPercent = value
          }).toThrow(RangeError)
        }
        expect(bucket.fillPercent).toBe(0.5)
      })
    })
  })
})

describe('values and buckets share one key space', () => {
  test('each call on the other kind is KV_WRONG_KIND and changes nothing', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const bucket = tx.createBucket('b')
        bucket.put('value', 'v')
        bucket.createBucket('bucket').put('k', '')
        const wrong = withCode('KV_WRONG_KIND')
        expect(() => bucket.put('bucket', '')).toThrow(wrong)
        expect(() => bucket.delete('bucket')).toThrow(wrong)
        expect(() => bucket.createBucket('value')).toThrow(wrong)
        expect(() => bucket.createBucketIfNotExists('value')).toThrow(wrong)
        expect(() => bucket.deleteBucket('value')).toThrow(wrong)
        expect(() => bucket.moveBucket('value', tx.createBucket('c'))).toThrow(wrong)
        expect(bucket.get('bucket')).toBeUndefined()
        expect(bucket.bucket('value')).toBeUndefined()
      })
      engine.view((tx) => expect(keysOf(bucketOf(tx, 'b'))).toEqual(['bucket', 'value']))
    })
  })

  test('what is not there: delete() is false, deleteBucket() is KV_BUCKET_NOT_FOUND', async () => {
    await withEngine((engine) => {
      const { txid } = engine
      engine.update((tx) => {
        expect(() => tx.deleteBucket('x')).toThrow(withCode('KV_BUCKET_NOT_FOUND'))
        expect(() => tx.moveBucket('x', undefined, undefined)).toThrow(TypeError)
        expect(tx.bucket('x')).toBeUndefined()
      })
      expect(engine.txid).toBe(txid)
      engine.update((tx) => {
        const bucket = tx.createBucket('b')
        expect(bucket.delete('x')).toBe(false)
        expect(() => bucket.moveBucket('x', tx.createBucket('c'))).toThrow(
          withCode('KV_BUCKET_NOT_FOUND'),
        )
        expect(() => tx.createBucket('b')).toThrow(withCode('KV_BUCKET_EXISTS'))
      })
    })
  })
})

describe('moveBucket()', () => {
  test('keeps what the same transaction has changed in the moved bucket', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const source = tx.createBucket('source')
        const moved = source.createBucket('moved')
        moved.put('old', '1')
        moved.createBucket('deep').put('x', 'y')
        tx.createBucket('target')
      })
      engine.update((tx) => {
        const source = bucketOf(tx, 'source')
        const moved = bucketOf(source, 'moved')
        moved.put('new', '2')
        moved.setSequence(9)
        bucketOf(moved, 'deep').put('z', '')
        tx.moveBucket('moved', source, bucketOf(tx, 'target'))
        moved.put('after', '3')
        expect(source.bucket('moved')).toBeUndefined()
        expect(bucketOf(tx, 'target').bucket('moved')).toBe(moved)
      })
      engine.view((tx) => {
        const moved = bucketOf(bucketOf(tx, 'target'), 'moved')
        expect(keysOf(moved)).toEqual(['after', 'deep', 'new', 'old'])
        expect(moved.sequence).toBe(9n)
        expect(keysOf(bucketOf(moved, 'deep'))).toEqual(['x', 'z'])
        expect(keysOf(bucketOf(tx, 'source'))).toEqual([])
      })
    })
  })

  test('moves a clean bucket, inline or on pages of its own, without copying it', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        tx.createBucket('inline').put('k', 'v')
        const large = tx.createBucket('large')
        for (let i = 0; i < 100; i++) large.put(`k${i}`, 'v'.repeat(50))
        tx.createBucket('target')
      })
      engine.update((tx) => {
        const target = bucketOf(tx, 'target')
        tx.moveBucket('inline', undefined, target)
        tx.moveBucket('large', undefined, target)
      })
      engine.view((tx) => {
        const target = bucketOf(tx, 'target')
        expect(keysOf(tx)).toEqual(['target'])
        expect(bucketOf(target, 'inline').get('k')).toEqual(Uint8Array.of(0x76))
        expect(keysOf(bucketOf(target, 'large'))).toHaveLength(100)
      })
    })
  })

  test('refuses a bucket of its own inside, itself, the same place, and another transaction', async () => {
    await withEngine(async (engine) => {
      engine.update((tx) => {
        const outer = tx.createBucket('outer')
        const inner = outer.createBucket('inner').createBucket('innermost')
        expect(() => tx.moveBucket('outer', undefined, inner)).toThrow(/^target: /)
        expect(() => tx.moveBucket('outer', undefined, outer)).toThrow(/^target: /)
        expect(() => tx.moveBucket('outer', undefined, undefined)).toThrow(/^target: /)
      })
      const reader = await engine.begin()
      engine.update((tx) => {
        const outer = bucketOf(tx, 'outer')
        expect(() => outer.moveBucket('inner', bucketOf(reader, 'outer'))).toThrow(/^target: /)
        expect(() => tx.moveBucket('inner', bucketOf(reader, 'outer'), undefined)).toThrow(
          /^source: /,
        )
      })
      reader.rollback()
    })
  })

  test('refuses to replace: a bucket is KV_BUCKET_EXISTS, a value KV_WRONG_KIND', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const source = tx.createBucket('source')
        source.createBucket('a')
        source.createBucket('b')
        const target = tx.createBucket('target')
        target.createBucket('a')
        target.put('b', '')
        expect(() => source.moveBucket('a', target)).toThrow(withCode('KV_BUCKET_EXISTS'))
        expect(() => source.moveBucket('b', target)).toThrow(withCode('KV_WRONG_KIND'))
        expect(keysOf(source)).toEqual(['a', 'b'])
      })
    })
  })
})

describe('a deleted bucket', () => {
  test('is refused through every handle, nested ones too', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const outer = tx.createBucket('outer')
        const inner = outer.createBucket('inner')
        tx.deleteBucket('outer')
        const isGone = withCode('KV_BUCKET_NOT_FOUND')
        expect(() => outer.get('k')).toThrow(isGone)
        expect(() => inner.put('k', '')).toThrow(isGone)
        expect(() => inner.cursor()).toThrow(isGone)
        expect(() => outer.nextSequence()).toThrow(isGone)
        const again = tx.createBucket('outer')
        expect(keysOf(again)).toEqual([])
      })
    })
  })

  test('gives all its pages back, nested and overflow ones too', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        const outer = tx.createBucket('outer')
        for (let i = 0; i < 5; i++) {
          const inner = outer.createBucket(`inner${i}`)
          for (let n = 0; n < 50; n++) inner.put(`k${n}`, 'v'.repeat(n * 40))
        }
      })
      engine.update((tx) => tx.deleteBucket('outer'))
      const report = engine.check()
      expect(report.findings).toEqual([])
      expect(report.pages.leaf).toBe(1)
      expect(report.pages.branch).toBe(0)
      expect(report.pages.free).toBeGreaterThan(200)
    })
  })
})

describe('Bucket.sequence', () => {
  test('counts to 2^64 − 1 and no further, and persists', async () => {
    const { engine, disk } = await openInMemory()
    engine.update((tx) => {
      const bucket = tx.createBucket('b')
      expect(bucket.sequence).toBe(0n)
      expect(bucket.nextSequence()).toBe(1n)
      bucket.setSequence(2n ** 64n - 2n)
      expect(bucket.nextSequence()).toBe(2n ** 64n - 1n)
      expect(() => bucket.nextSequence()).toThrow(RangeError)
    })
    await engine.close()
    const again = await openInMemory({}, disk)
    again.engine.view((tx) => expect(bucketOf(tx, 'b').sequence).toBe(2n ** 64n - 1n))
    await again.engine.close()
  })

  test('changed alone it is committed, in a bucket inline or not', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        tx.createBucket('inline').put('k', 'v')
        const large = tx.createBucket('large')
        for (let i = 0; i < 100; i++) large.put(`k${i}`, 'v'.repeat(50))
      })
      engine.update((tx) => {
        bucketOf(tx, 'inline').setSequence(5)
        bucketOf(tx, 'large').setSequence(6n)
      })
      engine.view((tx) => {
        expect(bucketOf(tx, 'inline').sequence).toBe(5n)
        expect(keysOf(bucketOf(tx, 'inline'))).toEqual(['k'])
        expect(bucketOf(tx, 'large').sequence).toBe(6n)
        expect(keysOf(bucketOf(tx, 'large'))).toHaveLength(100)
      })
    })
  })
})

describe('an inline bucket', () => {
  test.each([
    [991, 1],
    [992, 2],
  ])('of one key and %i bytes of value in pages of 4096 makes %i leaves', async (size, leaves) => {
    await withEngine(
      (engine) => {
        engine.update((tx) => tx.createBucket('b').put('k', 'v'.repeat(size)))
        expect(engine.check().pages.leaf).toBe(leaves)
      },
      { pageSizeBytes: 4096 },
    )
  })

  test('moves out when it grows, and in again when it shrinks', async () => {
    await withEngine((engine) => {
      engine.update((tx) => tx.createBucket('b').put('k', 'v'))
      expect(engine.check().pages.leaf).toBe(1)
      engine.update((tx) => bucketOf(tx, 'b').put('large', 'v'.repeat(400)))
      expect(engine.check().pages.leaf).toBe(2)
      engine.update((tx) => bucketOf(tx, 'b').delete('large'))
      expect(engine.check().pages.leaf).toBe(1)
      engine.update((tx) => bucketOf(tx, 'b').createBucket('inner'))
      expect(engine.check().pages.leaf).toBe(2)
      engine.update((tx) => bucketOf(tx, 'b').deleteBucket('inner'))
      expect(engine.check().pages.leaf).toBe(1)
      engine.view((tx) => expect(keysOf(bucketOf(tx, 'b'))).toEqual(['k']))
    })
  })
})

describe('a read transaction', () => {
  test('refuses every edit with KV_TX_NOT_WRITABLE', async () => {
    await withEngine((engine) => {
      engine.update((tx) => tx.createBucket('b').createBucket('inner'))
      engine.view((tx) => {
        const bucket = bucketOf(tx, 'b')
        const isRefused = withCode('KV_TX_NOT_WRITABLE')
        expect(bucket.writable).toBe(false)
        expect(() => bucket.put('k', '')).toThrow(isRefused)
        expect(() => bucket.delete('k')).toThrow(isRefused)
        expect(() => bucket.createBucket('c')).toThrow(isRefused)
        expect(() => bucket.createBucketIfNotExists('inner')).toThrow(isRefused)
        expect(() => bucket.deleteBucket('inner')).toThrow(isRefused)
        expect(() => tx.moveBucket('inner', bucket, undefined)).toThrow(isRefused)
        expect(() => bucket.setSequence(1)).toThrow(isRefused)
        expect(() => bucket.nextSequence()).toThrow(isRefused)
        expect(() => tx.onCommit(() => {})).toThrow(isRefused)
      })
    })
  })

  test('keeps refusing after its end, with KV_TX_CLOSED', async () => {
    await withEngine((engine) => {
      engine.update((tx) => tx.createBucket('b'))
      const [tx, bucket] = engine.view((tx) => [tx, bucketOf(tx, 'b')] as const)
      const isClosed = withCode('KV_TX_CLOSED')
      expect(() => bucket.get('k')).toThrow(isClosed)
      expect(() => bucket.put('k', '')).toThrow(isClosed)
      expect(() => tx.bucket('b')).toThrow(isClosed)
      expect(() => tx.cursor()).toThrow(isClosed)
      expect(() => tx.commit()).toThrow(isClosed)
      expect(() => tx.rollback()).not.toThrow()
    })
  })
})
