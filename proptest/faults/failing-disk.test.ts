import { expect, test } from 'vitest'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { Operation } from '../../disk/fault-plan.ts'
import { isKvError, openEngine } from '../../engine/index.ts'
import { runFailure, traceWorkload } from './failing-disk.ts'
import type { FailureCase } from './failing-disk.ts'
import { DB_PATH, Session } from './session.ts'
import { generateWorkload } from './workload.ts'
import type { Workload } from './workload.ts'

const IS_FULL = process.env['KV_FAULTS'] === 'full'
const SEED = Number(process.env['KV_SEED'] ?? 1)

function casesFor(operation: number, failing: Operation): FailureCase[] {
  const cases: FailureCase[] = []
  for (const code of ['EIO', 'ENOSPC'] as const) {
    for (const isLasting of [false, true]) {
      cases.push({ operation, code, isLasting, leaves: 'nothing' })
      if (failing.kind === 'write') cases.push({ operation, code, isLasting, leaves: 'part' })
    }
  }
  return cases
}

test('each operation that fails fails its commit alone, says what is known of it, and loses nothing', async () => {
  const results = new Map<string, number>()
  for (let i = 0; i < (IS_FULL ? 12 : 3); i++) {
    const workload = generateWorkload(SEED + i)
    const operations = await traceWorkload(workload)
    for (const [index, failing] of operations.entries()) {
      for (const failure of casesFor(index + 1, failing)) {
        const result = await runFailure(workload, failing, failure).catch((cause: unknown) => {
          const where = `seed ${SEED + i}, ${failing.kind} ${JSON.stringify(failure)}`
          throw new Error(`${where}: ${String(cause)}`, { cause })
        })
        const name = `${failing.kind}: ${result}`
        results.set(name, (results.get(name) ?? 0) + 1)
      }
    }
  }
  for (const name of [
    'create: opening failed',
    'sync: opening failed',
    'syncDirectory: opening failed',
    'sync: poisoned, outcome none',
    'sync: poisoned, outcome unknown',
    'write: poisoned, outcome none',
    'write: poisoned, outcome unknown',
    'write: usable',
    'truncate: usable',
    'truncate: not noticed',
  ]) {
    expect(results.get(name) ?? 0, `${name} in ${JSON.stringify([...results])}`).toBeGreaterThan(0)
  }
}, 120_000)

test('transfers that move a part only change nothing', async () => {
  for (let i = 0; i < 5; i++) {
    const workload = generateWorkload(SEED + i)
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
        expect(isKvError(failure, 'KV_NO_SPACE'), String(failure)).toBe(true)
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
