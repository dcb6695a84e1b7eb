/**
 * A disk that fails: runs a workload in which one operation (or that and all later ones of its
 * kind) fails, and claims what the failure must and must not do.
 *
 *   what failed                        code          outcome   handle afterwards
 *   growing or a data page: ENOSPC     KV_NO_SPACE   none      usable, and the same commit succeeds
 *   with room
 *   growing or a data page: else       KV_IO         none      poisoned
 *   a sync before the meta             by errno      none      poisoned
 *   the meta, or the sync after it     by errno      unknown   poisoned
 *   giving space back after a commit   no error      -         usable
 *   opening                            by errno      -         not there; opening again works
 */

import { inspect } from 'node:util'
import { Random } from '../../base/random.ts'
import type { Operation } from '../../disk/fault-plan.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { isKvError, openEngine } from '../../engine/index.ts'
import type { KvError } from '../../engine/index.ts'
import type { FrozenBucket } from './model.ts'
import { DB_PATH, Session, claim, claimContent } from './session.ts'
import type { Workload } from './workload.ts'

export interface FailureCase {
  /** The number of the operation that fails. */
  readonly operation: number
  readonly code: 'EIO' | 'ENOSPC'
  /** All later operations of its kind fail too, until the disk is mended. */
  readonly isLasting: boolean
  readonly leaves: 'nothing' | 'part'
}

/** What came of a case, to count. */
export type FailureResult =
  | 'opening failed'
  | 'not noticed'
  | 'usable'
  | 'poisoned, outcome none'
  | 'poisoned, outcome unknown'

/** An operation of a workload on a sound disk. */
export interface Traced {
  readonly operation: Operation
  /** It writes a meta page, or syncs one. */
  readonly isMeta: boolean
}

/** The numbered operations of a workload on a sound disk. */
export async function traceWorkload(workload: Workload): Promise<Traced[]> {
  const operations: Operation[] = []
  const disk = new MemoryDisk({
    seed: workload.seed,
    trace: (operation) => {
      if (!['open', 'read', 'stat', 'list'].includes(operation.kind)) operations.push(operation)
    },
  })
  await new Session(disk, workload).run()
  return operations.map((operation, i) => {
    const written = operation.kind === 'sync' ? operations[i - 1] : operation
    const isMeta = written?.kind === 'write' && (written.start ?? 0) < 2 * workload.pageSizeBytes
    return { operation, isMeta }
  })
}

/** Runs one case. `failing` is the operation that `traceWorkload` found at its number. */
export async function runFailure(
  workload: Workload,
  traced: Traced,
  failure: FailureCase,
): Promise<FailureResult> {
  const failing = traced.operation
  const disk = new MemoryDisk({ seed: workload.seed })
  const { code, leaves } = failure
  const lift = disk.injectFault({ code, leaves, operation: failure.operation })
  const session = new Session(disk, workload)
  const rest = new Rest(session, workload)
  const error = await rest.runUntilError()
  if (error === undefined) {
    claim(failing.kind === 'truncate', `a failed ${failing.kind} went unnoticed`)
    lift()
    return 'not noticed'
  }
  claim(isKvError(error), () => `not an operating error: ${inspect(error)}`)
  const mend = failure.isLasting
    ? disk.injectFault({ kind: failing.kind, code, times: Infinity })
    : lift
  const random = new Random(workload.seed * 1000 + failure.operation)
  if (rest.isOpening) {
    claim(error.code === codeOf(code), `opening failed with ${error.code}`)
    mend()
    await claimReopens(disk, session, workload.contents, random)
    return 'opening failed'
  }
  return claimCommitFailed({ disk, session, rest, workload, traced, failure, error, mend, random })
}

function codeOf(errno: 'EIO' | 'ENOSPC'): string {
  return errno === 'EIO' ? 'KV_IO' : 'KV_NO_SPACE'
}

/** Goes through a workload's steps, and on from a failed one. */
class Rest {
  readonly #session: Session
  readonly #workload: Workload
  isOpening = true

  constructor(session: Session, workload: Workload) {
    this.#session = session
    this.#workload = workload
  }

  async runUntilError(): Promise<unknown> {
    try {
      await this.#session.open(this.#workload.freelist)
      this.isOpening = false
      await this.go()
      return undefined
    } catch (error) {
      return error
    }
  }

