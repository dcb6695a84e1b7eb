/**
 * Gives space back while work goes on: brings the pages together in front, by steps that commit
 * like other writes, and lets checkpoints shorten the file.
 *
 *   pass 1      puts rows of thin pages together, moves what lies behind the target
 *   checkpoints three: the first two make free what was moved, the third ends the file sooner
 *   pass 2, …   moves what is behind the target still, for pages have come free in front of it
 *   at the end  a checkpoint more, so that both generations are short, and the file is cut
 *
 * The target is what is in use, and a little. It ends when the file's end has come down to it, or
 * when a pass got it no further: a view that is open, say, keeps its pages where they are.
 *
 * A step takes part in a group like any write, so a commit waits for one step at most; and no more
 * is moved than a checkpoint has to write that nobody waits for.
 */

import type { Clock } from '../base/clock.ts'
import { KvError } from '../base/errors.ts'
import {
  FIRST_PLACE,
  fileSizeToBe,
  highWaterMark,
  releaseSome,
  shrinkTail,
} from '../engine/defragment.ts'
import type { MovePlace, MoveProgress } from '../engine/defragment.ts'
import { pagesInUse } from '../engine/standing.ts'
import type { Database } from '../snapshot/database.ts'
import type { GroupQueue } from './group-queue.ts'
import { Pacer, nextTurn } from './pause.ts'
import type { ReadRoots } from './read-root.ts'
import { asResult } from './result.ts'
import type { DefragmentResult, Progress } from './types/maintenance.ts'

const SLACK_PAGES = 16
/** One part in so many of what is in use. */
const SLACK_PARTS = 32
const PASSES_MAX = 12
/** Checkpoints after which what was moved before is free, and the file's end known. */
const SETTLING_CHECKPOINTS = 3
/** So many bytes of pages newer than the file, at most, before a checkpoint is waited for. */
const DIRTY_BYTES_MAX = 8 * 1024 * 1024

export interface DefragmenterSetup {
  /** The data directory, for messages. */
  readonly path: string
  readonly database: Database
  readonly queue: GroupQueue
  readonly roots: ReadRoots
  readonly clock: Clock
  /** Pages newer than the file that take less keep no writer waiting. */
  readonly dirtyBytes: number
  /** The file may end so many pages behind what is in use, and a part of it. Default 16. */
  readonly slackPages?: number | undefined
}

export interface DefragmentJob {
  readonly onProgress: ((progress: Progress) => void) | undefined
  readonly signal: AbortSignal | undefined
}

export class Defragmenter {
  readonly #setup: DefragmenterSetup
  /** Settles when no job is under way. Never rejects. */
  #last: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(setup: DefragmenterSetup) {
    this.#setup = setup
  }

  /** Runs behind the jobs that were asked for before. */
  async run(job: DefragmentJob): Promise<DefragmentResult> {
    const done = this.#last.then(async () => await this.#run(job))
    this.#last = done.then(
      () => {},
      () => {},
    )
    return await done
  }

  /** Stops after the step under way. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#last
  }

  async #run(job: DefragmentJob): Promise<DefragmentResult> {
    const { database } = this.#setup
    const { engine } = database
    const sizeBytesBefore = fileSizeToBe(engine)
    const report = new Reporter(job, pagesInUse(engine) * engine.pageSizeBytes)
    let end = highWaterMark(engine)
    for (let pass = 0; pass < PASSES_MAX; pass++) {
      if (pass > 0 && end <= this.#target) break
      const isMoved = await this.#pass(pass === 0, report)
      for (let i = 0; i < SETTLING_CHECKPOINTS; i++) await this.#checkpoint(report)
      const newEnd = highWaterMark(engine)
      if (pass > 0 && (!isMoved || newEnd >= end)) break
      end = newEnd
    }
    await this.#checkpoint(report)
    shrinkTail(engine)
    report.done()
    return asResult({ sizeBytesBefore, sizeBytesAfter: fileSizeToBe(engine) })
  }

  /** The page behind which nothing should be. */
  get #target(): number {
    const { database, slackPages = SLACK_PAGES } = this.#setup
    const pages = pagesInUse(database.engine)
    return pages + slackPages + Math.ceil(pages / SLACK_PARTS)
  }

  /** Goes through all trees; returns whether anything was moved. */
  async #pass(fills: boolean, report: Reporter): Promise<boolean> {
    const { database, dirtyBytes } = this.#setup
    const { engine } = database
    const dirtyMax = Math.min(DIRTY_BYTES_MAX, dirtyBytes / 2)
    let isMoved = false
    let place: MovePlace | undefined = FIRST_PLACE
    while (place !== undefined) {
      this.#mayGoOn(report)
      const { next, isChanged, passedLeaves } = await this.#step(place, fills)
      isMoved ||= isChanged
      place = next
      if (fills) report.pass(passedLeaves * engine.pageSizeBytes)
      if (engine.dirtyBytes >= dirtyMax) await this.#checkpoint(report)
      else await nextTurn()
    }
    return isMoved
  }

  async #step(from: MovePlace, fills: boolean): Promise<MoveProgress> {
    const { queue, clock } = this.#setup
    const pacer = new Pacer(clock)
    return await queue.submit({
      byteCount: 0,
      isFreeing: true,
      isExempt: true,
      run: (txn) => {
        pacer.restart()
        const isDue = (): boolean => pacer.isDue
        return txn.movePages({ from, fills, target: this.#target, isDue })
      },
    })
  }

  /** Brings the file to the head, and makes free what nobody needs then. */
  async #checkpoint(report: Reporter): Promise<void> {
    const { database, roots, clock } = this.#setup
    const { checkpointer, engine } = database
    this.#mayGoOn(report)
    await checkpointer?.run()
    const failure = checkpointer?.failure
    if (failure !== undefined) throw failure
    // The root that the next reader would get holds what was moved since, though no key changed.
    roots.refresh()
    const pacer = new Pacer(clock)
    while (releaseSome(engine)) {
      if (!pacer.isDue) continue
      await pacer.pause()
      this.#mayGoOn(report)
    }
  }

  #mayGoOn({ signal }: Reporter): void {
    signal?.throwIfAborted()
    this.#setup.queue.mustBeSound()
    if (!this.#isClosed) return
    throw new KvError('KV_CLOSED', `${this.#setup.path}: closed while it was defragmented`)
  }
}

/** Tells how far a job has come. */
class Reporter {
  readonly signal: AbortSignal | undefined
  readonly #onProgress: ((progress: Progress) => void) | undefined
  readonly #totalBytes: number
  #doneBytes = 0

  constructor({ signal, onProgress }: DefragmentJob, totalBytes: number) {
    this.signal = signal
    this.#onProgress = onProgress
    this.#totalBytes = totalBytes
  }

  pass(byteCount: number): void {
    this.#doneBytes = Math.min(this.#totalBytes, this.#doneBytes + byteCount)
    this.#tell()
  }

  done(): void {
    this.#doneBytes = this.#totalBytes
    this.#tell()
  }

  #tell(): void {
    this.#onProgress?.({ doneBytes: this.#doneBytes, totalBytes: this.#totalBytes })
  }
}
