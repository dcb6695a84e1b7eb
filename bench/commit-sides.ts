/**
 * What commits durably, in Node: each side puts one entry and says when it is on the disk.
 *
 * A side takes part in one run and then its process ends.
 */

import * as fs from 'node:fs'
import { join } from 'node:path'
import type { DiskFile } from '../disk/disk.ts'
import type * as realDiskModule from '../disk/real-disk.ts'
import type * as storeModule from '../index.ts'
import type { CommitCommand, CommitSide } from './commit-protocol.ts'
import { fillAtOnce } from './committer.ts'
import type { Committer, Entry, Make } from './committer.ts'
import { makeEngine } from './engine-committer.ts'
import { loadBuilt } from './library.ts'

const FLOOR_FILE_SIZE = 16 * 1024 * 1024
/** What a commit of one put of 16 and 100 bytes takes in revbolt's log. */
const RECORD_SIZE = 208

/** Where the next record goes in a file that was filled with zeros. */
class Places {
  #next = 0

  next(): number {
    const place = this.#next
    this.#next = (place + RECORD_SIZE) % (FLOOR_FILE_SIZE - RECORD_SIZE)
    return place
  }
}

async function zeroFilled(command: CommitCommand): Promise<DiskFile> {
  const { RealDisk } = await loadBuilt<typeof realDiskModule>('disk/real-disk.js')
  const file = new RealDisk().open(join(command.path, 'file'), { mode: 'create' })
  file.allocate(0, FLOOR_FILE_SIZE)
  file.sync('full')
  return file
}

const record = Buffer.alloc(RECORD_SIZE)

function recordOf({ key, value }: Entry): Buffer {
  key.copy(record)
  value.copy(record, key.length)
  return record
}

/** The disk alone, through the calls of `node:fs`. */
async function openFloor(command: CommitCommand): Promise<{ fd: number; places: Places }> {
  const file = await zeroFilled(command)
  file.close()
  return { fd: fs.openSync(file.path, 'r+'), places: new Places() }
}

async function makeBlockingFloor(command: CommitCommand): Promise<Committer> {
  const { fd, places } = await openFloor(command)
  return {
    fill: () => undefined,
    commit: (entry) => {
      fs.writeSync(fd, recordOf(entry), 0, RECORD_SIZE, places.next())
      fs.fdatasyncSync(fd)
      return undefined
    },
    close: () => fs.closeSync(fd),
  }
}

async function makePoolFloor(command: CommitCommand): Promise<Committer> {
  const { fd, places } = await openFloor(command)
  return {
    fill: () => undefined,
    commit: (entry) =>
      new Promise<void>((resolve, reject) => {
        fs.write(fd, recordOf(entry), 0, RECORD_SIZE, places.next(), (failure) => {
          if (failure !== null) return reject(failure)
          fs.fdatasync(fd, (error) => (error === null ? resolve() : reject(error)))
        })
      }),
    close: () => fs.closeSync(fd),
  }
}

async function makeLaneFloor(command: CommitCommand): Promise<Committer> {
  const file = await zeroFilled(command)
  const places = new Places()
  return {
    fill: () => undefined,
    commit: (entry) => file.writeDurablyAsync(recordOf(entry), places.next()),
    close: () => file.close(),
  }
}

async function makeRevbolt(command: CommitCommand): Promise<Committer> {
  const { open } = await loadBuilt<typeof storeModule>('index.js')
  const { cacheBytes } = command
  const store = await open(join(command.path, 'store'), { encoding: 'bytes', cacheBytes })
  const put = ({ key, value }: Entry): Promise<unknown> => store.put(key, value)
  return {
    fill: (entries) => fillAtOnce(entries, put),
    commit:
      command.side === 'revbolt'
        ? put
        : ({ key, value }) => {
            store.putSync(key, value)
            return undefined
          },
    close: () => store.close(),
  }
}

/** The packages of peers are loaded only where they are measured. */
function peer(name: string): Make {
  return async (command) => {
    const url = new URL(`./sides/peers/commit-${name}.ts`, import.meta.url)
    const { make } = (await import(url.href)) as { readonly make: Make }
    return await make(command)
  }
}

const MAKERS: Readonly<Record<Exclude<CommitSide, 'bbolt'>, Make>> = {
  'floor-blocking': makeBlockingFloor,
  'floor-pool': makePoolFloor,
  'floor-lane': makeLaneFloor,
  'revbolt-sync': makeRevbolt,
  revbolt: makeRevbolt,
  engine: makeEngine,
  sqlite: peer('sqlite'),
  lmdb: peer('lmdb'),
  'lmdb-plain': peer('lmdb'),
}

export async function makeCommitter(command: CommitCommand): Promise<Committer> {
  const { side } = command
  if (side === 'bbolt') throw new Error('bbolt: it is hosted by a program of its own')
  return await MAKERS[side](command)
}
