import { describe, expect, test } from 'vitest'
import { UsageError, readArguments } from './arguments.ts'

describe('readArguments()', () => {
  test('reads every option and the repository', () => {
    const args = ['--commits', '10', '--data=d', '--keep', '../repository']
    expect(readArguments(args)).toEqual({
      repository: '../repository',
      commitsMax: 10,
      dataPath: 'd',
      keep: true,
      help: false,
    })
    expect(readArguments(['-h']).help).toBe(true)
  })

  test.each([
    [['--commits', '0'], /1 or more/],
    [['--commits', '1e3'], /1 or more/],
    [['--commits', '-5'], /commits/],
    [['--commits', '99999999999999999999'], /1 or more/],
    [['--data='], /needs a directory/],
    [['--colour'], /colour/],
    [['a', 'b'], /not several/],
    [[''], /no name/],
  ])('refuses %j', (args, message) => {
    expect(() => readArguments(args)).toThrow(UsageError)
    expect(() => readArguments(args)).toThrow(message)
  })
})
