/** A real etcd for each case of the behaviour suite: a new one, whose history is its own. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Backend, Opened, StoreOf } from '../behaviour/backend.ts'
import type { EtcdServer } from '../interop/etcd.ts'
import { startEtcd } from '../interop/etcd.ts'
import type { Encoding } from '../../store/types/encoding.ts'
import { connect } from './gateway-store.ts'

interface Running {
  readonly server: EtcdServer
  /** Ends it and removes its data. */
  stop(): Promise<void>
}

async function start(): Promise<Running> {
  const directory = await mkdtemp(join(tmpdir(), 'revbolt-etcd-'))
  const removed = async (): Promise<void> => await rm(directory, { recursive: true, force: true })
  try {
    const server = await startEtcd(directory)
    return {
      server,
      stop: async () => {
        await server.stop()
        await removed()
      },
    }
  } catch (error) {
    await removed()
    throw error
  }
}

/** Etcds started ahead: a case doesn't wait for the election of its own. */
export class EtcdPool {
  readonly #size: number
  readonly #ahead: Promise<Running>[] = []
  readonly #ending = new Set<Promise<void>>()

  constructor(size: number) {
    this.#size = size
  }

  async take(): Promise<EtcdServer & { release(): Promise<void> }> {
    while (this.#ahead.length <= this.#size) {
      const starting = start()
      // Whoever takes it hears of it.
      starting.catch(() => {})
      this.#ahead.push(starting)
    }
    const running = await (this.#ahead.shift() ?? start())
    let ended: Promise<void> | undefined
    const release = async (): Promise<void> => {
      ended ??= this.#end(running)
      await ended
    }
    return { ...running.server, release }
  }

  /** Ends those that nobody took. */
  async close(): Promise<void> {
    const left = await Promise.allSettled(this.#ahead.splice(0))
    for (const each of left) if (each.status === 'fulfilled') await each.value.stop()
    await Promise.all(this.#ending)
  }

  async #end(running: Running): Promise<void> {
    const ending = running.stop()
    this.#ending.add(ending)
    await ending.finally(() => this.#ending.delete(ending))
  }
}

export function etcdBackend(pool: EtcdPool): Backend {
  return {
    name: 'etcd',
    supports: {
      nestedTxn: true,
      reopen: true,
      readOnly: false,
      stableTies: false,
      decodesBeforeWriting: false,
      scanPinsAtCall: false,
      ordersCalls: false,
      closeDrainsWatches: false,
      sizesAtOnce: false,
      progressAtOnce: false,
      openEndedDuplicates: false,
      properties: true,
    },
    async open<E extends Encoding>(encoding: E): Promise<Opened<E>> {
      const server = await pool.take()
      let store = connect(server, encoding)
      return {
        store,
        async reopen(): Promise<StoreOf<E>> {
          await store.close()
          store = connect(server, encoding)
          return store
        },
        async close(): Promise<void> {
          await store.close()
          await server.release()
        },
      }
    },
  }
}
