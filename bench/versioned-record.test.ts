import { expect, test } from 'vitest'
import { describeOccasion } from './machine.ts'
import { formatPart } from './versioned-record.ts'

test('formatPart() draws points of a curve, medians of the rounds, below the table', () => {
  const round = (last: number) => [
    { name: 'rate', unit: '/s', value: 5, atLeast: 4 },
    { name: '9', unit: 'MB', value: 20, curve: 'file, MB' },
    { name: '10', unit: 'MB', value: last, curve: 'file, MB' },
  ]
  const rounds = [round(10), round(40), round(10)]
  const text = formatPart('flat', { ...describeOccasion('.', false), scale: 1, rounds })
  const [head, drawn] = text.split('```\n')
  expect(head).toContain('| rate |')
  expect(head).not.toContain('| 9 |')
  expect(drawn).toBe(`file, MB\n 9 ${'█'.repeat(50)} 20\n10 ${'█'.repeat(25)} 10\n`)
})
