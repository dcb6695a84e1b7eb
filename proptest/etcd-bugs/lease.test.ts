/**
 * etcd's bugs of leases, and of the lock that hangs on one, provoked here: see docs/etcd-bugs.md.
 * proptest/lease takes leases through everything, proptest/recipes locks.
 */

import { expect, test } from 'vitest'
import { FakeClock } from '../../base/clock.ts'
import { isKvError } from '../../base/errors.ts'
import { Random } from '../../base/random.ts'
import type { DiskFile, DiskFileOptions } from '../../disk/disk.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { lock } from '../../store/recipes/lock.ts'
import { openSession } from '../../store/recipes/session.ts'
import type { BuiltLocalStore, BuiltOpenOptions } from '../../store/types.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { ClockedStore } from '../recipes/clocked-store.ts'
import { openStore, settled } from './bug-store.ts'

const RUNS = effort({ smoke: 12, ci: 150, soak: 5000 })
/** How long after its time a lease may be there, however its end went at first, in ms. */
const LATE_MS = 3000 + 25

const randomOf = (bug: number): Random => new Random((seed >>> 0) + bug)

interface Clocked {
  readonly store: BuiltLocalStore
  readonly clock: FakeClock
}

async function openClocked(disk: MemoryDisk, options: BuiltOpenOptions = {}): Promise<Clocked> {
  const clock = new FakeClock()
  return { store: await openStore(disk, options, { clock }), clock }
}

/** Lets time pass, and what falls due come to its end. */
async function elapse(disk: MemoryDisk, clock: FakeClock, ms: number): Promise<void> {
  await clock.advanceAsync(ms)
  await settled(disk)
}

test(`#9935 #10686 every lease ends, whatever came between its time and its end, seed ${seed}`, async () => {
  const random = randomOf(9935)
  const met = { renewed: 0 }
  for (let done = 0; !isEnough(done, RUNS, met); done++) {
    const disk = new MemoryDisk({ seed: random.u32() })
    const made = await openClocked(disk)
    const count = random.between(2, 12)
    const ids = Array.from({ length: count }, (_, n) => BigInt(n + 1))
    for (const id of ids) {
      const lease = await made.store.grant({ id, ttlSeconds: random.pick([5, 6]) })
      await made.store.put(`k${id}`, '1', { lease })
      await made.store.put(`big${id}`, 'x'.repeat(3000))
    }
    await made.store.close()
    const { store, clock } = await openClocked(disk, { cacheBytes: 16_384 })
    // Some ends find a disk that can't be read just now: what they need is not in memory.
    await store.range()
    const mend = disk.injectFault({ kind: 'read', code: 'EIO', skip: random.below(3), times: 4 })
    clock.advance(5000)
    // A renewal that stands in the queue behind the end of its lease, or is taken as it falls due.
    const calls = ids.filter(() => random.chance(0.4)).map((id) => store.renew(id))
    clock.advance(random.pick([0, 1, 999, 1000]))
    for (const { status } of await Promise.allSettled(calls)) {
      if (status === 'fulfilled') met.renewed++
    }
    await settled(disk)
    mend()
    // All have had their time twice by now, the renewed ones too.
    for (let left = 0; left < 4; left++) await elapse(disk, clock, LATE_MS)
    expect(await store.leases()).toEqual([])
    expect((await store.range()).kvs.filter(({ lease }) => lease !== 0n)).toEqual([])
    await store.close()
  }
  expect(unmet(met)).toEqual([])
})

test(`#10686 nor is a lease lost that is renewed as it is taken for due, seed ${seed}`, async () => {
  const random = randomOf(10686)
  let met = 0
  for (let i = 0; i < RUNS; i++) {
    const disk = new MemoryDisk({ seed: random.u32() })
    const { store, clock } = await openClocked(disk)
    const lease = await store.grant({ ttlSeconds: 5 })
    await store.put('a', '1', { lease })
    await elapse(disk, clock, 4999)
    // Asked for before it is due, and run in the same turn as its end, in front of it.
    const renewal = store.renew(lease)
    clock.advance(1)
    if ((await renewal.catch(() => undefined)) !== undefined) met++
    await settled(disk)
    for (let left = 0; left < 3; left++) await elapse(disk, clock, LATE_MS)
    expect([await store.leases(), await store.get('a')]).toEqual([[], undefined])
    await store.close()
  }
  expect(met).toBe(RUNS)
})

test(`#9360 leases that end together keep no other write waiting for all, seed ${seed}`, async () => {
  const random = randomOf(9360)
  for (let i = effort({ smoke: 1, ci: 5, soak: 100 }); i > 0; i--) {
    const disk = new MemoryDisk({ seed: random.u32() })
    const { store, clock } = await openClocked(disk)
    const count = random.between(600, 1200)
    const granted = Array.from({ length: count }, async (_, n) => {
      await store.grant({ id: BigInt(n + 1), ttlSeconds: 5 })
      await store.put(`k${n}`, '1', { lease: BigInt(n + 1) })
    })
    await Promise.all(granted)
    const { revision: before } = await store.status()
    clock.advance(5000)
    const { revision } = await store.put('other', '1')
    // Those that were taken as due in front of it, and no more.
    expect(revision - before).toBeLessThanOrEqual(257)
    await settled(disk)
    expect([await store.leases(), (await store.range()).count]).toEqual([[], 1])
    expect((await store.status()).revision).toBe(before + count + 1)
    await store.close()
  }
})

/** A disk that can get stuck: what is to be durable waits until it is let go. */
class StuckDisk extends MemoryDisk {
  #gate: Promise<void> = Promise.resolve()
  #open: () => void = () => {}

