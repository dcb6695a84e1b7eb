import { describe, expect, test } from 'vitest'
import { KvError } from '../base/errors.ts'
import { InjectedError } from './fault-plan.ts'
import { checkOffset, errnoOf, toKvError } from './io-error.ts'
import type { IoOperation } from './io-error.ts'

describe('toKvError()', () => {
  const rows: readonly [string, IoOperation, string][] = [
    ['ENOENT', 'open', 'KV_NOT_FOUND'],
    ['ENOENT', 'remove', 'KV_NOT_FOUND'],
    ['ENOSPC', 'write', 'KV_NO_SPACE'],
    ['ENOSPC', 'sync', 'KV_NO_SPACE'],
    ['EDQUOT', 'allocate', 'KV_NO_SPACE'],
    ['EROFS', 'open for writing', 'KV_READ_ONLY'],
    ['EACCES', 'open for writing', 'KV_READ_ONLY'],
    ['EPERM', 'open for writing', 'KV_READ_ONLY'],
    ['EACCES', 'open', 'KV_IO'],
    ['EPERM', 'rename', 'KV_IO'],
    ['EIO', 'sync', 'KV_IO'],
    ['EISDIR', 'open for writing', 'KV_IO'],
    ['EEXIST', 'open for writing', 'KV_IO'],
    ['EMFILE', 'open', 'KV_IO'],
  ]
  test.each(rows)('%s on %s is %s', (errno, operation, code) => {
    const cause = new InjectedError(errno)
    const error = toKvError(cause, operation, '/some/file')
    expect(error.code).toBe(code)
    expect(error.cause).toBe(cause)
    expect(error.message).toBe(`/some/file: ${operation}: ${errno}: injected`)
  })

  test('a KvError passes through unchanged', () => {
    const error = new KvError('KV_CLOSED', 'closed')
    expect(toKvError(error, 'read', '/x')).toBe(error)
  })

  test('an error without errno is KV_IO', () => {
    expect(toKvError('what', 'read', '/x').code).toBe('KV_IO')
    expect(errnoOf(new Error('what'))).toBeUndefined()
    expect(errnoOf(undefined)).toBeUndefined()
  })
})

describe('checkOffset()', () => {
  test.each([-1, 1.5, Number.NaN, Infinity, 2 ** 53])('%d is a RangeError naming it', (value) => {
    expect(() => checkOffset('position', value)).toThrow(RangeError)
    expect(() => checkOffset('position', value)).toThrow(/^position: /)
  })

  test('0 and 2^53 - 1 are in range', () => {
    for (const value of [0, 2 ** 53 - 1]) {
      expect(() => checkOffset('position', value)).not.toThrow()
    }
  })
})
