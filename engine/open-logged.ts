/**
 * Opening a file that has a log, in two steps, so that its stamp can be looked at before its log is
 * recovered: the file stands at its last checkpoint, and what the log holds beyond that is done
 * again in memory.
 *
 * Groups are done again many to a transaction, which has the number of the last. Now and then the
 * file is brought to where the log is, since what is done again may be more than memory holds; that
 * is a checkpoint of its own, so a group must be durable when it is handed over. A file opened
 * `readOnly` is not written: all pages made stay in memory, however many they are, behind the
 * file's high-water mark, since its freelist is not known.
 */

import { assert } from '../base/assert.ts'
import { CorruptionError, isKvError } from '../base/errors.ts'
import type { LogGroup } from '../base/log-group.ts'
import { checkpointOfReplay } from './checkpoint.ts'
import { planInMemory } from './commit.ts'
import type { CommitLog } from './commit-log.ts'
import type { Core } from './core.ts'
import { openWith } from './engine.ts'
import type { Engine } from './engine.ts'
import { replayOp } from './journal.ts'
import { Logged } from './logged.ts'
import type { EngineOptions } from './options.ts'
import { mustBelong } from './stamp.ts'
import type { Tx } from './tx.ts'

/** Where dirty pages take more than this part of the memory for pages, replay writes them. */
const DIRTY_PARTS = 2
/** A transaction ends with the group in which it has changed so many pages, */
const PAGES_PER_TX = 256
/** or this part of what may be in memory, or */
const MEMORY_PARTS = 8
/** has done so many operations. */
const OPS_PER_TX = 16_384
/** Between two pauses: some 2 ms. */
const OPS_PER_TURN = 512
const BYTES_PER_TURN = 1024 * 1024

export interface AttachOptions {
  /** Where commits go; undefined for a file opened `readOnly`. */
  readonly log: CommitLog | undefined
  /** The mark that ties file and log together: u32, not 0. */
  readonly logId: number
  /**
   * What the log holds, in order and durable. Groups up to the file's own txid are passed over; the
   * next one must be that txid's successor.
   */
  readonly groups: Iterable<LogGroup>
  /** Called every 2 ms or so while groups are done again, to let the event loop run. */
  readonly pause?: () => Promise<void>
}

/**
 * Opens a file that may belong to a log, without its log; `engine.stamp` says which. Until
 * `attachLog` only reading and closing make sense; a file without a stamp can be written, too, with
 * commits of two syncs. Errors as `openEngine`, without KV_LOG_MISMATCH.
 */
export function openForLog(path: string, options: EngineOptions = {}): Promise<Engine> {
  return openWith(path, options, () => {})
}

/**
 * Ties the log to the engine and does again what it holds beyond the file. From then on commits go
 * into the log, and into the file by `checkpoint`. No transaction may be open. After a failure the
 * engine can only be closed.
 * @throws {KvError} KV_LOG_MISMATCH where the file's stamp names another log, or another program
 *   has written to it; KV_CORRUPT where txids have a gap, or a group does not fit what is there;
 *   what `groups` throws; as `checkpoint`
 */
export async function attachLog(engine: Engine, options: AttachOptions): Promise<void> {
  const { core } = engine
  assert(core.logged === undefined, 'open-logged: the file has its log already')
  assert((options.log === undefined) === engine.readOnly, 'open-logged: a log is written to')
  mustBelong(engine.path, core.meta, options.logId)
  const logged = new Logged(core, options.log, options.logId)
  core.logged = logged
  try {
    await new Replay(engine, logged, options.pause).run(options.groups)
  } catch (error) {
    core.poisonWith(error)
    throw error
  }
  logged.isReplaying = false
}

class Replay {
  readonly #engine: Engine
  readonly #core: Core
  readonly #logged: Logged
  readonly #pause: (() => Promise<void>) | undefined
  readonly #pagesMax: number
  #ops = 0
  #opsOfTurn = 0
  #bytesOfTurn = 0

