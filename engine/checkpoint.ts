/**
 * The checkpoint: brings the file to the head while commits go on.
 *
 *   1. an empty commit at the head, with the freelist in it and the set of pages to be written
 *      captured; its record goes into the log                                   memory, at once
 *   2. that record is durable, so the log leads at least as far as the file will
 *      where opening passed over a newer meta: write ours over it; data sync     once
 *   3. grow the file to its high-water mark; full sync                           only when needed
 *   4. write the pages, ascending, with a data sync after each MiB and a pause after less
 *   5. write the meta into the slot that does not hold the newest one; data sync
 *
 * Pages that came and went between two checkpoints are not among those written. The many syncs are
 * for the log's sake: one of 64 MiB would hold up those of commits for as long as it takes.
 *
 * A full disk in step 3 or 4 abandons the checkpoint: the file stays where it was, what it did not
 * get stays in memory, and the log stays as long. Any other failure poisons the handle, a sync that
 * says the disk is full among them: what it should have written counts as clean then.
 */

import { assert } from '../base/assert.ts'
import { KvError, isKvError } from '../base/errors.ts'
import type { SyncKind } from '../disk/disk.ts'
import { growFile, planInMemory, publishMeta } from './commit.ts'
import type { CommitPlan } from './commit.ts'
import type { Core } from './core.ts'
import type { Engine } from './engine.ts'
import type { Logged } from './logged.ts'
import type { Meta } from './meta.ts'
import { encodeMetaPage } from './meta.ts'
import { sealPage } from './node.ts'
import type { Page } from './page.ts'
import type { PageSet } from './page-set.ts'
import { stamped } from './stamp.ts'
import type { Tx } from './tx.ts'
import { writeOverPassed } from './write-images.ts'

/** Calls of the disk under way at once: pages that stand alone need one each. */
const WRITES_AT_ONCE = 32
/** So much is put together without a pause, and */
const BATCH_BYTES = 256 * 1024
/** so much is written between two syncs. */
const SYNC_BYTES = 1024 * 1024

/** Bytes and where they go in the file. */
interface Write {
  readonly bytes: Uint8Array
  readonly position: number
}

interface Batch {
  readonly writes: readonly Write[]
  /** A sync is due when they are written. */
  readonly isDue: boolean
}

/** The record durable; writes, in any order; or a sync. */
type Step = 'log' | readonly Write[] | SyncKind

class Checkpoint {
  readonly meta: Meta
  readonly #core: Core
  readonly #logged: Logged
  /** The first page of each run to be written. */
  readonly #pgids: PageSet
  readonly #freelist: Page | undefined
  readonly #durable: Promise<void>
  readonly #room = new Uint8Array(BATCH_BYTES)
  /** Pages written since the last sync. */
  #written: Page[] = []
  /** What is being done changes nothing that matters where the disk is full. */
  #mayBeFull = false

