import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteReader, UnexpectedEndError } from './byte-reader.ts'

async function* chunksOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length]
  places.sort((a, b) => a - b)
  for (let index = 1; index < places.length; index++) {
    yield bytes.subarray(places[index - 1], places[index])
  }
}

function readerOf(...chunks: readonly string[]): ByteReader {
  return new ByteReader(
    (async function* () {
      for (const chunk of chunks) yield Buffer.from(chunk)
    })(),
  )
}

function text(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString()
}

describe('ByteReader', () => {
  test('reads the same tokens and runs however the stream is cut', async () => {
    const piece = fc.oneof(
      fc.record({
        kind: fc.constant('token'),
        bytes: fc.uint8Array({ maxLength: 20 }).map((bytes) => bytes.filter((byte) => byte !== 0)),
      }),
      fc.record({ kind: fc.constant('run'), bytes: fc.uint8Array({ maxLength: 50 }) }),
      fc.record({ kind: fc.constant('skip'), bytes: fc.uint8Array({ maxLength: 50 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(piece), fc.array(fc.nat()), async (pieces, cuts) => {
        const stream = pieces.map(({ kind, bytes }) =>
          kind === 'token' ? Buffer.concat([bytes, Buffer.of(0)]) : bytes,
        )
        const reader = new ByteReader(chunksOf(Buffer.concat(stream), cuts))
        for (const { kind, bytes } of pieces) {
          if (kind === 'skip') await reader.skip(bytes.length)
          else {
            const read = await (kind === 'token' ? reader.until(0) : reader.exactly(bytes.length))
            expect(Buffer.from(read ?? [])).toEqual(Buffer.from(bytes))
          }
        }
        expect(await reader.until(0)).toBe(undefined)
      }),
    )
  })

  test('until() takes the end of the stream only between tokens', async () => {
    const reader = readerOf('one\0tw', 'o')
    expect(text(await reader.until(0))).toBe('one')
    await expect(reader.until(0)).rejects.toThrow(UnexpectedEndError)
  })

  test('exactly() and skip() refuse a stream that is too short', async () => {
    await expect(readerOf('abc').exactly(4)).rejects.toThrow('1 bytes early')
    await expect(readerOf('abc').skip(5)).rejects.toThrow('2 bytes early')
    expect((await readerOf().exactly(0)).length).toBe(0)
  })

  test('passes on the error of the stream', async () => {
    const failing = new ByteReader(
      (async function* () {
        yield Buffer.from('a')
        throw new Error('the pipe broke')
      })(),
    )
    await expect(failing.until(0)).rejects.toThrow('the pipe broke')
  })
})
