/**
 * A store whose time passes when it is told to, and processes that use it: each may die, and is
 * held up at random before each of its calls.
 */
import { FakeClock } from '../../base/clock.ts'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openOn } from '../../store/open.ts'
import type { RecipeStore } from '../../store/recipes/recipe-store.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import { turns } from './transact-steps.ts'

export class ClockedStore {
  readonly disk: MemoryDisk
  readonly clock: FakeClock
  readonly store: BuiltLocalStore

  private constructor(disk: MemoryDisk, clock: FakeClock, store: BuiltLocalStore) {
    this.disk = disk
    this.clock = clock
    this.store = store
  }

  static async open(): Promise<ClockedStore> {
    const disk = new MemoryDisk()
    const clock = new FakeClock()
    const store = await openOn(disk, '/data', {}, { clock, random: new Random(5) })
    return new ClockedStore(disk, clock, store)
  }

  /** Lets time pass, and what falls due come to its end. */
  async elapse(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms)
    await this.settle()
  }

  /** Waits until nothing happens any more of itself. */
  async settle(): Promise<void> {
    for (let quiet = 0, before = -1; quiet < 8; quiet++) {
      await turns(1)
      const { operationCount } = this.disk
      if (operationCount !== before) quiet = 0
      before = operationCount
    }
  }

  async keys(prefix = ''): Promise<string[]> {
    return (await this.store.range({ prefix })).kvs.map(({ key }) => key)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close()
  }
}

/** What a dead process waits for. */
const NEVER = new Promise<never>(() => {})

/** A process: what it asks of the store comes late, and no more at all once it is dead. */
export class Process {
  readonly store: RecipeStore<string, string>
  readonly #random: Random
  readonly #keepers = new Set<AsyncDisposable>()
  #isDead = false

  constructor(store: BuiltLocalStore, random: Random) {
    this.#random = random
    const late = async <T>(call: () => Promise<T>): Promise<T> => {
      await this.pass()
      const result = await call()
      await this.pass()
      return result
    }
    this.store = {
      get: (...given: Parameters<typeof store.get>) => late(() => store.get(...given)),
      range: (...given: Parameters<typeof store.range>) => late(() => store.range(...given)),
      put: (...given: Parameters<typeof store.put>) => late(() => store.put(...given)),
      txn: (...given: Parameters<typeof store.txn>) => late(() => store.txn(...given)),
      grant: (options) => late(() => store.grant(options)),
      revoke: (lease) => late(() => store.revoke(lease)),
      watch: (options) => store.watch(options),
      keepAlive: (lease) => {
        const keeper = store.keepAlive(lease)
        this.#keepers.add(keeper)
        return keeper
      },
    } as RecipeStore<string, string>
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** It stops where it stands and renews nothing; what it has goes when its leases end. */
  async die(): Promise<void> {
    this.#isDead = true
    await this.stopRenewing()
  }

  /** As if it slept: its leases run out, and it goes on without knowing. */
  async stopRenewing(): Promise<void> {
    for (const keeper of this.#keepers) await keeper[Symbol.asyncDispose]()
  }

  /** Some turns of the event loop go by. */
  async pass(): Promise<void> {
    await turns(this.#random.below(4))
    if (this.#isDead) await NEVER
  }
}
