/** Messages in frames: however a stream is cut, the same messages come out, or an error. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FrameReader, PREFIX_BYTES, framesOf } from '../../grpc/frames.ts'
import { RpcError, STATUS } from '../../grpc/status.ts'
import { readTimeout } from '../../grpc/timeout.ts'
import { effort, seed } from '../effort.ts'

const RUNS = effort({ smoke: 300, ci: 5000, soak: 1_000_000 })
const MAX = 1000

/** What a reader makes of a stream that comes in chunks of these sizes, over and over. */
function readAll(stream: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const reader = new FrameReader(MAX)
  const found: Uint8Array[] = []
  let i = 0
  for (let at = 0; at < stream.length;) {
    const size = sizes[i++ % sizes.length] ?? 1
    reader.push(stream.subarray(at, at + size))
    at += size
    for (let next = reader.next(); next !== undefined; next = reader.next()) found.push(next)
  }
  if (!reader.isBetween) throw new RpcError(STATUS.INTERNAL, 'within a message')
  return found
}

const chunkSizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 })

test(`any messages in any chunks, ${RUNS} runs, seed ${seed}`, () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 })
  const property = fc.property(messages, chunkSizes, (sent, sizes) => {
    const found = readAll(framesOf(sent), sizes)
    expect(found.map((one) => Buffer.from(one))).toEqual(sent.map((one) => Buffer.from(one)))
  })
  fc.assert(property, { numRuns: RUNS, seed })
})

test(`any bytes give messages or an error with a code, ${RUNS} runs, seed ${seed}`, () => {
  const property = fc.property(fc.uint8Array({ maxLength: 200 }), chunkSizes, (bytes, sizes) => {
    try {
      const size = readAll(bytes, sizes).reduce((sum, one) => sum + one.length + PREFIX_BYTES, 0)
      expect(size).toBe(bytes.length)
    } catch (error) {
      expect(error).toBeInstanceOf(RpcError)
    }
  })
  fc.assert(property, { numRuns: RUNS, seed })
})

test('a length beyond the limit is refused when it is read, not when it is there', () => {
  const reader = new FrameReader(MAX)
  const prefix = (size: number): Uint8Array => {
    const bytes = Buffer.alloc(PREFIX_BYTES)
    bytes.writeUInt32BE(size, 1)
    return bytes
  }
  reader.push(prefix(MAX))
  expect(reader.next()).toBeUndefined()
  const other = new FrameReader(MAX)
  other.push(prefix(MAX + 1))
  expect(() => other.next()).toThrow('grpc: received message larger than max (1001 vs. 1000)')
})

test('the time that a caller has, in every unit', () => {
  const units = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 }
  for (const [unit, ms] of Object.entries(units)) {
    expect(readTimeout(`25${unit}`)).toBeCloseTo(25 * ms, 9)
  }
  expect(readTimeout(undefined)).toBeUndefined()
  for (const wrong of ['', '5', 'S', '-1S', '123456789S', '1.5S', '1 S', '1s']) {
    expect(() => readTimeout(wrong), wrong).toThrow('malformed grpc-timeout')
  }
})
