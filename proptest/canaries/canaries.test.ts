import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { CANARIES, type Canary } from './registry.ts'
import { type Outcome, tryCanaries } from './try.ts'
import { mutate } from './workbench.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const caught: Canary = {
  name: 'caught',
  file: 'base/bytes.ts',
  find: 'return aSize - bSize',
  replace: 'return bSize - aSize',
  test: 'base/bytes.test.ts',
  testName: 'agrees with Buffer.compare()',
}

describe('tryCanaries()', () => {
  test('tells the caught from the surviving, the lost and the untested', async () => {
    const outcomes = await tryCanaries(
      [
        caught,
        { ...caught, name: 'survives', testName: 'quotes plain text' },
        { ...caught, name: 'lost', find: 'text that is not there' },
        { ...caught, name: 'untested', testName: 'a test that nobody wrote' },
        { ...caught, name: 'broken', replace: 'return }' },
      ],
      { root: ROOT, jobs: 2, limitMs: 60_000 },
    )
    const brief = ({ canary, caught, note }: Outcome): string =>
      `${canary.name}: ${caught ? 'caught' : note.slice(0, 30)}`
    expect(outcomes.map(brief)).toEqual([
      'caught: caught',
      'survives: it SURVIVED: the test passes a',
      'lost: its text occurs 0 times in bas',
      'untested: no test of base/bytes.test.ts ',
      'broken: base/bytes.test.ts does not lo',
    ])
  })
})

describe('mutate()', () => {
  test('refuses text that occurs more than once, or a change of nothing', () => {
    expect(() => mutate('a a', { ...caught, find: 'a', replace: 'b' })).toThrow(/occurs 2 times/)
    expect(() => mutate('a', { ...caught, find: 'a', replace: 'a' })).toThrow(/changes nothing/)
    expect(mutate('a b', { ...caught, find: 'a', replace: '$&' })).toBe('$& b')
  })
})

describe('the registry', () => {
  test.each(CANARIES.map((canary) => [canary.name, canary] as const))(
    'can be tried: %s',
    (_name, canary) => {
      expect(existsSync(`${ROOT}/${canary.test}`)).toBe(true)
      mutate(readFileSync(`${ROOT}/${canary.file}`, 'utf8'), canary)
      expect(CANARIES.filter((other) => other.name === canary.name)).toHaveLength(1)
    },
  )
})
