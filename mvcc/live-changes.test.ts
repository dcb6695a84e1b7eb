import { describe, expect, test } from 'vitest'
import { KeyIndex } from './key-index.ts'
import { KeyState } from './key-records.ts'
import { LiveChanges } from './live-changes.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('LiveChanges', () => {
  test('knows what changed after a revision, until that is too far back', () => {
    const changes = new LiveChanges()
    for (let main = 2; main < 10_000; main++) changes.note(main, main % 7)
    expect(changes.after(9999)).toEqual(new Set())
    expect(changes.after(9996)).toEqual(new Set([9997 % 7, 9998 % 7, 9999 % 7]))
    expect(changes.after(5000)).toBeUndefined()
    changes.trim()
    expect(changes.after(9998)).toEqual(new Set([9999 % 7]))
    changes.undo()
    expect(changes.after(9998)).toEqual(new Set())
    changes.reset(9998)
    expect(changes.after(9997)).toBeUndefined()
    expect(changes.after(9998)).toEqual(new Set())
  })
})

describe('KeyIndex.countLive()', () => {
  test('counts what existed a thousand changes ago, and nothing beyond that', () => {
    const index = new KeyIndex()
    const state = new KeyState()
    for (let main = 2; main < 3002; main++) index.put(bytes(`k${main}`), main, 0, state)
    index.forget()
    for (const main of [3001, 3000, 2990, 2001]) {
      expect(index.countLive(bytes(''), undefined, main)).toBe(main - 1)
    }
    expect(index.countLive(bytes('k10'), bytes('k11'), 3001)).toBe(11 + 100)
    expect(index.countLive(bytes(''), undefined, 1000)).toBeUndefined()
    index.tombstone(bytes('k2999'), 3002, 0)
    index.put(bytes('k2999'), 3003, 0, state)
    index.tombstone(bytes('k2998'), 3003, 1)
    expect([3001, 3002, 3003].map((main) => index.countLive(bytes(''), undefined, main))).toEqual([
      3000, 2999, 2999,
    ])
  })
})
