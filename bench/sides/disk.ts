/**
 * The limit of a two-sync commit: two pairs of a 4 KiB pwrite and an fdatasync, into space that
 * was written and synced before. No database can do more with two syncs.
 */

import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { type PutWork, type Side, mustBeOpen, valueAt } from './side.ts'

const PAGE_SIZE = 4096
const PAGE_COUNT = 4096

class DiskSide implements Side {
  #fd: number | undefined
  #writes = 0
  readonly #page = Buffer.alloc(PAGE_SIZE)

  open(path: string): void {
    this.#fd = openSync(path, 'w+')
    writeSync(this.#fd, Buffer.alloc(PAGE_SIZE * PAGE_COUNT))
    fsyncSync(this.#fd)
  }

  close(): void {
    closeSync(mustBeOpen(this.#fd))
  }

  load(work: PutWork): void {
    const fd = mustBeOpen(this.#fd)
    for (let at = 0; at < work.keys.length; at += work.batch) {
      valueAt(work, at).copy(this.#page)
      for (let pair = 0; pair < 2; pair++) {
        const place = this.#writes++ % PAGE_COUNT
        writeSync(fd, this.#page, 0, PAGE_SIZE, place * PAGE_SIZE)
        fdatasyncSync(fd)
      }
    }
  }
}

export function make(): Side {
  return new DiskSide()
}
