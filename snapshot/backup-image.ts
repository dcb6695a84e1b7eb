/**
 * The file that a backup is: one root of an engine, as a bbolt file of its own.
 *
 *   pages 0, 1     the root's meta in the slot that its txid belongs to; the same state, one txid
 *                  earlier, in the other; without the mark of the log
 *   2 … end − 1    the root's pages, each where it stands in the engine's file; others are zeros
 *   end …          a freelist of those others
 *
 * The root is pinned, so its pages stay as they are while writers go on. It is walked first, which
 * is the check too; then the pages are taken in the order of the file, from memory those that no
 * checkpoint has brought to the file yet.
 */

import { CorruptionError } from '../base/errors.ts'
import { Checker } from '../engine/check.ts'
import type { CheckReport, CheckerOptions } from '../engine/check.ts'
import type { Core } from '../engine/core.ts'
import type { Engine } from '../engine/engine.ts'
import { encodeFreelistPage, freelistPages } from '../engine/freelist-page.ts'
import { encodeMetaPair } from '../engine/meta.ts'
import { PageSet } from '../engine/page-set.ts'
import { PagesInMemory } from '../engine/pages-in-memory.ts'
import { unstamped } from '../engine/stamp.ts'
import type { Tx } from '../engine/tx.ts'

/** So much is read, checked and handed on at a time. */
const CHUNK_BYTES = 256 * 1024
/** So many pages are looked at before the time is. */
const STEP_PAGES = 4096

/** Long work lets others run. */
export interface Pace {
  /** Whether it has been at it for long enough. */
  readonly isDue: boolean
  /** Lets others run. What it throws ends the work. */
  pause(): Promise<void>
}

export interface Survey {
  /** Pins the root. */
  readonly tx: Tx
  readonly pace: Pace
  /** Told of pages as they are looked at. */
  readonly onPages: (count: number) => void
  /** Is lent the leaves: see `CheckerOptions`. */
  readonly onLeaf: NonNullable<CheckerOptions['onLeaf']>
}

/** Bytes and where they stand in the image. */
interface Overlay {
  readonly bytes: Uint8Array
  readonly at: number
}

export class BackupImage {
  /** How long the file is. */
  readonly sizeBytes: number
  readonly txid: number
  readonly #core: Core
  readonly #reached: PageSet
  /** Where the root's pages end. */
  readonly #endBytes: number
  readonly #overlays: readonly Overlay[]
  readonly #counts: ReadonlyMap<string, number>

  constructor(core: Core, tx: Tx, walked: Walked) {
    const { pageSizeBytes } = core
    const { reached, free, counts } = walked
    const freelistPgid = walked.end
    const count = freelistPages(free.size, pageSizeBytes)
    const highWaterMark = freelistPgid + count
    const meta = { ...unstamped(tx.meta), freelistPgid, highWaterMark }
    const run = new Uint8Array(count * pageSizeBytes)
    encodeFreelistPage(run, freelistPgid, free, pageSizeBytes)
    this.txid = tx.meta.txid
    this.sizeBytes = highWaterMark * pageSizeBytes
    this.#core = core
    this.#reached = reached
    this.#endBytes = freelistPgid * pageSizeBytes
    this.#overlays = [
      { bytes: encodeMetaPair(meta), at: 0 },
      { bytes: run, at: this.#endBytes },
    ]
    this.#counts = counts
  }

  /**
   * Walks the root of `tx`, which is to stay open as long as the image is used.
   * @throws {CorruptionError} where a page is damaged
   */
  static async of(engine: Engine, survey: Survey): Promise<BackupImage> {
    const { tx, pace, onPages, onLeaf } = survey
    const { core } = engine
    const checker = new Checker(core, tx.meta, { isRoot: true, onLeaf })
    const steps = checker.run()
    let told = 0
    let step = steps.next()
    for (; step.done !== true; step = steps.next()) {
      if (!pace.isDue) continue
      onPages(step.value - told)
      told = step.value
      await pace.pause()
    }
    onPages(checker.reached.size - told)
    mustBeClean(engine, step.value)
    const { reached, counts } = checker
    const { end, free } = await freePages(reached, pace)
    return new BackupImage(core, tx, { reached, counts, end, free })
  }

