import { describe, expect, test } from 'vitest'
import type { MemoryDisk } from '../disk/memory-disk.ts'
import {
  DB_PATH,
  bucketOf,
  keysOf,
  openInMemory,
  withEngine,
} from '../proptest/engine/memory-engine.ts'
import type { Engine } from './engine.ts'
import type { Tx } from './tx.ts'

function withCode(code: string): unknown {
  return expect.objectContaining({ code })
}

function putKey(engine: Engine, key: string, value = ''): void {
  engine.update((tx) => tx.createBucketIfNotExists('b').put(key, value))
}

function allKeys(engine: Engine): string[] {
  return engine.view((tx) => {
    const bucket = tx.bucket('b')
    return bucket === undefined ? [] : keysOf(bucket)
  })
}

describe('Engine.update() and view()', () => {
  test('return what fn returns', async () => {
    await withEngine((engine) => {
      expect(engine.update(() => 'written')).toBe('written')
      expect(engine.view(() => ({ read: true }))).toEqual({ read: true })
    })
  })

  test('a throw rolls back and comes out unchanged', async () => {
    await withEngine((engine) => {
      putKey(engine, 'a')
      const thrown = { not: 'an error' }
      const { txid } = engine
      let caught: unknown
      try {
        engine.update((tx) => {
          bucketOf(tx, 'b').put('x', '')
          throw thrown
        })
      } catch (error) {
        caught = error
      }
      expect(caught).toBe(thrown)
      expect(allKeys(engine)).toEqual(['a'])
      expect(engine.txid).toBe(txid)
      putKey(engine, 'c')
      expect(allKeys(engine)).toEqual(['a', 'c'])
    })
  })

  test('a promise from fn is a TypeError, and rolls back', async () => {
    await withEngine((engine) => {
      const asynchronous = (async (tx: Tx) => {
        tx.createBucket('b')
      }) as unknown as (tx: Tx) => number
      expect(() => engine.update(asynchronous)).toThrow(TypeError)
      expect(() => engine.view((() => Promise.resolve()) as unknown as () => number)).toThrow(
        TypeError,
      )
      // oxlint-disable-next-line unicorn/no-thenable
      const thenable = { then: () => {} } as unknown as number
      expect(() => engine.update(() => thenable)).toThrow(TypeError)
      expect(engine.view((tx) => keysOf(tx))).toEqual([])
    })
  })

  test('fn must be a function', async () => {
    await withEngine((engine) => {
      const nothing = undefined as unknown as () => number
      expect(() => engine.update(nothing)).toThrow(/^fn: /)
      expect(() => engine.view(nothing)).toThrow(/^fn: /)
      putKey(engine, 'a')
    })
  })

  test('a transaction inside fn can not be ended by hand', async () => {
    await withEngine((engine) => {
      engine.update((tx) => {
        tx.createBucket('b')
        expect(() => tx.commit()).toThrow(TypeError)
        expect(() => tx.rollback()).toThrow(TypeError)
      })
      engine.view((tx) => expect(() => tx.rollback()).toThrow(TypeError))
      expect(engine.view((tx) => keysOf(tx))).toEqual(['b'])
    })
  })

  test('a nested update is KV_TX_BUSY; a nested view sees the state before', async () => {
    await withEngine((engine) => {
      putKey(engine, 'a')
      engine.update((tx) => {
        bucketOf(tx, 'b').put('new', '')
        expect(() => engine.update(() => 0)).toThrow(withCode('KV_TX_BUSY'))
        expect(allKeys(engine)).toEqual(['a'])
      })
      expect(allKeys(engine)).toEqual(['a', 'new'])
    })
  })

  test('a transaction that changed nothing uses no txid and writes nothing', async () => {
    await withEngine((engine, disk) => {
      putKey(engine, 'a')
      const { txid } = engine
      const operations = disk.operationCount
      engine.update(() => 0)
      engine.update((tx) => {
        const bucket = tx.createBucketIfNotExists('b')
        bucket.delete('missing')
        bucket.cursor().first()
        bucket.fillPercent = 1
      })
      expect(engine.txid).toBe(txid)
      expect(disk.operationCount).toBe(operations)
    })
  })

  test('the first commit of a new file is transaction 2', async () => {
    await withEngine((engine) => {
      expect(engine.txid).toBe(1)
      engine.update((tx) => {
        expect(tx.id).toBe(2)
        tx.createBucket('b')
      })
      expect(engine.txid).toBe(2)
      engine.view((tx) => expect(tx.id).toBe(2))
    })
  })
})

