/**
 * Clients that call a store at the same time, and the history of what they asked and were told.
 *
 * Time is counted in calls and answers. What a client knows of (revisions, values) steers what it
 * asks next, so that conditions hold now and then and old revisions are there.
 */

import type { Random } from '../../base/random.ts'
import type { Operation } from './checker.ts'
import type { StoreAnswer, StoreCall } from './store-calls.ts'
import { KEYS } from './store-calls.ts'

const LEASES = [1, 2, 3]
/** Nothing happened at revision 1: a watch of it alone would wait for ever. */
const FIRST_WRITE = 2

export type StoreOperation = Operation<StoreCall, StoreAnswer>

/** How a client asks: undefined where nobody knows what came of it. */
export type Ask = (call: StoreCall) => Promise<StoreAnswer | undefined>

/** What was asked and told, over all lives of a store. */
export class Record {
  readonly operations: StoreOperation[] = []
  #now = 0
  #valueCount = 0
  /** The newest revision that an answer named. */
  #revision = 1
  /** Values that were put, newest last, by key. */
  readonly #values = new Map<string, string>()

  /** Makes a call and notes both ends of it. */
  async make(call: StoreCall, ask: Ask): Promise<StoreAnswer | undefined> {
    const calledAt = ++this.#now
    const place = this.operations.length
    this.operations.push({ call, calledAt, answeredAt: Infinity, answer: undefined })
    const answer = await ask(call)
    if (answer === undefined) return undefined
    this.operations[place] = { call, calledAt, answeredAt: ++this.#now, answer }
    const revision = Number(/^@(\d+)/.exec(answer)?.[1] ?? 0)
    this.#revision = Math.max(this.#revision, revision)
    return answer
  }

  /** Whoever answered is gone: what was not answered takes no effect any more. */
  endLife(): void {
    const answeredAt = ++this.#now
    for (const [place, one] of this.operations.entries()) {
      if (one.answeredAt === Infinity) this.operations[place] = { ...one, answeredAt }
    }
  }

  /** A value that is written nowhere else. */
  #nextValue(key: string): string {
    const value = `v${++this.#valueCount}`
    this.#values.set(key, value)
    return value
  }

  /** Anywhere in history; 0: the newest. */
  #moment(random: Random): number {
    return random.chance(0.6) ? 0 : Math.max(1, this.#revision + 1 - random.below(12))
  }

  next(random: Random): StoreCall {
    const key = random.pick(KEYS)
    const dice = random.below(100)
    if (dice < 34) {
      const lease = random.chance(0.2) ? random.pick(LEASES) : 0
      return { type: 'put', key, value: this.#nextValue(key), lease }
    }
    if (dice < 44) return { type: 'delete', keys: [key, random.pick([`${key}\0`, 'c', 'z'])] }
    if (dice < 58) {
      const from = this.#values.get(key) ?? ''
      const second = KEYS.filter((other) => other !== key)
      const value = this.#nextValue(key)
      return { type: 'swap', keys: [key, random.pick(second)], from, value }
    }
    if (dice < 72) return { type: 'get', key, revision: this.#moment(random) }
    if (dice < 84) {
      const by = random.pick(['range', 'view', 'snapshot'] as const)
      return { type: 'all', by, revision: this.#moment(random) }
    }
    if (dice < 87) return { type: 'grant', lease: random.pick(LEASES) }
    if (dice < 91) return { type: 'revoke', lease: random.pick(LEASES) }
    if (dice < 94) return { type: 'compact', revision: Math.max(1, this.#moment(random)) }
    const to = this.#revision
    return { type: 'events', from: Math.max(FIRST_WRITE, to - random.below(10)), to }
  }

  /** All that can still be asked of the past, one after the other. */
  last(): readonly StoreCall[] {
    const all = { type: 'all', by: 'range' } as const
    const calls: StoreCall[] = [{ ...all, revision: 0 }]
    for (let revision = this.#revision; revision >= 1; revision--) calls.push({ ...all, revision })
    for (let from = this.#revision; from >= FIRST_WRITE; from -= 5) {
      calls.push({ type: 'events', from, to: this.#revision })
    }
    return calls
  }
}

export interface Crowd {
  readonly record: Record
  readonly random: Random
  readonly clients: number
  /** Of each client. */
  readonly calls: number
  readonly ask: Ask
  readonly pause: () => Promise<void>
}

/** Runs clients until each has made its calls, or was told nothing. */
export async function crowd({ record, random, clients, calls, ask, pause }: Crowd): Promise<void> {
  const client = async (own: Random): Promise<void> => {
    for (let i = 0; i < calls; i++) {
      while (own.chance(0.4)) await pause()
      if ((await record.make(record.next(own), ask)) === undefined) return
    }
  }
  await Promise.all(Array.from({ length: clients }, async () => await client(random.fork())))
}