  /** How many entries a top-level bucket has. `name` is as findings name it. */
  countOf(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  /** Pages that writers have put elsewhere by now, for this root has them where they were. */
  get copiedPages(): number {
    return this.#core.freelist.pendingAmong(this.#reached)
  }

  /**
   * The file from its beginning to its end. A chunk is valid until the one after the next is asked
   * for: so it may be written while the next one is looked at, and a third is read.
   * @throws {CorruptionError} where the engine's file ends too soon
   */
  async *chunks(pace: Pace): AsyncGenerator<Uint8Array, void, void> {
    const inMemory = new PagesInMemory(this.#core, this.#reached)
    const size = Math.min(CHUNK_BYTES, this.sizeBytes)
    const rooms: Uint8Array[] = [0, 1, 2].map(() => new Uint8Array(size))
    const read = async (position: number): Promise<Uint8Array> => {
      const [room] = rooms.splice(0, 1) as [Uint8Array]
      rooms.push(room)
      const chunk = room.subarray(0, Math.min(size, this.sizeBytes - position))
      await this.#fill(chunk, position, inMemory)
      return chunk
    }
    let next = read(0)
    try {
      for (let position = 0; position < this.sizeBytes; position += size) {
        const chunk = await next
        if (position + size < this.sizeBytes) next = read(position + size)
        // Whoever waits for it hears of it.
        next.catch(() => {})
        yield chunk
        if (pace.isDue) await pace.pause()
      }
    } finally {
      await next.catch(() => {})
    }
  }

  async #fill(chunk: Uint8Array, position: number, inMemory: PagesInMemory): Promise<void> {
    const { pageSizeBytes } = this.#core
    const patches: Overlay[] = inMemory.within(position, chunk.length)
    const first = position / pageSizeBytes
    const count = chunk.length / pageSizeBytes
    let isRead = false
    for (let i = 0; i < count && !isRead; i++) isRead = this.#reached.has(first + i)
    if (isRead) await this.#read(chunk, position)
    for (const { bytes, at } of patches) chunk.set(bytes, at)
    for (let i = 0; i < count; i++) {
      if (this.#reached.has(first + i)) continue
      chunk.fill(0, i * pageSizeBytes, (i + 1) * pageSizeBytes)
    }
    for (const { bytes, at } of this.#overlays) {
      const from = Math.max(at, position)
      const to = Math.min(at + bytes.length, position + chunk.length)
      if (from < to) chunk.set(bytes.subarray(from - at, to - at), from - position)
    }
  }

  async #read(chunk: Uint8Array, position: number): Promise<void> {
    const { file, fileSizeBytes, logged, pager, pageSizeBytes } = this.#core
    // Beyond the file's end all pages are in memory, until a checkpoint makes it longer.
    const end = logged === undefined ? this.#endBytes : Math.min(fileSizeBytes, this.#endBytes)
    const due = Math.min(chunk.length, Math.max(0, end - position))
    const got = due === 0 ? 0 : await file.readAsync(chunk.subarray(0, due), position)
    if (got === due) return
    throw pager.corruption(Math.floor((position + got) / pageSizeBytes), 'the file ends before it')
  }
}

interface Walked {
  readonly reached: PageSet
  readonly counts: ReadonlyMap<string, number>
  /** The first page behind all that were reached. */
  readonly end: number
  /** The pages before it that were not. */
  readonly free: PageSet
}

function mustBeClean(engine: Engine, report: CheckReport): void {
  const [first] = report.findings
  if (first === undefined) return
  const { message, bucketPath, pgid } = first
  const place = bucketPath === '' ? '' : ` (bucket ${bucketPath})`
  const count = report.findings.length + report.findingsOmitted
  const more = count === 1 ? '' : `; ${count - 1} more places are damaged`
  throw new CorruptionError(`page ${pgid}${place}: ${message}${more}`, {
    file: engine.path,
    ...(pgid < 0 ? {} : { offset: pgid * engine.pageSizeBytes }),
  })
}

async function freePages(
  reached: PageSet,
  pace: Pace,
): Promise<{ readonly end: number; readonly free: PageSet }> {
  const free = new PageSet()
  let end = 2
  for (const pgid of reached) {
    for (; end < pgid; end++) {
      free.add(end)
      if (end % STEP_PAGES === 0 && pace.isDue) await pace.pause()
    }
    end = pgid + 1
    if (end % STEP_PAGES === 0 && pace.isDue) await pace.pause()
  }
  return { end, free }
}
