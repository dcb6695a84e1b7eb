/**
 * Random transactions as data, played on the store and, one after the other, on a plain map.
 *
 * What a transaction writes depends on what it read, and all that it read is noted: where the notes
 * of both plays are equal, the transactions took effect as if one after the other.
 */
import fc from 'fast-check'
import type { Transaction } from '../../store/types/txn.ts'

export type Span =
  | { readonly prefix: string }
  | { readonly start: string; readonly end: string }
  | { readonly fromKey: string }

export type Step =
  | { readonly do: 'get' | 'increment' | 'delete' | 'put'; readonly key: string }
  | { readonly do: 'move'; readonly key: string; readonly to: string }
  | { readonly do: 'sum' | 'append'; readonly span: Span; readonly key: string }
  | { readonly do: 'list' | 'clear' | 'pop'; readonly span: Span }
  | { readonly do: 'wait'; readonly turns: number }

/** The part of a transaction that both plays have. */
export interface Played {
  get(key: string): Promise<string | undefined>
  range(span: Span): Promise<readonly (readonly [key: string, value: string])[]>
  put(key: string, value: string): void
  delete(keys: string | Span): void
  wait(turns: number): Promise<void>
}

const key = fc.constantFrom('a', 'aa', 'ab', 'b', 'ba', 'c')
const span = fc.constantFrom<Span>(
  { prefix: 'a' },
  { prefix: 'b' },
  { prefix: 'aa' },
  { start: 'aa', end: 'b' },
  { start: 'ab', end: 'c' },
  { fromKey: 'b' },
)

export const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('get', 'increment', 'delete', 'put'), key }),
  fc.record({ do: fc.constant('move'), key, to: key }),
  fc.record({ do: fc.constantFrom('sum', 'append'), span, key }),
  fc.record({ do: fc.constantFrom('list', 'clear', 'pop'), span }),
  fc.record({ do: fc.constant('wait'), turns: fc.nat(4) }),
)

/** Plays the steps and notes what they read. */
export async function play(t: Played, steps: readonly Step[]): Promise<string[]> {
  const notes: string[] = []
  const read = async (from: string): Promise<number> => {
    const place = notes.push('') - 1
    const value = await t.get(from)
    notes[place] = `${from}=${value}`
    return Number(value ?? 0)
  }
  const list = async (from: Span): Promise<readonly (readonly [string, string])[]> => {
    const found = await t.range(from)
    notes.push(found.map((entry) => entry.join('=')).join(' '))
    return found
  }
  for (const each of steps) await playStep(t, each, { read, list })
  return notes
}

interface Reading {
  readonly read: (key: string) => Promise<number>
  readonly list: (span: Span) => Promise<readonly (readonly [string, string])[]>
}

async function playStep(t: Played, step: Step, { read, list }: Reading): Promise<void> {
  switch (step.do) {
    case 'get':
      await read(step.key)
      return
    case 'put':
      return t.put(step.key, '1')
    case 'increment':
      return t.put(step.key, String((await read(step.key)) + 1))
    case 'delete':
      return t.delete(step.key)
    case 'move': {
      const [from, to] = await Promise.all([read(step.key), read(step.to)])
      t.put(step.key, String(from - 1))
      return t.put(step.to, String(to + 1))
    }
    case 'sum': {
      const found = await list(step.span)
      return t.put(step.key, String(found.reduce((sum, [, value]) => sum + Number(value), 1)))
    }
    case 'append': {
      const found = await list(step.span)
      if (found.length < 3) t.put(step.key, String(found.length))
      return
    }
    case 'list':
      await list(step.span)
      return
    case 'clear':
      return t.delete(step.span)
    case 'pop': {
      const last = (await list(step.span)).at(-1)
      if (last !== undefined) t.delete(last[0])
      return
    }
    case 'wait':
      return await t.wait(step.turns)
  }
}

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

export function onStore(t: Transaction): Played {
  return {
    get: async (from) => (await t.get(from))?.value,
    range: async (from) => (await t.range(from)).map((kv) => [kv.key, kv.value] as const),
    put: (to, value) => t.put(to, value),
    delete: (keys) => t.delete(keys),
    wait: turns,
  }
}

function has(of: Span, each: string): boolean {
  if ('prefix' in of) return each.startsWith(of.prefix)
  if ('fromKey' in of) return each >= of.fromKey
  return each >= of.start && each < of.end
}

/** Plays on the map itself; what it does is done at once. */
export function onMap(map: Map<string, string>): Played {
  return {
    get: async (from) => map.get(from),
    range: async (from) => [...map].filter(([each]) => has(from, each)).sort(),
    put: (to, value) => void map.set(to, value),
    delete: (keys) => {
      for (const each of [...map.keys()]) {
        if (typeof keys === 'string' ? each === keys : has(keys, each)) map.delete(each)
      }
    },
    wait: async () => {},
  }
}