describe('Engine.begin()', () => {
  test('writers take their turn in the order in which they asked', async () => {
    await withEngine(async (engine) => {
      const order: number[] = []
      const first = await engine.begin({ writable: true })
      const others = [1, 2, 3, 4].map(async (n) => {
        const tx = await engine.begin({ writable: true })
        order.push(n)
        tx.createBucketIfNotExists('b').put(`k${n}`, '')
        if (n % 2 === 0) tx.rollback()
        else await tx.commitAsync()
      })
      expect(() => engine.update(() => 0)).toThrow(withCode('KV_TX_BUSY'))
      first.createBucket('first')
      first.commit()
      // The next one has its turn already: nobody may step in between.
      expect(() => engine.update(() => 0)).toThrow(withCode('KV_TX_BUSY'))
      await Promise.all(others)
      expect(order).toEqual([1, 2, 3, 4])
      expect(allKeys(engine)).toEqual(['k1', 'k3'])
    })
  })

  test('readers never wait, and see their own moment', async () => {
    await withEngine(async (engine) => {
      const readers: Tx[] = []
      for (let i = 0; i < 6; i++) {
        putKey(engine, `k${i}`, 'v'.repeat(400))
        readers.push(await engine.begin())
        engine.update((tx) => bucketOf(tx, 'b').put('k0', `${i}`))
      }
      readers.forEach((tx, i) => {
        expect(tx.writable).toBe(false)
        expect(keysOf(bucketOf(tx, 'b'))).toHaveLength(i + 1)
      })
      const values = readers.map((tx) => Buffer.from(bucketOf(tx, 'b').get('k0') ?? '').toString())
      expect(values).toEqual(['v'.repeat(400), '0', '1', '2', '3', '4'])
      for (const tx of readers) tx.rollback()
    })
  })

  test('a reader held over many commits does not keep younger pages from reuse', async () => {
    await withEngine(async (engine) => {
      for (let i = 0; i < 50; i++) putKey(engine, `k${i}`, 'v'.repeat(100))
      const reader = await engine.begin()
      for (let i = 0; i < 20; i++) putKey(engine, `k${i}`, 'w'.repeat(100))
      const { highWaterMark } = engine.stats()
      for (let i = 0; i < 200; i++) putKey(engine, `k${i % 50}`, `${i}`.padEnd(100))
      expect(engine.stats().highWaterMark).toBeLessThan(highWaterMark + 30)
      expect(keysOf(bucketOf(reader, 'b'))).toHaveLength(50)
      expect(bucketOf(reader, 'b').get('k0')).toEqual(new Uint8Array(100).fill(0x76))
      reader.rollback()
    })
  })

  test('takes a boolean', async () => {
    await withEngine(async (engine) => {
      const options = { writable: 'yes' } as unknown as { writable: boolean }
      await expect(engine.begin(options)).rejects.toThrow(/^writable: /)
    })
  })

  test('a transaction is rolled back where `using` ends', async () => {
    await withEngine(async (engine) => {
      {
        using tx = await engine.begin({ writable: true })
        tx.createBucket('b')
      }
      expect(engine.view((tx) => keysOf(tx))).toEqual([])
      putKey(engine, 'a')
    })
  })
})

describe('Tx.commitAsync()', () => {
  test('readers that begin meanwhile see the state before, later ones the state after', async () => {
    await withEngine(async (engine) => {
      putKey(engine, 'a')
      const tx = await engine.begin({ writable: true })
      bucketOf(tx, 'b').put('z', '')
      const isDone = tx.commitAsync()
      expect(allKeys(engine)).toEqual(['a'])
      const reader = await engine.begin()
      expect(() => tx.rollback()).toThrow(withCode('KV_TX_BUSY'))
      expect(() => tx.bucket('b')).toThrow(withCode('KV_TX_CLOSED'))
      expect(() => engine.update(() => 0)).toThrow(withCode('KV_TX_BUSY'))
      expect(() => engine.check()).toThrow(withCode('KV_TX_BUSY'))
      await isDone
      expect(allKeys(engine)).toEqual(['a', 'z'])
      expect(keysOf(bucketOf(reader, 'b'))).toEqual(['a'])
      reader.rollback()
    })
  })

  test('is refused a second time, and after commit()', async () => {
    await withEngine(async (engine) => {
      const tx = await engine.begin({ writable: true })
      tx.createBucket('b')
      const isDone = tx.commitAsync()
      await expect(tx.commitAsync()).rejects.toThrow(withCode('KV_TX_CLOSED'))
      expect(() => tx.commit()).toThrow(withCode('KV_TX_CLOSED'))
      await isDone
      await expect(tx.commitAsync()).rejects.toThrow(withCode('KV_TX_CLOSED'))
    })
  })
})

