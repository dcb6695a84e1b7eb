/**
 * Whole transfers and syncs of an open descriptor, for the files of the real disk. Errors are the
 * system's.
 *
 * Syncs: on Linux `data` is fdatasync, which makes bytes and size durable; elsewhere it is a full
 * sync (macOS: F_FULLFSYNC, which is what Node's fsync does there).
 */

import * as fs from 'node:fs'
import { readFully, readFullyAsync, writeFully, writeFullyAsync } from './transfer.ts'
import type { SyncKind } from './disk.ts'

/** The sync that makes bytes and size durable here, at the lowest cost. */
export const DATA_SYNC: SyncKind = process.platform === 'linux' ? 'data' : 'full'

export function readAt(descriptor: number, target: Uint8Array, position: number): number {
  return readFully(
    (bytes, at) => fs.readSync(descriptor, bytes, 0, bytes.length, at),
    target,
    position,
  )
}

export function readAtAsync(
  descriptor: number,
  target: Uint8Array,
  position: number,
): Promise<number> {
  return readFullyAsync(
    (bytes, at) => call((done) => fs.read(descriptor, bytes, 0, bytes.length, at, done)),
    target,
    position,
  )
}

export function writeAt(descriptor: number, source: Uint8Array, position: number): void {
  writeFully((bytes, at) => fs.writeSync(descriptor, bytes, 0, bytes.length, at), source, position)
}

export function writeAtAsync(
  descriptor: number,
  source: Uint8Array,
  position: number,
): Promise<void> {
  return writeFullyAsync(
    (bytes, at) => call((done) => fs.write(descriptor, bytes, 0, bytes.length, at, done)),
    source,
    position,
  )
}

export function syncNow(descriptor: number, kind: SyncKind): void {
  if (kind === 'data' && DATA_SYNC === 'data') fs.fdatasyncSync(descriptor)
  else fs.fsyncSync(descriptor)
}

export function syncAsync(descriptor: number, kind: SyncKind): Promise<void> {
  return call((done) => {
    const ended = (error: Error | null): void => done(error, undefined)
    if (kind === 'data' && DATA_SYNC === 'data') fs.fdatasync(descriptor, ended)
    else fs.fsync(descriptor, ended)
  })
}

type Done<T> = (error: Error | null, value: T) => void

/** A callback call as a promise. */
function call<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => (error === null ? resolve(value) : reject(error)))
  })
}
