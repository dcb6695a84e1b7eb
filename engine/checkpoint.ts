/**
 * The checkpoint: brings the file to the head while commits go on.
 *
 *   1. an empty commit at the head, with the freelist in it and the set of pages to be written
 *      captured; its record goes into the log                                   memory, at once
 *   2. that record is durable, so the log leads at least as far as the file will
 *      where opening passed over a newer meta: write ours over it; data sync     once
 *   3. grow the file to its high-water mark; full sync                           only when needed
 *   4. write the pages, ascending, in runs of at most 1 MiB, the event loop free in between; data
 *      sync
 *   5. write the meta into the slot that does not hold the newest one; data sync
 *
 * Pages that came and went between two checkpoints are not among those written.
 *
 * A full disk in step 3 or 4 abandons the checkpoint: the file stays where it was, the pages stay
 * in memory, and the log stays as long. Any other failure poisons the handle.
 */

import { assert } from '../base/assert.ts'
import { KvError, isKvError } from '../base/errors.ts'
import { growFile, planInMemory, publishMeta } from './commit.ts'
import type { CommitPlan } from './commit.ts'
import type { Engine } from './engine.ts'
import type { Core } from './core.ts'
import type { Logged } from './logged.ts'
import type { Meta } from './meta.ts'
import { encodeMetaPage } from './meta.ts'
import { sealPage } from './node.ts'
import type { Page } from './page.ts'
import { stamped } from './stamp.ts'
import { RUN_SIZE_MAX, runsOf, writeOverPassed } from './write-images.ts'

class Checkpoint {
  readonly meta: Meta
  readonly #core: Core
  readonly #logged: Logged
  readonly #pages: readonly Page[]
  readonly #freelist: Page | undefined
  readonly #durable: Promise<void>

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
    this.#pages = [...core.pager.dirty].filter(({ pgid }) => !core.freelist.has(pgid))
    logged.beginCheckpoint(this.meta)
    this.#durable = append(this.meta)
  }

  /** Steps 2 to 5. Rejects where the file is not at this checkpoint. */
  async finish(): Promise<void> {
    const core = this.#core
    let phase: 'log' | 'revert' | 'data' | 'meta' = 'log'
    try {
      await this.#durable
      phase = 'revert'
      await this.#revert()
      phase = 'data'
      if (growFile(core, this.meta)) await core.file.syncAsync('full')
      await this.#writePages()
      await core.file.syncAsync('data')
      phase = 'meta'
      await core.file.writeAsync(encodeMetaPage(this.meta), this.meta.slot * core.pageSizeBytes)
      await core.file.syncAsync('data')
    } catch (error) {
      const isHarmless = phase === 'data' && isKvError(error, 'KV_NO_SPACE')
      if (!isHarmless) core.poisonWith(error)
      throw error
    } finally {
      this.#logged.endCheckpoint()
    }
    for (const page of this.#pages) core.pager.settleDirty(page)
    publishMeta(core, this.meta, core.freelistRun)
    core.pager.trim()
  }

  async #revert(): Promise<void> {
    const core = this.#core
    if (core.passedOverSlot === undefined) return
    writeOverPassed(core, core.passedOverSlot)
    await core.file.syncAsync('data')
    core.passedOverSlot = undefined
  }

  async #writePages(): Promise<void> {
    const { file, pageSizeBytes } = this.#core
    const pages = [...this.#pages]
    if (this.#freelist !== undefined) pages.push(this.#freelist)
    pages.sort((a, b) => a.pgid - b.pgid)
    const room = new Uint8Array(RUN_SIZE_MAX)
    for (const { from, to, size } of runsOf(pages, pageSizeBytes)) {
      const bytes = size <= RUN_SIZE_MAX ? room.subarray(0, size) : new Uint8Array(size)
      let at = 0
      for (const page of pages.slice(from, to)) {
        if (page !== this.#freelist) sealPage(page)
        bytes.set(page.bytes.subarray(page.base, page.base + page.sizeBytes), at)
        at += page.sizeBytes
      }
      await file.writeAsync(bytes, (pages[from] as Page).pgid * pageSizeBytes)
    }
  }
}

/**
 * Brings the file to the head. Waits its turn as a writer; commits go on while it writes.
 * @throws {KvError} KV_NO_SPACE: the file is as it was; KV_IO and what the log fails with, and then
 *   the handle is poisoned; KV_TX_BUSY while another is under way
 */
export async function checkpoint(engine: Engine): Promise<void> {
  const { core } = engine
  const { logged } = core
  assert(logged !== undefined, 'checkpoint: the file has a log')
  const tx = await engine.begin({ writable: true })
  let running: Checkpoint
  try {
    if (logged.isCheckpointing) {
      throw new KvError('KV_TX_BUSY', `${engine.path}: a checkpoint is under way`)
    }
    const plan = planInMemory(core, tx, { txid: nextTxid(core, logged), hasFreelist: true })
    running = new Checkpoint(core, logged, plan, (meta) => logged.append(meta, []))
  } finally {
    tx.close()
  }
  await running.finish()
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
  return running.finish()
}
