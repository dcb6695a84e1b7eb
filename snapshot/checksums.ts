/**
 * The checksums of a backup: SHA-256 of all its bytes, and a CRC-32 of each MiB, so that damage can
 * be told a place.
 */

import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** Bytes that a CRC-32 is of; the last one's may be fewer. */
export const STRETCH_BYTES: number = 1024 * 1024
/** Bytes of a SHA-256. */
export const DIGEST_BYTES = 32

export interface Sums {
  readonly sha256: Uint8Array
  /** One for each MiB begun. */
  readonly crcs: readonly number[]
}

export class Summing {
  readonly #hash = createHash('sha256')
  readonly #stretches = new Stretches()

  add(bytes: Uint8Array): void {
    this.#hash.update(bytes)
    this.#stretches.add(bytes)
  }

  /** Once, when all was added. */
  end(): Sums {
    return { sha256: this.#hash.digest(), crcs: this.#stretches.end() }
  }
}

/** The CRC-32s alone, of which each costs a quarter of the SHA-256. */
export class Stretches {
  readonly #crcs: number[] = []
  #crc = 0
  #filled = 0

  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + STRETCH_BYTES - this.#filled)
      this.#crc = crc32(bytes.subarray(at, end), this.#crc)
      this.#filled += end - at
      at = end
      if (this.#filled === STRETCH_BYTES) this.#endStretch()
    }
  }

  /** Once, when all was added. */
  end(): readonly number[] {
    if (this.#filled > 0) this.#endStretch()
    return this.#crcs
  }

  #endStretch(): void {
    this.#crcs.push(this.#crc)
    this.#crc = 0
    this.#filled = 0
  }
}
