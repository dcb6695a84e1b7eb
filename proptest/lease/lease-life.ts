/**
 * A store with leases on a disk in memory, whose time passes when it is told to, and beside it what
 * was promised.
 *
 * Claims, after every step
 *   1. every revision that no call made is the end of one lease: it deletes the lease's keys, all
 *      of them and no others;
 *   2. no lease ends before the time that its last grant or renewal promised; time counts only
 *      while a store is open;
 *   3. no lease outlives its time by more than a restart may add: a second after a store that was
 *      closed, all of its time after one that was not;
 *   4. what is attached to what is as the puts and deletes say.
 */
import { FakeClock } from '../../base/clock.ts'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { isKvError } from '../../base/errors.ts'
import { openOn } from '../../store/open.ts'
import type { BuiltLocalStore } from '../../store/types.ts'

/** What is due within that time may be ended together. */
const TOGETHER_MS = 25

interface Promised {
  readonly ttlSeconds: number
  /** It lives until then, in ms of time that passed. */
  safeMs: number
  /** By then it is gone. */
  goneMs: number
}

interface Held {
  readonly value: string
  readonly lease: bigint
}

export class LeaseLife {
  #disk = new MemoryDisk()
  #clock = new FakeClock()
  #store: BuiltLocalStore
  readonly #checkpointBytes: number
  readonly #leases = new Map<bigint, Promised>()
  #keys = new Map<string, Held>()
  /** Time that passed while a store was open, in all lives before this one. */
  #beforeMs = 0
  #revision = 1
  /** Ends of leases that were seen, to show that the cases are what they are meant to be. */
  endCount = 0

  private constructor(disk: MemoryDisk, clock: FakeClock, store: BuiltLocalStore, bytes: number) {
    this.#disk = disk
    this.#clock = clock
    this.#store = store
    this.#checkpointBytes = bytes
  }

  /** `checkpointBytes`: how often what is left of leases may be noted. */
  static async begin(checkpointBytes: number): Promise<LeaseLife> {
    const disk = new MemoryDisk()
    const clock = new FakeClock()
    const store = await openOn(disk, '/data', { checkpointBytes }, { clock, random: new Random(1) })
    return new LeaseLife(disk, clock, store, checkpointBytes)
  }

  async end(): Promise<void> {
    await this.#store.close()
  }

