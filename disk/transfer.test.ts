import { describe, expect, test } from 'vitest'
import { AssertionError } from '../base/assert.ts'
import { Random } from '../base/random.ts'
import {
  TRANSFER_SIZE_MAX,
  readFully,
  readFullyAsync,
  writeFully,
  writeFullyAsync,
} from './transfer.ts'

/** A file of bytes whose transfers move a random part of what is asked. */
class ShortFile {
  bytes: Uint8Array
  calls = 0
  readonly #random = new Random(1)

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  read(target: Uint8Array, position: number): number {
    this.calls += 1
    const left = Math.min(target.length, this.bytes.length - position)
    if (left <= 0) return 0
    const size = this.#random.between(1, left)
    target.set(this.bytes.subarray(position, position + size))
    return size
  }

  write(source: Uint8Array, position: number): number {
    this.calls += 1
    const size = this.#random.between(1, source.length)
    this.bytes.set(source.subarray(0, size), position)
    return size
  }
}

const BYTES = new Random(2).fill(new Uint8Array(1000))

describe('readFully()', () => {
  test('goes on after short transfers until the target is full', async () => {
    const file = new ShortFile(BYTES)
    const target = new Uint8Array(500)
    expect(readFully((bytes, at) => file.read(bytes, at), target, 100)).toBe(500)
    expect(target).toEqual(BYTES.slice(100, 600))
    expect(file.calls).toBeGreaterThan(1)
    const other = new Uint8Array(500)
    const read = async (bytes: Uint8Array, at: number): Promise<number> => file.read(bytes, at)
    expect(await readFullyAsync(read, other, 100)).toBe(500)
    expect(other).toEqual(target)
  })

  test('stops at the end of the file and says how much there was', async () => {
    const file = new ShortFile(BYTES)
    const target = new Uint8Array(500)
    expect(readFully((bytes, at) => file.read(bytes, at), target, 900)).toBe(100)
    expect(target.subarray(0, 100)).toEqual(BYTES.slice(900))
    expect(await readFullyAsync(async (bytes, at) => file.read(bytes, at), target, 1000)).toBe(0)
  })

  test('a transfer that claims more than was asked is a bug', () => {
    expect(() => readFully(() => 9, new Uint8Array(8), 0)).toThrow(AssertionError)
  })
})

describe('writeFully()', () => {
  test('goes on after short transfers until all is written', async () => {
    const file = new ShortFile(new Uint8Array(1000))
    writeFully((bytes, at) => file.write(bytes, at), BYTES.subarray(0, 600), 50)
    expect(file.bytes.subarray(50, 650)).toEqual(BYTES.subarray(0, 600))
    const write = async (bytes: Uint8Array, at: number): Promise<number> => file.write(bytes, at)
    await writeFullyAsync(write, BYTES, 0)
    expect(file.bytes).toEqual(BYTES)
  })

  test('a transfer that writes nothing ends in an error, not in a loop', async () => {
    expect(() => writeFully(() => 0, BYTES, 0)).toThrow('wrote 0 bytes')
    await expect(writeFullyAsync(async () => 0, BYTES, 0)).rejects.toThrow('wrote 0 bytes')
  })

  test('no transfer is longer than TRANSFER_SIZE_MAX', () => {
    const moved: [number, number][] = []
    const transfer = (bytes: Uint8Array, position: number): number => {
      moved.push([bytes.length, position])
      return bytes.length
    }
    // Never touched, so no memory stands behind it.
    writeFully(transfer, new Uint8Array(TRANSFER_SIZE_MAX + 5), 100)
    expect(moved).toEqual([
      [TRANSFER_SIZE_MAX, 100],
      [5, 100 + TRANSFER_SIZE_MAX],
    ])
  })
})