describe('Tx.onCommit()', () => {
  test('calls once, in order, after the lock is released; not on rollback', async () => {
    await withEngine(async (engine) => {
      const calls: string[] = []
      engine.update((tx) => {
        tx.createBucket('b')
        tx.onCommit(() => calls.push(`first sees ${engine.view((t) => keysOf(t)).join()}`))
        tx.onCommit(() => {
          putKey(engine, 'from a handler')
          calls.push('second')
        })
      })
      expect(calls).toEqual(['first sees b', 'second'])
      expect(allKeys(engine)).toEqual(['from a handler'])
      const tx = await engine.begin({ writable: true })
      tx.onCommit(() => calls.push('never'))
      tx.rollback()
      expect(() => engine.update((t) => t.onCommit(3 as unknown as () => void))).toThrow(
        /^handler: /,
      )
      expect(calls).toHaveLength(2)
    })
  })
})

describe('Engine.close()', () => {
  test('rolls back what is open, rejects who waits, and is idempotent', async () => {
    const { engine, disk } = await openInMemory()
    putKey(engine, 'a')
    const reader = await engine.begin()
    const writer = await engine.begin({ writable: true })
    bucketOf(writer, 'b').put('lost', '')
    const waiting = engine.begin({ writable: true })
    const isRejected = expect(waiting).rejects.toThrow(withCode('KV_CLOSED'))
    await engine.close()
    await isRejected
    await engine.close()
    expect(engine.isOpen).toBe(false)
    expect(() => bucketOf(reader, 'b')).toThrow(withCode('KV_TX_CLOSED'))
    expect(() => writer.commit()).toThrow(withCode('KV_TX_CLOSED'))
    expect(() => engine.view(() => 0)).toThrow(withCode('KV_CLOSED'))
    expect(() => engine.update(() => 0)).toThrow(withCode('KV_CLOSED'))
    await expect(engine.begin()).rejects.toThrow(withCode('KV_CLOSED'))
    expect(() => engine.check()).toThrow(withCode('KV_CLOSED'))
    const again = await openInMemory({}, disk)
    expect(allKeys(again.engine)).toEqual(['a'])
    await again.engine.close()
  })

  test('finishes a commit in flight first', async () => {
    const { engine, disk } = await openInMemory()
    const tx = await engine.begin({ writable: true })
    tx.createBucket('b').put('k', '')
    let isDurable = false
    const isDone = tx.commitAsync().then(() => (isDurable = true))
    await engine.close()
    await isDone
    expect(isDurable).toBe(true)
    const again = await openInMemory({}, disk)
    expect(allKeys(again.engine)).toEqual(['k'])
    await again.engine.close()
  })

  test('called twice at once, neither call returns before the file is closed', async () => {
    const { engine, disk } = await openInMemory({ lock: 'auto' })
    const tx = await engine.begin({ writable: true })
    tx.createBucket('b')
    const isDone = tx.commitAsync()
    void engine.close()
    await engine.close()
    const again = await openInMemory({ lock: 'auto' }, disk)
    await isDone
    await again.engine.close()
  })

  test('inside update() the update is rolled back', async () => {
    const { engine, disk } = await openInMemory()
    let isClosed: Promise<void> | undefined
    expect(() =>
      engine.update((tx) => {
        tx.createBucket('b')
        isClosed = engine.close()
      }),
    ).toThrow(withCode('KV_CLOSED'))
    await isClosed
    const again = await openInMemory({}, disk)
    expect(again.engine.view((tx) => keysOf(tx))).toEqual([])
    await again.engine.close()
  })
})