  async go(): Promise<void> {
    const { steps } = this.#workload
    for (;;) {
      const step = steps[this.#session.stepsDone]
      if (step === undefined) break
      this.isOpening = step.kind === 'reopen'
      await this.#session.step(step)
      this.isOpening = false
      this.#session.stepsDone++
    }
    await this.#session.engine.close()
  }
}

interface Failed {
  readonly disk: MemoryDisk
  readonly session: Session
  readonly rest: Rest
  readonly workload: Workload
  readonly traced: Traced
  readonly failure: FailureCase
  readonly error: KvError
  readonly mend: () => void
  readonly random: Random
}

async function claimCommitFailed(failed: Failed): Promise<FailureResult> {
  const { disk, session, workload, traced, failure, error, mend, random } = failed
  const { engine } = session
  claim(error.code === codeOf(failure.code), `the commit failed with ${error.code}`)
  const { isMeta } = traced
  claim(error.outcome === (isMeta ? 'unknown' : 'none'), `outcome ${error.outcome}`)
  const isUsable = traced.operation.kind !== 'sync' && !isMeta && failure.code === 'ENOSPC'
  if (error.outcome === 'none') session.begun = session.acknowledged
  if (isUsable) {
    await claimUsable(failed)
    return 'usable'
  }
  claimPoisoned(session)
  for (const mode of ['nothing', 'everything', 'random'] as const) {
    const found = disk.afterPowerLoss(random, mode)
    await claimFound(found, session, workload.contents)
  }
  mend()
  claimPoisoned(session)
  await engine.close()
  await claimReopens(disk, session, workload.contents, random)
  return isMeta ? 'poisoned, outcome unknown' : 'poisoned, outcome none'
}

function claimPoisoned({ engine }: Session): void {
  for (const call of [
    () => engine.update((tx) => tx.createBucketIfNotExists('x')),
    () => engine.view((tx) => tx.bucket('x')),
  ]) {
    let code = 'nothing'
    try {
      call()
    } catch (error) {
      code = isKvError(error) ? error.code : String(error)
    }
    claim(code === 'KV_POISONED', `a poisoned handle threw ${code}`)
  }
}

/** The disk was full: nothing has happened, and with room the same handle goes on to the end. */
async function claimUsable({ session, rest, workload, mend }: Failed): Promise<void> {
  const { engine } = session
  const seen = engine.view((tx) => claimContent(tx, workload.contents, 'after a full disk'))
  claim(seen === session.acknowledged, `${seen} commits seen after a full disk`)
  const before = engine.check()
  claim(before.isClean, () => `after a full disk: ${JSON.stringify(before.findings)}`)
  mend()
  await rest.go()
  claim(session.acknowledged === workload.contents.length - 1, 'commits were lost')
}

/**
 * Opens what the failure left on the same, mended disk; then the power goes, and nothing may be
 * lost.
 */
async function claimReopens(
  disk: MemoryDisk,
  session: Session,
  contents: readonly FrozenBucket[],
  random: Random,
): Promise<void> {
  const commits = await claimFound(disk, session, contents)
  const lost = disk.afterPowerLoss(random, random.pick(['nothing', 'random', 'torn'] as const))
  const engine = await openEngine(DB_PATH, { disk: lost })
  const kept = engine.view((tx) =>
    claimContent(tx, contents, 'after failure, opening and power loss'),
  )
  claim(kept === commits, `${commits} commits were seen, ${kept} are left`)
  engine.update((tx) => tx.createBucketIfNotExists('later').put('k', 'v'))
  const report = engine.check()
  claim(report.isClean, () => `written on: ${JSON.stringify(report.findings)}`)
  await engine.close()
}

async function claimFound(
  disk: MemoryDisk,
  session: Session,
  contents: readonly FrozenBucket[],
): Promise<number> {
  const engine = await openEngine(DB_PATH, { disk })
  const commits = engine.view((tx) => claimContent(tx, contents, 'after failure'))
  const { acknowledged, begun } = session
  claim(
    commits >= acknowledged && commits <= begun,
    `${commits} commits found, ${acknowledged} acknowledged, ${begun} begun`,
  )
  const report = engine.check()
  claim(report.isClean, () => `after failure: ${JSON.stringify(report.findings)}`)
  await engine.close()
  return commits
}
