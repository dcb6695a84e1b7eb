/**
 * The engine on its log, without the versioned store over it: what a commit costs below `put`.
 *
 * Each commit is the row that the store would write, under a key that counts up as revisions do.
 * As in the store, what is put in one turn of the event loop is one transaction and one record.
 */

import { join } from 'node:path'
import type * as randomModule from '../base/random.ts'
import type * as realDiskModule from '../disk/real-disk.ts'
import type { Engine } from '../engine/engine.ts'
import type * as databaseModule from '../snapshot/database.ts'
import type { CommitCommand } from './commit-protocol.ts'
import { fillAtOnce } from './committer.ts'
import type { Committer, Entry } from './committer.ts'
import { loadBuilt } from './library.ts'

const BUCKET = 'key'
/** A revision, main and sub with a byte between them. */
const KEY_SIZE = 17
/** What the store's row has beside its key and value: tags, lengths, four numbers. */
const ROW_EXTRA = 14
const FILL_PERCENT = 0.9
const CHECKPOINT_BYTES = 64 * 1024 * 1024

interface Waiting {
  readonly row: Uint8Array
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Commits what was put in a turn, in the order of the calls. */
class Turns {
  readonly #database: databaseModule.Database
  #waiting: Waiting[] = []
  #revision = 1

  constructor(database: databaseModule.Database) {
    this.#database = database
  }

  put({ key, value }: Entry): Promise<void> {
    const row = new Uint8Array(ROW_EXTRA + key.length + value.length)
    row.set(key, ROW_EXTRA)
    row.set(value, ROW_EXTRA + key.length)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ row, resolve, reject })
      if (this.#waiting.length === 1) setImmediate(() => void this.#turn())
    })
  }

  async #turn(): Promise<void> {
    const group = this.#waiting
    this.#waiting = []
    try {
      await this.#database.obstacle()
      await this.#commit(group)
      for (const { resolve } of group) resolve()
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
  }

  async #commit(group: readonly Waiting[]): Promise<void> {
    // More than the record takes: rows, keys, and some bytes for each operation.
    const need = group.reduce((sum, { row }) => sum + row.length + 64, 4096)
    const database = this.#database
    const room = database.fits(need) ? undefined : await database.reserve(need, false)
    room?.release()
    const tx = database.engine.beginNow({ writable: true })
    const bucket = tx.bucket(BUCKET)
    if (bucket === undefined) throw new Error(`${BUCKET}: it was made when the file was`)
    bucket.fillPercent = FILL_PERCENT
    for (const { row } of group) bucket.put(this.#nextKey(), row)
    const durable = tx.commitQueued()
    database.committed()
    await durable
  }

  #nextKey(): Uint8Array {
    const key = Buffer.alloc(KEY_SIZE, 0)
    key.writeBigUInt64BE(BigInt(++this.#revision), 0)
    key[8] = 0x5f
    return key
  }
}

async function prepare(engine: Engine): Promise<void> {
  const tx = await engine.begin({ writable: true })
  tx.createBucketIfNotExists(BUCKET)
  await tx.commitAsync()
}

export async function makeEngine(command: CommitCommand): Promise<Committer> {
  const { RealDisk } = await loadBuilt<typeof realDiskModule>('disk/real-disk.js')
  const { Random } = await loadBuilt<typeof randomModule>('base/random.js')
  const { openDatabase } = await loadBuilt<typeof databaseModule>('snapshot/database.js')
  const { cacheBytes, path } = command
  const database = await openDatabase({
    disk: new RealDisk(),
    path: join(path, 'db'),
    logDirectory: join(path, 'wal'),
    engine: { cacheBytes },
    log: { syncMode: 'full', random: new Random(1) },
    limits: { logBytes: CHECKPOINT_BYTES, dirtyBytes: cacheBytes / 2 },
    prepare,
    pause: () => new Promise((resolve) => setImmediate(resolve)),
  })
  const turns = new Turns(database)
  const put = (entry: Entry): Promise<void> => turns.put(entry)
  return {
    fill: (entries) => fillAtOnce(entries, put),
    commit: put,
    close: () => database.close(),
  }
}
