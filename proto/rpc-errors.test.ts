import { describe, expect, test } from 'vitest'
import { RPC_ERRORS, rpcErrorOfText } from './rpc-errors.ts'

describe('rpcErrorOfText()', () => {
  test('knows every error by its text', () => {
    for (const [name, { text }] of Object.entries(RPC_ERRORS))
      expect(rpcErrorOfText(text)).toBe(name)
    expect(Object.keys(RPC_ERRORS)).toHaveLength(63)
  })

  test('knows no other text', () => {
    expect(rpcErrorOfText('etcdserver: key is not provided.')).toBeUndefined()
    expect(rpcErrorOfText('')).toBeUndefined()
  })
})