  constructor(engine: Engine, logged: Logged, pause: (() => Promise<void>) | undefined) {
    this.#engine = engine
    this.#core = engine.core
    this.#logged = logged
    this.#pause = pause
    const { budgetBytes, pageSizeBytes } = engine.core.pager
    this.#pagesMax = Math.min(PAGES_PER_TX, budgetBytes / pageSizeBytes / MEMORY_PARTS)
  }

  async run(groups: Iterable<LogGroup>): Promise<void> {
    let txid: number | undefined
    let tx: Tx | undefined
    try {
      for (const group of groups) {
        this.#mustFollow(group.txid, txid)
        txid = group.txid
        if (txid <= this.#core.head.txid) continue
        tx ??= this.#engine.beginReplay()
        await this.#do(tx, group)
        if (!this.#isFull(tx, txid)) continue
        await this.#commit(tx, txid)
        tx = undefined
      }
      if (tx !== undefined) await this.#commit(tx, txid as number)
    } finally {
      tx?.close()
    }
  }

  /** The first group is at most the head's successor, each other one that of the group before. */
  #mustFollow(txid: number, before: number | undefined): void {
    const { head, file } = this.#core
    if (before === undefined ? txid <= head.txid + 1 : txid === before + 1) return
    const last = before === undefined ? `the file ends with ${head.txid}` : `after ${before}`
    const message = `its log goes on with transaction ${txid}, ${last}`
    throw new CorruptionError(message, { file: file.path })
  }

  async #do(tx: Tx, { txid, entries }: LogGroup): Promise<void> {
    for (const { ops } of entries) {
      for (const op of ops) {
        try {
          replayOp(tx, op)
        } catch (error) {
          throw this.#misfit(txid, error)
        }
        this.#ops++
        if (op.op === 'put') this.#bytesOfTurn += op.value.length
        if (++this.#opsOfTurn >= OPS_PER_TURN || this.#bytesOfTurn >= BYTES_PER_TURN) {
          this.#opsOfTurn = 0
          this.#bytesOfTurn = 0
          await this.#pause?.()
        }
      }
    }
  }

  /** What was done once and can't be done again was done to something else. */
  #misfit(txid: number, error: unknown): unknown {
    const isOfDisk =
      !isKvError(error) || ['KV_CORRUPT', 'KV_IO', 'KV_NO_SPACE', 'KV_CLOSED'].includes(error.code)
    if (isOfDisk) return error
    const message = `transaction ${txid} of its log can't be done again: ${error.message}`
    return new CorruptionError(message, { file: this.#core.file.path }, { cause: error })
  }

  #isFull(tx: Tx, txid: number): boolean {
    const isLong = tx.pages.nodeCount >= this.#pagesMax || this.#ops >= OPS_PER_TX
    // Then one group more, where its number does not fit a checkpoint.
    return isLong && (!this.#isShortOfMemory || this.#fits(txid))
  }

  get #isShortOfMemory(): boolean {
    const { file, pager } = this.#core
    return file.writable && pager.dirtyBytes * DIRTY_PARTS > pager.budgetBytes
  }

  #fits(txid: number): boolean {
    return txid % 2 !== this.#core.meta.slot
  }

  async #commit(tx: Tx, txid: number): Promise<void> {
    const core = this.#core
    this.#ops = 0
    const isDue = this.#isShortOfMemory && this.#fits(txid)
    let done: Promise<void> | undefined
    try {
      const plan = planInMemory(core, tx, { txid, hasFreelist: isDue })
      if (isDue) {
        done = checkpointOfReplay(core, this.#logged, plan)
      } else {
        plan.settleInMemory()
        this.#logged.replayed(plan.meta)
      }
    } finally {
      tx.close()
    }
    try {
      await done
    } catch (error) {
      // A full disk keeps nobody from opening: the pages stay in memory.
      if (core.isPoisoned || !isKvError(error, 'KV_NO_SPACE')) throw error
    }
  }
}
