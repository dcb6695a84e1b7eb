/**
 * The store in this process, in a directory of its own on the real disk, and on the in-memory one.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { Disk } from '../../disk/disk.ts'
import { open, openOn } from '../../store/open.ts'
import type { Encoding } from '../../store/types/encoding.ts'
import { EVERYTHING } from './backend.ts'
import type { Backend, Opened, ReopenOptions, StoreOf } from './backend.ts'
import { behaviourSuite } from './suite.ts'

/** Opens stores in `directory`; `disk` undefined: the real one. */
async function openIn<E extends Encoding>(
  place: { readonly directory: string; readonly disk: Disk | undefined },
  encoding: E,
): Promise<Opened<E>> {
  const { directory, disk } = place
  const again = async (options: ReopenOptions = {}): Promise<StoreOf<E>> =>
    disk === undefined
      ? await open(directory, { encoding, ...options })
      : await openOn(disk, directory, { encoding, ...options })
  let store = await again()
  return {
    store,
    async reopen(options?: ReopenOptions): Promise<StoreOf<E>> {
      await store.close()
      store = await again(options)
      return store
    },
    async close(): Promise<void> {
      await store.close()
      if (disk === undefined) await rm(directory, { recursive: true, force: true })
    },
  }
}

const onDisk: Backend = {
  name: 'in-process, real disk',
  // The histories run on the in-memory disk; thousands of syncs would say nothing more here.
  supports: { ...EVERYTHING, properties: false },
  async open<E extends Encoding>(encoding: E): Promise<Opened<E>> {
    const directory = await mkdtemp(join(tmpdir(), 'revbolt-behaviour-'))
    return await openIn({ directory, disk: undefined }, encoding)
  },
}

const inMemory: Backend = {
  name: 'in-process, in-memory disk',
  supports: EVERYTHING,
  async open<E extends Encoding>(encoding: E): Promise<Opened<E>> {
    return await openIn({ directory: '/data', disk: new MemoryDisk() }, encoding)
  },
}

behaviourSuite(onDisk)
behaviourSuite(inMemory)