describe('a disk that fails', () => {
  function fault(
    disk: MemoryDisk,
    kind: 'sync' | 'write' | 'truncate',
    code: string,
    skip = 0,
  ): void {
    disk.injectFault({ kind, path: DB_PATH, code, skip })
  }

  test.each([
    [0, 'none'],
    [1, 'unknown'],
  ])('sync number %i failing poisons the handle, outcome %s', async (skip, outcome) => {
    for (const isAsync of [false, true]) {
      const { engine, disk } = await openInMemory()
      // Make the file large enough, so that no growth needs a sync of its own.
      putKey(engine, 'large', 'x'.repeat(6000))
      engine.update((tx) => bucketOf(tx, 'b').delete('large'))
      putKey(engine, 'a')
      putKey(engine, 'a', 'again')
      const tx = await engine.begin({ writable: true })
      bucketOf(tx, 'b').put('z', '')
      fault(disk, 'sync', 'EIO', skip)
      const isRefused: unknown = expect.objectContaining({ code: 'KV_IO', outcome })
      if (isAsync) await expect(tx.commitAsync()).rejects.toThrow(isRefused)
      else expect(() => tx.commit()).toThrow(isRefused)
      expect(() => engine.view(() => 0)).toThrow(withCode('KV_POISONED'))
      expect(() => engine.update(() => 0)).toThrow(withCode('KV_POISONED'))
      await expect(engine.begin({ writable: true })).rejects.toThrow(withCode('KV_POISONED'))
      await engine.close()
      const again = await openInMemory({}, disk.afterPowerLoss(1, 'nothing'))
      const keys = allKeys(again.engine)
      expect(keys.filter((key) => key !== 'z')).toEqual(['a'])
      if (outcome === 'none') expect(keys).toEqual(['a'])
      expect(again.engine.check().findings).toEqual([])
      await again.engine.close()
    }
  })

  test('a writer that waits for a commit that fails is refused with KV_POISONED', async () => {
    const { engine, disk } = await openInMemory()
    const tx = await engine.begin({ writable: true })
    tx.createBucket('b')
    const waiting = engine.begin({ writable: true })
    const isRejected = expect(waiting).rejects.toThrow(withCode('KV_POISONED'))
    fault(disk, 'sync', 'EIO', 1)
    await expect(tx.commitAsync()).rejects.toThrow(withCode('KV_IO'))
    await isRejected
    await engine.close()
  })

  test('a full disk refuses that commit alone, wherever it runs out', async () => {
    for (const kind of ['truncate', 'write'] as const) {
      await withEngine((engine, disk) => {
        putKey(engine, 'a')
        fault(disk, kind, 'ENOSPC')
        const large = 'x'.repeat(200_000)
        const isFull: unknown = expect.objectContaining({ code: 'KV_NO_SPACE', outcome: 'none' })
        expect(() => putKey(engine, 'z', large), kind).toThrow(isFull)
        expect(allKeys(engine)).toEqual(['a'])
        expect(engine.check().findings).toEqual([])
        putKey(engine, 'z', large)
        expect(allKeys(engine)).toEqual(['a', 'z'])
      })
    }
  })

  test('a full disk met by the sync of a grown file is final: the handle is poisoned', async () => {
    const { engine, disk } = await openInMemory()
    putKey(engine, 'a')
    fault(disk, 'sync', 'ENOSPC')
    expect(() => putKey(engine, 'z', 'x'.repeat(200_000))).toThrow(withCode('KV_NO_SPACE'))
    expect(() => engine.view(() => 0)).toThrow(withCode('KV_POISONED'))
    await engine.close()
  })
})

describe('a damaged page met while writing', () => {
  test('refuses that transaction, and the next one goes on', async () => {
    const { engine, disk } = await openInMemory()
    engine.update((tx) => {
      for (const name of ['good', 'bad']) {
        const bucket = tx.createBucket(name)
        for (let i = 0; i < 40; i++) bucket.put(`${name}${i}`, 'v'.repeat(60))
      }
    })
    await engine.close()
    const bytes = Buffer.from(disk.readFile(DB_PATH))
    const at = bytes.indexOf('bad20')
    bytes[at - (at % 1024) + 10] = 0xff
    disk.writeFile(DB_PATH, bytes)
    const again = await openInMemory({}, disk)
    expect(() => again.engine.update((tx) => tx.deleteBucket('bad'))).toThrow(
      withCode('KV_CORRUPT'),
    )
    again.engine.update((tx) => bucketOf(tx, 'good').put('more', ''))
    again.engine.view((tx) => expect(keysOf(bucketOf(tx, 'good'))).toHaveLength(41))
    expect(again.engine.check().isClean).toBe(false)
    await again.engine.close()
  })
})