  async grant(id: bigint, ttlSeconds: number): Promise<void> {
    const wanted = this.#leases.has(id) ? 'KV_LEASE_EXISTS' : 'done'
    mustBe(await outcomeOf(this.#store.grant({ id, ttlSeconds })), wanted)
    if (wanted === 'done') this.#promise(id, ttlSeconds)
    await this.#look()
  }

  async renew(id: bigint): Promise<void> {
    const lease = this.#leases.get(id)
    mustBe(await outcomeOf(this.#store.renew(id)), foundOrNot(lease !== undefined))
    if (lease !== undefined) this.#promise(id, lease.ttlSeconds)
    await this.#look()
  }

  async revoke(id: bigint): Promise<void> {
    const isThere = this.#leases.delete(id)
    mustBe(await outcomeOf(this.#store.revoke(id)), foundOrNot(isThere))
    const keys = this.#keysOf(id)
    if (isThere) this.#made(keys.length, (held) => keys.forEach((key) => held.delete(key)))
    await this.#look()
  }

  /** `lease` undefined: the key keeps its own. */
  async put(key: string, lease: bigint | undefined): Promise<void> {
    const value = String(this.#revision)
    const before = this.#keys.get(key)
    const options = lease === undefined ? { ignoreLease: true } : { lease }
    const isRefused = lease !== undefined && lease !== 0n && !this.#leases.has(lease)
    const isMissing = lease === undefined && before === undefined
    const wanted = isMissing ? 'KV_KEY_NOT_FOUND' : foundOrNot(!isRefused)
    mustBe(await outcomeOf(this.#store.put(key, value, options)), wanted)
    if (wanted === 'done') {
      this.#made(1, (held) => held.set(key, { value, lease: lease ?? before?.lease ?? 0n }))
    }
    await this.#look()
  }

  async delete(prefix: string): Promise<void> {
    const gone = [...this.#keys.keys()].filter((key) => key.startsWith(prefix))
    await this.#store.delete({ prefix })
    this.#made(gone.length, (held) => gone.forEach((key) => held.delete(key)))
    await this.#look()
  }

  async wait(ms: number): Promise<void> {
    await this.#clock.advanceAsync(ms)
    await this.#look()
  }

  async reopen(): Promise<void> {
    await this.#store.close()
    for (const lease of this.#leases.values()) {
      // Rounded up, and a lease that was overdue has a second.
      lease.goneMs = Math.max(lease.goneMs, this.#nowMs) + 1000
    }
    await this.#open(this.#disk)
  }

  /** Time passes, and `turns` later, in the midst of what that brought about, the power goes. */
  async crash(ms: number, turns: number, seed: number): Promise<void> {
    this.#clock.advance(ms)
    for (let left = turns; left > 0; left--) await nextTurn()
    const image =
      seed % 3 === 0
        ? this.#disk.processKilled()
        : this.#disk.afterPowerLoss(seed, seed % 2 === 0 ? 'random' : 'nothing')
    for (const lease of this.#leases.values()) {
      lease.goneMs = this.#nowMs + lease.ttlSeconds * 1000
    }
    const old = this.#store
    await this.#open(image)
    await old.close()
  }

  async #open(disk: MemoryDisk): Promise<void> {
    this.#beforeMs = this.#nowMs
    this.#disk = disk
    this.#clock = new FakeClock(1)
    const tuning = { clock: this.#clock, random: new Random(1) }
    const options = { checkpointBytes: this.#checkpointBytes }
    this.#store = await openOn(disk, '/data', options, tuning)
    await this.#look()
  }

  get #nowMs(): number {
    return this.#beforeMs + this.#clock.monotonicMs()
  }

  #promise(id: bigint, ttlSeconds: number): void {
    const safeMs = this.#nowMs + ttlSeconds * 1000
    this.#leases.set(id, { ttlSeconds, safeMs, goneMs: safeMs })
  }

  #keysOf(id: bigint): string[] {
    const held = [...this.#keys].filter(([, { lease }]) => lease === id)
    return held.map(([key]) => key).sort()
  }

  /** A call made a revision, if it changed anything. */
  #made(changeCount: number, change: (keys: Map<string, Held>) => unknown): void {
    if (changeCount === 0) return
    this.#revision++
    change(this.#keys)
  }

  /** Waits until nothing happens of itself any more, then looks at everything. */
  async #look(): Promise<void> {
    for (let quiet = 0, before = -1; quiet < 20; quiet++) {
      await nextTurn()
      if (this.#disk.operationCount !== before) quiet = 0
      before = this.#disk.operationCount
    }
    const { revision } = await this.#store.status()
    while (this.#revision < revision) await this.#lookAtEnd(this.#revision + 1)
    claim(revision === this.#revision, `revision ${this.#revision} became ${revision}`)
    await this.#lookAtKeys()
    await this.#lookAtLeases()
  }

  /** A revision that no call made: the end of a lease. */
  async #lookAtEnd(revision: number): Promise<void> {
    const { kvs } = await this.#store.range({ revision })
    const left = new Set(kvs.map(({ key }) => key))
    const gone = [...this.#keys.keys()].filter((key) => !left.has(key)).sort()
    const id = this.#keys.get(gone[0] ?? '')?.lease ?? 0n
    claim(id !== 0n, `revision ${revision} is no lease's end: ${gone.join(' ')} went`)
    const keys = this.#keysOf(id)
    mustBe(gone.join(' '), keys.join(' '))
    this.#ended(id)
    for (const key of keys) this.#keys.delete(key)
    this.#revision = revision
  }

  #ended(id: bigint): void {
    const lease = this.#leases.get(id)
    claim(lease !== undefined, `lease ${id} ended that was not there`)
    const earlyMs = lease.safeMs - this.#nowMs
    claim(earlyMs <= 0, `lease ${id} of ${lease.ttlSeconds} s ended ${earlyMs} ms early`)
    this.#leases.delete(id)
    this.endCount++
  }

  async #lookAtKeys(): Promise<void> {
    const { kvs } = await this.#store.range()
    const found = kvs.map(({ key, value, lease }) => `${key}=${value} l${lease}`)
    const held = [...this.#keys].map(([key, { value, lease }]) => `${key}=${value} l${lease}`)
    mustBe(found.join(), held.sort().join())
  }

  async #lookAtLeases(): Promise<void> {
    const ids = new Set(await this.#store.leases())
    for (const [id, lease] of [...this.#leases]) {
      if (!ids.delete(id)) {
        claim(this.#keysOf(id).length === 0, `lease ${id} ended without its keys`)
        this.#ended(id)
        continue
      }
      const overMs = this.#nowMs - lease.goneMs
      claim(overMs <= TOGETHER_MS, `lease ${id} is there still, ${overMs} ms after its end`)
      const info = await this.#store.lease(id, { keys: true })
      mustBe(info?.keys.join(' '), this.#keysOf(id).join(' '))
      mustBe(info?.ttlSeconds, lease.ttlSeconds)
    }
    claim(ids.size === 0, `leases that nobody granted: ${[...ids].join(' ')}`)
  }
}

class LeaseError extends Error {
  override readonly name: string = 'LeaseError'
}

function claim(condition: boolean, message: string): asserts condition {
  if (!condition) throw new LeaseError(message)
}

function mustBe(found: unknown, wanted: unknown): void {
  claim(found === wanted, `found "${String(found)}", expected "${String(wanted)}"`)
}

function foundOrNot(isThere: boolean): string {
  return isThere ? 'done' : 'KV_LEASE_NOT_FOUND'
}

async function outcomeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'done'
  } catch (error) {
    if (isKvError(error)) return error.code
    throw error
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
