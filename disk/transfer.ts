/**
 * The retry loop over short transfers, one for every disk.
 *
 * A raw transfer moves between 1 and `bytes.length` bytes and says how many; a read that moves 0 is
 * at the end of the file. A write that moves 0 would loop for ever, so it is an error. No single
 * transfer is longer than `TRANSFER_SIZE_MAX`: the system calls underneath end just below 2 GiB.
 */

import { assert } from '../base/assert.ts'

export const TRANSFER_SIZE_MAX: number = 1024 * 1024 * 1024

export type RawTransfer = (bytes: Uint8Array, position: number) => number
export type RawTransferAsync = (bytes: Uint8Array, position: number) => Promise<number>

/**
 * Fills `target` from `position` on; returns how many bytes there were before the end of the file.
 */
export function readFully(transfer: RawTransfer, target: Uint8Array, position: number): number {
  let done = 0
  while (done < target.length) {
    const moved = transfer(piece(target, done), position + done)
    if (moved === 0) break
    done = advance(target, done, moved)
  }
  return done
}

/** As `readFully`. */
export async function readFullyAsync(
  transfer: RawTransferAsync,
  target: Uint8Array,
  position: number,
): Promise<number> {
  let done = 0
  while (done < target.length) {
    const moved = await transfer(piece(target, done), position + done)
    if (moved === 0) break
    done = advance(target, done, moved)
  }
  return done
}

/** Writes the whole of `source` at `position`, or throws what the transfer threw. */
export function writeFully(transfer: RawTransfer, source: Uint8Array, position: number): void {
  let done = 0
  while (done < source.length) {
    const moved = transfer(piece(source, done), position + done)
    done = advance(source, done, mustMove(moved))
  }
}

/** As `writeFully`. */
export async function writeFullyAsync(
  transfer: RawTransferAsync,
  source: Uint8Array,
  position: number,
): Promise<void> {
  let done = 0
  while (done < source.length) {
    const moved = await transfer(piece(source, done), position + done)
    done = advance(source, done, mustMove(moved))
  }
}

function piece(bytes: Uint8Array, done: number): Uint8Array {
  if (done === 0 && bytes.length <= TRANSFER_SIZE_MAX) return bytes
  return bytes.subarray(done, Math.min(bytes.length, done + TRANSFER_SIZE_MAX))
}

function advance(bytes: Uint8Array, done: number, moved: number): number {
  assert(
    moved > 0 && done + moved <= bytes.length,
    () => `a transfer moved ${moved} of ${bytes.length - done} bytes`,
  )
  return done + moved
}

function mustMove(moved: number): number {
  if (moved === 0) throw new Error('the system wrote 0 bytes and gave no reason')
  return moved
}
