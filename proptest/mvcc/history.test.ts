import { describe, expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { History } from '../../mvcc/history.ts'
import { KeyState } from '../../mvcc/key-records.ts'
import { effort, seed } from '../effort.ts'
import { Chain } from './chain.ts'

describe('History', () => {
  test('agrees with a list, whatever is pushed, popped and pruned', () => {
    const random = new Random(seed >>> 0)
    for (let left = effort({ smoke: 60, ci: 600, soak: 20_000 }); left > 0; left--) {
      const history = new History()
      const chains = Array.from({ length: 3 }, () => new Chain(history))
      for (let steps = random.between(5, 60); steps > 0; steps--) {
        const chain = random.pick(chains)
        const act = random.below(10)
        if (act < 6) for (let n = random.pick([1, 3, 40, 150]); n > 0; n--) chain.pushNext(random)
        else if (act < 8)
          for (let n = random.pick([1, 5, 80]); n > 0 && chain.head !== 0; n--) chain.pop()
        else if (chain.list.length > 0) {
          const { main } = random.pick(chain.list)
          chain.prune(main + random.pick([-1, 0]), random.chance(0.7))
        }
        chain.check(random)
      }
    }
  })

  test('long chains, pruned, are found in, and give their blocks to others', () => {
    const random = new Random(seed >>> 0)
    const history = new History()
    const chain = new Chain(history)
    for (let i = 0; i < 20_000; i++) chain.pushNext(random)
    for (const part of [0.1, 0.5, 0.9, 0.99]) {
      const { main = 0 } = chain.list[Math.floor(chain.list.length * part)] ?? {}
      chain.prune(main, true)
      for (let i = 0; i < 200; i++) chain.pushNext(random)
      // Of newer revisions, as it is where another key takes the room.
      const other = new Chain(history, chain.lastMain + 1)
      for (let i = 0; i < 5000; i++) other.pushNext(random)
      chain.check(random, 400)
      other.check(random, 50)
    }
  })

  test('takes 16 bytes a revision or less, from three of a key on', () => {
    for (const [count, bytesMax] of [
      [3, 15],
      [10, 13],
      [119, 11],
      [2000, 10],
    ] as const) {
      const history = new History()
      const keys = 200_000 / count
      for (let key = 0; key < keys; key++) {
        let head = 0
        const state = new KeyState()
        for (let i = 0; i < count; i++) {
          state.set(i * keys + key + 2, 0, key + 2, i + 1)
          head = history.push(head, state)
        }
      }
      expect(history.allocatedBytes / (keys * count)).toBeLessThan(bytesMax)
    }
  })
})
