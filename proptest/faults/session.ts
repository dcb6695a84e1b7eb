/**
 * One process's work on a database: runs the steps of a workload and knows what was acknowledged.
 */

import type { Disk } from '../../disk/disk.ts'
import { openEngine } from '../../engine/index.ts'
import type { Engine, Tx } from '../../engine/index.ts'
import { contentFault } from './model.ts'
import type { FrozenBucket } from './model.ts'
import { COUNTER_BUCKET, COUNTER_KEY, applyToTx } from './workload.ts'
import type { FreelistForm, Step, Workload } from './workload.ts'

export const DB_PATH = '/db'

/** A claim of the engine's that did not hold. */
export class ClaimError extends Error {
  override readonly name: string = 'ClaimError'
}

export function claim(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new ClaimError(typeof message === 'string' ? message : message())
}

/** The number of commits that a transaction sees. */
export function commitsSeen(tx: Tx): number {
  const value = tx.bucket(COUNTER_BUCKET)?.get(COUNTER_KEY)
  return value === undefined ? 0 : Number(Buffer.from(value).toString())
}

/** Claims that a transaction sees exactly one commit's content; returns which. */
export function claimContent(tx: Tx, contents: readonly FrozenBucket[], where: string): number {
  const commits = commitsSeen(tx)
  const expected = contents[commits]
  claim(expected !== undefined, () => `${where}: ${commits} commits, of which nobody knows`)
  const fault = contentFault(tx.root, expected)
  claim(fault === undefined, () => `${where}: after ${commits} commits: ${fault}`)
  return commits
}

class Abandoned extends Error {}

export class Session {
  readonly #disk: Disk
  readonly #workload: Workload
  #engine: Engine | undefined
  #pinned: { readonly tx: Tx; readonly commits: number } | undefined
  /** Opening the file has returned once. */
  isOpened = false
  /** Commits that were acknowledged. */
  acknowledged: number
  /** Commits begun: `acknowledged`, or one more. */
  begun: number
  /** Steps done. */
  stepsDone = 0

  constructor(disk: Disk, workload: Workload, commits = 0) {
    this.#disk = disk
    this.#workload = workload
    this.acknowledged = commits
    this.begun = commits
  }

  get engine(): Engine {
    claim(this.#engine !== undefined, 'session: not open')
    return this.#engine
  }

  /** Runs all steps and closes. Whatever the disk throws comes out. */
  async run(): Promise<void> {
    await this.open(this.#workload.freelist)
    for (const step of this.#workload.steps) {
      await this.step(step)
      this.stepsDone++
    }
    this.#unpin()
    await this.engine.close()
  }

  async open(freelist: FreelistForm): Promise<void> {
    const { pageSizeBytes } = this.#workload
    // Little memory, so that pages are dropped and some are written before their commit.
    const cacheBytes = 16 * pageSizeBytes
    const options = { disk: this.#disk, pageSizeBytes, freelist, cacheBytes }
    this.#engine = await openEngine(DB_PATH, options)
    this.isOpened = true
  }

  async step(step: Step): Promise<void> {
    switch (step.kind) {
      case 'commit':
        return this.#commit(step)
      case 'rollback':
        return this.#rollBack(step)
      case 'empty':
        return this.#commitNothing()
      case 'pin':
        this.#unpin()
        this.#pinned = { tx: await this.engine.begin(), commits: this.acknowledged }
        return
      case 'unpin':
        this.#unpin()
        return
      case 'reopen':
        this.#unpin()
        await this.engine.close()
        await this.open(step.freelist)
    }
  }

  async #commit(step: Step & { readonly kind: 'commit' }): Promise<void> {
    const { engine } = this
    const { edits, how } = step
    if (how === 'update') {
      engine.update((tx) => {
        applyToTx(tx, edits)
        this.begun = this.acknowledged + 1
      })
    } else {
      using tx = await engine.begin({ writable: true })
      // A large transaction writes while it is edited, and that may fail too.
      applyToTx(tx, edits)
      this.begun = this.acknowledged + 1
      if (how === 'sync') tx.commit()
      else {
        const committed = tx.commitAsync()
        // Nobody may see it before it is durable.
        let seen = -1
        if (engine.isOpen) seen = seenBy(engine)
        await committed
        claim(seen <= this.acknowledged, `commit ${this.begun} was visible before it was durable`)
      }
    }
    this.acknowledged = this.begun
    const seen = engine.view(commitsSeen)
    claim(seen === this.acknowledged, `${seen} commits visible after ${this.acknowledged}`)
  }

  async #rollBack(step: Step & { readonly kind: 'rollback' }): Promise<void> {
    const { engine } = this
    if (step.how === 'rollback') {
      using tx = await engine.begin({ writable: true })
      applyToTx(tx, step.edits)
      tx.rollback()
      return
    }
    try {
      engine.update((tx) => {
        applyToTx(tx, step.edits)
        throw new Abandoned()
      })
    } catch (error) {
      if (!(error instanceof Abandoned)) throw error
    }
  }

  async #commitNothing(): Promise<void> {
    const { engine } = this
    const { txid } = engine
    const tx = await engine.begin({ writable: true })
    tx.commit()
    engine.update(() => {})
    claim(engine.txid === txid, 'an empty transaction used a txid')
  }

  /** Ends the open reader, which must still see its moment. */
  #unpin(): void {
    const pinned = this.#pinned
    this.#pinned = undefined
    if (pinned === undefined) return
    const seen = claimContent(pinned.tx, this.#workload.contents, 'open reader')
    claim(seen === pinned.commits, `a reader of commit ${pinned.commits} sees ${seen}`)
    pinned.tx.rollback()
  }
}

/** -1 where the handle can't be read any more: the commit has failed already. */
function seenBy(engine: Engine): number {
  try {
    return engine.view(commitsSeen)
  } catch {
    return -1
  }
}