  /**
   * The end of step 1: `plan` has the freelist, and is about to be the head, or is it. `append`
   * gives its record to the log.
   */
  constructor(core: Core, logged: Logged, plan: CommitPlan, append: (meta: Meta) => Promise<void>) {
    this.#core = core
    this.#logged = logged
    this.meta = stamped(plan.meta, logged.logId)
    this.#freelist = plan.freelistImage
    plan.settleInMemory()
    // The next one frees it, whether this one comes to an end or not.
    core.freelistRun = plan.freelistRun
    this.#pgids = core.pager.dirtyIds()
    core.freelist.deleteAllFrom(this.#pgids)
    if (this.#freelist !== undefined) this.#pgids.add(this.#freelist.pgid)
    logged.beginCheckpoint(this.meta)
    this.#durable = append(this.meta)
  }

  /** Steps 2 to 5. Rejects where the file is not at this checkpoint. */
  async finish(): Promise<void> {
    try {
      for (const step of this.#steps()) await this.#do(step)
    } catch (error) {
      this.#failed(error)
      throw error
    } finally {
      this.#logged.endCheckpoint()
    }
    publishMeta(this.#core, this.meta, this.#core.freelistRun)
  }

  /** As `finish`, blocking. */
  finishSync(): void {
    // It is heard of from the log, below.
    this.#durable.catch(() => {})
    try {
      for (const step of this.#steps()) this.#doSync(step)
    } catch (error) {
      this.#failed(error)
      throw error
    } finally {
      this.#logged.endCheckpoint()
    }
    publishMeta(this.#core, this.meta, this.#core.freelistRun)
  }

  *#steps(): Generator<Step, void, void> {
    const core = this.#core
    yield 'log'
    if (core.passedOverSlot !== undefined) {
      writeOverPassed(core, core.passedOverSlot)
      yield 'data'
      core.passedOverSlot = undefined
    }
    this.#mayBeFull = true
    const isGrown = growFile(core, this.meta)
    this.#mayBeFull = false
    if (isGrown) yield 'full'
    for (const { writes, isDue } of this.#batches()) {
      this.#mayBeFull = true
      yield writes
      this.#mayBeFull = false
      if (!isDue) continue
      const pages = this.#written
      this.#written = []
      yield 'data'
      for (const page of pages) core.pager.settleDirty(page)
      core.pager.trim()
    }
    yield [{ bytes: encodeMetaPage(this.meta), position: this.meta.slot * core.pageSizeBytes }]
    yield 'data'
  }

  async #do(step: Step): Promise<void> {
    if (step === 'log') {
      await this.#durable
      // A log may say so when the system has it, and the file must never lead.
      await this.#logged.flush(this.meta.txid)
    } else if (typeof step === 'string') await this.#core.file.syncAsync(step)
    else await this.#write(step)
  }

  #doSync(step: Step): void {
    const { file } = this.#core
    if (step === 'log') this.#logged.flushSync()
    else if (typeof step === 'string') file.sync(step)
    else for (const { bytes, position } of step) file.write(bytes, position)
  }

  #failed(error: unknown): void {
    const isHarmless = this.#mayBeFull && isKvError(error, 'KV_NO_SPACE')
    if (!isHarmless) this.#core.poisonWith(error)
  }

  /** What to write, in order. */
  *#batches(): Generator<Batch, void, void> {
    const { pageSizeBytes } = this.#core
    const room = this.#room
    let writes: Write[] = []
    let used = 0
    let runStart = 0
    /** The file's bytes from here on continue the run. */
    let next = -1
    let unsynced = 0
    const endRun = (): void => {
      if (used === runStart) return
      writes.push({ bytes: room.subarray(runStart, used), position: next - (used - runStart) })
      runStart = used
    }
    for (const pgid of this.#pgids) {
      const page = this.#pageAt(pgid)
      const position = pgid * pageSizeBytes
      if (used > 0 && used + page.sizeBytes > BATCH_BYTES) {
        endRun()
        unsynced += used
        yield { writes, isDue: unsynced >= SYNC_BYTES }
        if (unsynced >= SYNC_BYTES) unsynced = 0
        writes = []
        used = runStart = 0
      }
      if (page.sizeBytes > BATCH_BYTES) {
        yield* piecesOf(page, position)
        // Not before: a sync after one of the pieces does not settle the page.
        this.#written.push(page)
        continue
      }
      this.#written.push(page)
      if (position !== next) endRun()
      room.set(page.bytes.subarray(page.base, page.base + page.sizeBytes), used)
      used += page.sizeBytes
      next = position + page.sizeBytes
    }
    endRun()
    // Synced though it may be empty: pages may have been written early.
    yield { writes, isDue: true }
  }

  /** The page as it is to be written: pinned, so memory has it still. */
  #pageAt(pgid: number): Page {
    if (pgid === this.#freelist?.pgid) return this.#freelist
    const page = this.#core.pager.findDirty(pgid)
    assert(page !== undefined, () => `checkpoint: page ${pgid} is not in memory`)
    sealPage(page)
    return page
  }

  /** All settle before it does: what may be written again must not be under way. */
  async #write(writes: readonly Write[]): Promise<void> {
    const { file } = this.#core
    for (let at = 0; at < writes.length; at += WRITES_AT_ONCE) {
      const some = writes.slice(at, at + WRITES_AT_ONCE)
      const results = await Promise.allSettled(
        some.map(({ bytes, position }) => file.writeAsync(bytes, position)),
      )
      const errors = results.flatMap((result) =>
        result.status === 'rejected' ? [result.reason as unknown] : [],
      )
      if (errors.length > 0) throw errors.find((e) => !isKvError(e, 'KV_NO_SPACE')) ?? errors[0]
    }
  }
}

