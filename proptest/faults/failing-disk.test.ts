import { expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { isKvError, openEngine } from '../../engine/index.ts'
import { runFailure, traceWorkload } from './failing-disk.ts'
import type { FailureCase, Traced } from './failing-disk.ts'
import { effort, seed } from '../effort.ts'
import { DB_PATH, Session } from './session.ts'
import { generateWorkload } from './workload.ts'

function casesFor(operation: number, traced: Traced): FailureCase[] {
  const cases: FailureCase[] = []
  for (const code of ['EIO', 'ENOSPC'] as const) {
    for (const isLasting of [false, true]) {
      cases.push({ operation, code, isLasting, leaves: 'nothing' })
      if (traced.operation.kind === 'write')
        cases.push({ operation, code, isLasting, leaves: 'part' })
    }
  }
  return cases
}

test('an operation that fails fails its commit alone, says what is known of it, and loses nothing', async () => {
  const random = new Random(seed >>> 0)
  const results = new Map<string, number>()
  let cases = effort({ smoke: 250, ci: 2000, soak: 50_000 })
  while (cases > 0) {
    const workload = generateWorkload(random.u32())
    const all = (await traceWorkload(workload)).flatMap((traced, i) =>
      casesFor(i + 1, traced).map((failure) => ({ traced, failure })),
    )
    for (const { traced, failure } of random.shuffle(all).slice(0, Math.min(100, cases))) {
      cases--
      const { kind } = traced.operation
      const result = await runFailure(workload, traced, failure).catch((cause: unknown) => {
        const where = `workload ${workload.seed}, ${kind} ${JSON.stringify(failure)}`
        throw new Error(`${where}: ${String(cause)}`, { cause })
      })
      const name = `${kind}: ${result}`
      results.set(name, (results.get(name) ?? 0) + 1)
    }
  }
  for (const name of [
    'sync: opening failed',
    'sync: poisoned, outcome none',
    'sync: poisoned, outcome unknown',
    'write: poisoned, outcome none',
    'write: poisoned, outcome unknown',
    'write: usable',
  ]) {
    expect([...results.keys()]).toContain(name)
  }
})

test('a file that can not be shortened stays long, and the commit stands', async () => {
  const disk = new MemoryDisk()
  const engine = await openEngine(DB_PATH, { disk, pageSizeBytes: 1024 })
  engine.update((tx) => tx.createBucket('b').put('k', Buffer.alloc(300_000)))
  disk.injectFault({ kind: 'truncate', code: 'EIO', times: Infinity })
  const sizes: number[] = []
  for (let i = 0; i < 6; i++) {
    engine.update((tx) => tx.bucket('b')?.put('k', `small ${i}`))
    sizes.push(disk.readFile(DB_PATH).length)
  }
  expect(Math.min(...sizes)).toBe(sizes[0])
  expect(engine.check().findings).toEqual([])
  await engine.close()
  const again = await openEngine(DB_PATH, { disk: disk.afterPowerLoss(1, 'nothing') })
  expect(again.view((tx) => String(tx.bucket('b')?.get('k')))).toBe('115,109,97,108,108,32,53')
  await again.close()
})

test('transfers that move a part only change nothing', async () => {
  for (let i = 0; i < 5; i++) {
    const workload = generateWorkload((seed >>> 0) + i)
    const disk = new MemoryDisk({ seed: i, shortTransfers: 0.5 })
    const session = new Session(disk, workload)
    await session.run()
    expect(session.acknowledged).toBe(workload.contents.length - 1)
  }
})

test('a sync that runs out of space while the file grows poisons the handle as any failed sync does', async () => {
  const disk = new MemoryDisk()
  const engine = await openEngine(DB_PATH, { disk, pageSizeBytes: 1024 })
  disk.injectFault({ kind: 'sync', code: 'ENOSPC' })
  const failure = thrownBy(() =>
    engine.update((tx) => tx.createBucket('b').put('k', Buffer.alloc(100_000))),
  )
  expect(isKvError(failure, 'KV_NO_SPACE')).toBe(true)
  const next = thrownBy(() => engine.update((tx) => tx.createBucket('b')))
  expect(isKvError(next, 'KV_POISONED')).toBe(true)
  await engine.close()
})

test('a full disk refuses commits one by one, and with room the same handle goes on', async () => {
  const capacityBytes = 256 * 1024
  const disk = new MemoryDisk({ capacityBytes, whenFull: 'part' })
  disk.writeFile('/ballast', new Uint8Array(100 * 1024))
  const engine = await openEngine(DB_PATH, { disk, pageSizeBytes: 1024 })
  let stored = 0
  let refused = 0
  const fill = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const failure = thrownBy(() =>
        engine.update((tx) => {
          tx.createBucketIfNotExists('b').put(`key ${stored}`, Buffer.alloc(3000, stored))
        }),
      )
      if (failure === undefined) stored++
      else {
        refused++
        expect(failure).toMatchObject({ code: 'KV_NO_SPACE' })
      }
      const seen = engine.view((tx) => [...(tx.bucket('b')?.entries() ?? [])].length)
      expect(seen).toBe(stored)
    }
  }
  fill(60)
  expect(refused).toBeGreaterThan(5)
  const before = stored
  disk.remove('/ballast')
  refused = 0
  fill(20)
  expect(stored).toBe(before + 20)
  expect(engine.check().findings).toEqual([])
  await engine.close()
  const again = await openEngine(DB_PATH, { disk: disk.afterPowerLoss(1) })
  expect(again.view((tx) => [...(tx.bucket('b')?.entries() ?? [])].length)).toBe(stored)
  await again.close()
})

function thrownBy(work: () => unknown): unknown {
  try {
    work()
    return undefined
  } catch (error) {
    return error
  }
}
