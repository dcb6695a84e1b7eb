import { describe, expect, test } from 'vitest'
import { readArguments, UsageError } from './arguments.ts'

describe('the command line', () => {
  test('without options asks for every case at a million keys', () => {
    const options = readArguments([])
    expect(options).toMatchObject({ keyCounts: [1_000_000], rounds: 5, keep: false, wanted: 'run' })
    expect(options.cases.map((one) => one.name)).toContain('commit')
  })

  test('--growth goes up tenfold to --keys-max', () => {
    const { keyCounts } = readArguments(['--growth', '--keys-max', '10000000'])
    expect(keyCounts).toEqual([10_000, 100_000, 1_000_000, 10_000_000])
  })

  test.each([
    [['--rounds', '0'], /^--rounds: expected an integer from 1/],
    [['--keys', 'many'], /^--keys: .* got many/],
    [['--cases', 'read-lent,write'], /^--cases: there is no write/],
    [['--sides', 'leveldb'], /^--sides: there is no leveldb/],
    [['--fast'], /--fast/],
  ] as const)('%j is refused by name', (words, message) => {
    expect(() => readArguments(words)).toThrow(UsageError)
    expect(() => readArguments(words)).toThrow(message)
  })
})