/** A long run, from where it stands: its buffer is its own. */
function* piecesOf(page: Page, position: number): Generator<Batch, void, void> {
  for (let at = 0; at < page.sizeBytes; at += SYNC_BYTES) {
    const end = Math.min(page.sizeBytes, at + SYNC_BYTES)
    const bytes = page.bytes.subarray(page.base + at, page.base + end)
    yield { writes: [{ bytes, position: position + at }], isDue: end - at === SYNC_BYTES }
  }
}

/**
 * Brings the file to the head. It begins before this returns, unless a writer is open: then it
 * waits its turn. Commits go on while it writes; `engine.generations` names what the file holds
 * afterwards. A rejection that nobody looks at does no harm.
 * @throws {KvError} KV_NO_SPACE: the file is as it was; KV_IO and what the log fails with, and then
 *   the handle is poisoned; KV_TX_BUSY while another is under way
 */
export function checkpoint(engine: Engine): Promise<void> {
  const done = runCheckpoint(engine)
  done.catch(() => {})
  return done
}

async function runCheckpoint(engine: Engine): Promise<void> {
  const writable = { writable: true }
  const tx = engine.isWriterDue ? await engine.begin(writable) : engine.beginNow(writable)
  const running = beginCheckpoint(engine, tx)
  await engine.core.logged?.watch(running.finish())
}

/**
 * As `checkpoint`, blocking: for who can't let the event loop run. No writer may be open.
 * @throws {KvError} as `checkpoint` rejects
 */
export function checkpointSync(engine: Engine): void {
  beginCheckpoint(engine, engine.beginNow({ writable: true })).finishSync()
}

/** Step 1, in place of what `tx` would have done. */
function beginCheckpoint(engine: Engine, tx: Tx): Checkpoint {
  const { core } = engine
  const { logged } = core
  assert(logged !== undefined, 'checkpoint: the file has a log')
  try {
    if (logged.isCheckpointing) {
      throw new KvError('KV_TX_BUSY', `${engine.path}: a checkpoint is under way`)
    }
    const plan = planInMemory(core, tx, { txid: nextTxid(core, logged), hasFreelist: true })
    return new Checkpoint(core, logged, plan, (meta) => logged.append(meta, []))
  } finally {
    tx.close()
  }
}

/**
 * The number that the checkpoint's commit has: its parity names the slot that does not hold the
 * file's newest meta. Where the next one doesn't, an empty commit takes that.
 */
function nextTxid({ head, meta }: Core, logged: Logged): number {
  const next = head.txid + 1
  if (next % 2 !== meta.slot) return next
  // Should it fail, so does the checkpoint's own record.
  logged.append({ ...head, txid: next }, []).catch(() => {})
  return next + 1
}

/** The checkpoint of a transaction that the log holds already: `plan` has its freelist. */
export function checkpointOfReplay(core: Core, logged: Logged, plan: CommitPlan): Promise<void> {
  const running = new Checkpoint(core, logged, plan, (meta) => {
    logged.replayed(meta)
    return Promise.resolve()
  })
  return logged.watch(running.finish())
}
