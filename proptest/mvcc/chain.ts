/** A chain of older revisions beside a list of what it is to hold, oldest first. */

import { deepStrictEqual } from 'node:assert'
import type { Random } from '../../base/random.ts'
import type { History } from '../../mvcc/history.ts'
import { KeyState } from '../../mvcc/key-records.ts'

const TWO_32 = 2 ** 32

interface Revision {
  readonly main: number
  readonly sub: number
  readonly create: number
  readonly version: number
}

function shown({ modMain, modSub, createMain, version }: KeyState): Revision {
  return { main: modMain, sub: modSub, create: createMain, version }
}

export class Chain {
  readonly history: History
  head = 0
  readonly list: Revision[] = []
  readonly #state = new KeyState()

  /** Its first revision; undefined: any. */
  readonly #first: number | undefined

  constructor(history: History, first?: number) {
    this.history = history
    this.#first = first
  }

  get lastMain(): number {
    return this.list.at(-1)?.main ?? 0
  }

  push(one: Revision): void {
    this.#state.set(one.main, one.sub, one.create, one.version)
    this.head = this.history.push(this.head, this.#state)
    this.list.push(one)
  }

  /** The revision after the last one, or the first. */
  pushNext(random: Random): void {
    const last = this.list.at(-1)
    if (last === undefined) {
      const main = this.#first ?? random.pick([2, 1000, TWO_32 - 20, 2 ** 40])
      const version = random.pick([1, 2, 7, TWO_32 - 5, 2 ** 43 - 2000])
      const create = version === 1 ? main : random.pick([1, main - 1])
      this.push({ main, sub: random.below(3), create, version })
      return
    }
    const isSame = random.chance(0.1) && last.sub < 10
    const main = isSame ? last.main : last.main + random.pick([1, 1, 5, 1000, TWO_32])
    const sub = isSame ? last.sub + 1 : random.pick([0, 2, 2 ** 31 - 100])
    if (last.version === 0) this.push({ main, sub, create: main, version: 1 })
    else if (random.chance(0.15)) this.push({ main, sub, create: 0, version: 0 })
    else this.push({ main, sub, create: last.create, version: last.version + 1 })
  }

  pop(): void {
    const last = this.list.pop()
    this.head = this.history.pop(this.head, this.#state)
    deepStrictEqual(shown(this.#state), last)
  }

  prune(main: number, keeps: boolean): void {
    const from = this.list.findLastIndex((one) => one.main <= main)
    const dropped = from < 0 ? 0 : keeps ? from : from + 1
    let asked: Revision | undefined
    this.head = this.history.prune(this.head, main, (newest) => {
      asked = shown(newest)
      return keeps
    })
    deepStrictEqual(asked, from < 0 ? undefined : this.list[from])
    deepStrictEqual(this.history.dropped, dropped)
    this.list.splice(0, dropped)
    deepStrictEqual(this.head === 0, this.list.length === 0)
  }

  /** Looks at everything, and finds so many revisions. */
  check(random: Random, finds = 6): void {
    const all: Revision[] = []
    this.history.forEach(this.head, (state) => {
      all.push(shown(state))
      return true
    })
    deepStrictEqual(all.toReversed(), this.list)
    const some = this.list.length === 0 ? [] : [this.list[0], this.list.at(-1)]
    for (let i = 0; i < finds && this.list.length > 0; i++) some.push(random.pick(this.list))
    for (const one of some) if (one !== undefined) this.#find(one, random)
  }

  #find({ main, sub }: Revision, random: Random): void {
    const at = main + random.pick([-1, 0, 1])
    const found = this.history.find(this.head, at, this.#state) ? shown(this.#state) : undefined
    deepStrictEqual(
      found,
      this.list.findLast((one) => one.main <= at),
    )
    const isBefore = this.history.findBefore(this.head, main, sub, this.#state)
    deepStrictEqual(
      isBefore ? shown(this.#state) : undefined,
      this.list.findLast((one) => one.main < main || (one.main === main && one.sub < sub)),
    )
  }
}
