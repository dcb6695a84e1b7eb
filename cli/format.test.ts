import { describe, expect, test } from 'vitest'
import {
  alignRows,
  displayWidth,
  fit,
  fitEnd,
  formatBytes,
  formatCount,
  formatDate,
  formatDuration,
  formatSeconds,
  percentile,
  isPrintable,
  plural,
  printable,
} from './format.ts'

describe('numbers', () => {
  test.each([
    [0, '0 B'],
    [1023, '1,023 B'],
    [1024, '1.00 KiB'],
    [10_240, '10.0 KiB'],
    [104_857, '102 KiB'],
    [1024 * 1024 - 1, '1.00 MiB'],
    [1.5 * 1024 ** 3, '1.50 GiB'],
    [5000 * 1024 ** 4, '5,000 TiB'],
  ])('formatBytes(%d) is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  test.each([
    [0, '0 ns'],
    [0.000_5, '500 ns'],
    [0.000_999_9, '1.00 µs'],
    [0.012_34, '12.3 µs'],
    [0.999_9, '1.00 ms'],
    [999.9, '1.00 s'],
    [59_949, '59.9 s'],
    [59_999, '1 min 0 s'],
    [61_000, '1 min 1 s'],
    [7_260_000, '2 h 1 min'],
  ])('formatDuration(%d) is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  test('an estimate is in whole seconds', () => {
    expect(formatSeconds(0.4)).toBe('0 s')
    expect(formatSeconds(59.6)).toBe('1 min 0 s')
  })

  test('counts have separators and agree with their noun', () => {
    expect(formatCount(1_234_567)).toBe('1,234,567')
    expect(plural(1, 'commit')).toBe('1 commit')
    expect(plural(0, 'commit')).toBe('0 commits')
  })

  test('dates are in UTC, and one that is none says so', () => {
    expect(formatDate(1_700_000_000)).toBe('2023-11-14')
    expect(formatDate(Number.NaN)).toBe('no date')
  })

  test('percentile() is the smallest sample that enough samples do not exceed', () => {
    const samples = [5, 1, 4, 2, 3, 10, 9, 8, 7, 6]
    expect(percentile(samples, 0.5)).toBe(5)
    expect(percentile(samples, 0.99)).toBe(10)
    expect(percentile(samples, 0)).toBe(1)
    expect(percentile([], 0.5)).toBe(0)
  })
})

describe('text', () => {
  test('printable() leaves nothing that a terminal obeys', () => {
    expect(printable('a\u001b[31m\tb\r\n\u009b\u202e\u2028')).toBe('a·[31m  b·····')
    expect(printable('Grüße, 日本 👍')).toBe('Grüße, 日本 👍')
  })

  test('widths count wide characters twice and combining ones not at all', () => {
    expect(displayWidth('abc')).toBe(3)
    expect(displayWidth('日本')).toBe(4)
    expect(displayWidth('e\u0301')).toBe(1)
  })

  test('fit() and fitEnd() cut to the width and say so', () => {
    expect(fit('abcdef', 6)).toBe('abcdef')
    expect(fit('abcdefg', 6)).toBe('abcde…')
    expect(fit('日本語', 5)).toBe('日本…')
    expect(fitEnd('a/long/path.ts', 8)).toBe('…path.ts')
  })

  test('alignRows() pads to the widest cell and leaves no space at the end', () => {
    const rows = [
      ['a', '1', 'x'],
      ['bbb', '22', 'yy'],
    ]
    expect(alignRows(rows, ['left', 'right', 'left'])).toEqual(['a     1  x', 'bbb  22  yy'])
  })
})

test('plural() takes a noun that has a plural of its own', () => {
  expect([plural(1, 'entry', 'entries'), plural(2, 'entry', 'entries')]).toEqual([
    '1 entry',
    '2 entries',
  ])
})

test('isPrintable() lets line breaks through, and nothing that disturbs a terminal', () => {
  expect(['a b', 'line\nline', 'Zoë 北京 😀', ''].map(isPrintable)).toEqual([
    true,
    true,
    true,
    true,
  ])
  expect(['\u001b[31m', '\u0000', '\u202e', '\ufeff'].map(isPrintable)).toEqual([
    false,
    false,
    false,
    false,
  ])
})