  stick(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  letGo(): void {
    this.#open()
  }

  override open(path: string, options: DiskFileOptions): DiskFile {
    const file = super.open(path, options)
    const write = file.writeDurablyAsync.bind(file)
    file.writeDurablyAsync = async (source, position) => {
      await this.#gate
      await write(source, position)
    }
    return file
  }
}

test(`#15247 #12528 a stuck disk ends no lease and answers no renewal, seed ${seed}`, async () => {
  const random = randomOf(15247)
  for (let i = 0; i < RUNS; i++) {
    const disk = new StuckDisk({ seed: random.u32() })
    const { store, clock } = await openClocked(disk)
    const kept = await store.grant({ id: 1n, ttlSeconds: 60 })
    const due = await store.grant({ id: 2n, ttlSeconds: 5 })
    for (const lease of [kept, due]) await store.put(`k${lease.id}`, '1', { lease })
    const shown: number[] = []
    const watch = store.watch({ only: 'delete' })
    const watching = (async () => {
      for await (const { revision } of watch) shown.push(revision)
      return 'closed'
    })().catch((error: unknown) => (isKvError(error) ? error.code : String(error)))
    disk.stick()
    const outcomes: string[] = []
    const note = async (what: string, call: Promise<unknown>): Promise<void> => {
      const outcome = await call.then(
        () => 'done',
        (error: unknown) => (isKvError(error) ? error.code : String(error)),
      )
      outcomes.push(`${what} ${outcome}`)
    }
    // Whoever renews now renews a store that may be gone when it comes to be known.
    const calls = [note('put', store.put('other', '1'))]
    await new Promise((resolve) => setImmediate(resolve))
    calls.push(note('renew', store.renew(kept)))
    await elapse(disk, clock, random.between(5000, 50_000))
    calls.push(note('renew', store.renew(kept)))
    await settled(disk)
    expect(outcomes).toEqual([])
    // Its end is on its way at most: nobody sees it.
    expect((await store.range()).kvs.map(({ key }) => key)).toEqual(['k1', 'k2'])
    expect(shown).toEqual([])
    const isLost = random.chance(0.5)
    if (isLost) disk.injectFault({ kind: ['write', 'sync'], code: 'EIO', times: Infinity })
    const image = disk.afterPowerLoss(random, 'nothing')
    disk.letGo()
    await Promise.all(calls)
    await settled(disk)
    expect(outcomes).toHaveLength(3)
    if (isLost) {
      expect(outcomes.filter((outcome) => outcome.endsWith('done'))).toEqual([])
      await note('renew', store.renew(kept))
      expect(outcomes.at(-1)).toBe('renew KV_POISONED')
      expect(shown).toEqual([])
    } else {
      expect(outcomes).toEqual(['put done', 'renew done', 'renew done'])
      expect((await store.range()).kvs.map(({ key }) => key)).toEqual(['k1', 'other'])
    }
    await store.close().catch(() => {})
    expect(await watching).toBe(isLost ? 'KV_POISONED' : 'closed')
    // The power went while it was stuck: both leases are there, with all of their time.
    const next = await openClocked(image)
    const left = async (id: bigint): Promise<unknown> =>
      (await next.store.lease(id))?.remainingSeconds
    expect([await left(1n), await left(2n)]).toEqual([60, 5])
    await next.store.close()
  }
})

test(`#15247 #12528 a jump of the clock, and a pause, end nothing early, seed ${seed}`, async () => {
  const random = randomOf(12528)
  for (let i = 0; i < RUNS; i++) {
    const disk = new MemoryDisk({ seed: random.u32() })
    const { store, clock } = await openClocked(disk)
    const ttlSeconds = random.between(2, 100)
    const lease = await store.grant({ ttlSeconds })
    await store.put('a', '1', { lease })
    let leftMs = ttlSeconds * 1000
    while (leftMs > 1) {
      clock.setWallMs(random.pick([0, 1_700_000_000_000, 4e12, 8e15]))
      const step = Math.min(leftMs - 1, random.between(1, 30_000))
      await elapse(disk, clock, step)
      leftMs -= step
      expect((await store.lease(lease))?.remainingSeconds).toBe(Math.floor(leftMs / 1000))
      expect((await store.get('a'))?.key).toBe('a')
    }
    await elapse(disk, clock, 1)
    expect(await store.get('a')).toBeUndefined()
    await store.close()
  }
})

test(`#11408 a lock whose session ended while it waited is not had, seed ${seed}`, async () => {
  const random = randomOf(11408)
  for (let i = 0; i < RUNS; i++) {
    await using life = await ClockedStore.open()
    const holder = await lock(life.store, 'l', { ttlSeconds: 1000 })
    const session = await openSession(life.store, { ttlSeconds: 10 })
    const waiting = lock(life.store, 'l', { session }).then(
      () => 'had',
      (error: unknown) => (isKvError(error) ? error.code : String(error)),
    )
    await life.settle()
    const behind = lock(life.store, 'l', { ttlSeconds: 1000 })
    await life.settle()
    const [, place = ''] = await life.keys('l/')
    // Its key goes, in one way or another; then the one in front of it, which it waits for.
    if (random.chance(0.5)) await life.store.revoke(session.id)
    else await life.store.delete(place)
    if (random.chance(0.5)) await life.settle()
    await holder.release()
    expect(await waiting).toBe('KV_LEASE_NOT_FOUND')
    const next = await behind
    expect(next.signal.aborted).toBe(false)
    await next.release()
    await session.close()
  }
})
