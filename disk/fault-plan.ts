/**
 * What goes wrong on a disk in memory, and when: failing operations, and the power cut.
 *
 * Operations that change the disk are numbered from 1 on (`operationCount`); `open`, `read`, `list`
 * and `stat` have no number but can fail too.
 */

import type { IoOperation } from './io-error.ts'

/**
 * The power is off: thrown by the operation during which it went, and by all later ones. Not a
 * `KvError`.
 */
export class PowerCut extends Error {
  override readonly name: string = 'PowerCut'

  constructor() {
    super('the power is off')
  }
}

/** A made-up error of the operating system, told apart by `code` as the real ones are. */
export class InjectedError extends Error {
  override readonly name: string = 'InjectedError'
  readonly code: string

  constructor(code: string, message = 'injected') {
    super(`${code}: ${message}`)
    this.code = code
  }
}

export type OperationKind =
  | 'open'
  | 'read'
  | 'stat'
  | 'list'
  | 'create'
  | 'write'
  | 'truncate'
  | 'allocate'
  | 'sync'
  | 'makeDirectory'
  | 'rename'
  | 'remove'
  | 'syncDirectory'

export interface Operation {
  readonly kind: OperationKind
  /** As it stands in error messages. */
  readonly name: IoOperation
  /** Absolute; a rename's source. */
  readonly path: string
  /** A rename's target. */
  readonly target?: string
  /** The bytes touched by a read, write, truncate or allocate: `[start, end)`. */
  readonly start?: number
  readonly end?: number
}

/** An operation that fails. Fields left out match everything. */
export interface Fault {
  readonly kind?: OperationKind | readonly OperationKind[] | undefined
  /** An absolute path; a rename matches with source or target. */
  readonly path?: string | undefined
  /** Matches operations that touch a byte of `[start, end)`. */
  readonly start?: number | undefined
  readonly end?: number | undefined
  /** The operation with this number. */
  readonly operation?: number | undefined
  /** Lets this many matching operations pass first. Default 0. */
  readonly skip?: number | undefined
  /** How many fail then. Default 1; Infinity: for ever. */
  readonly times?: number | undefined
  /** The system's name for the error, like EIO or ENOSPC. */
  readonly code: string
  /** What a failing write or allocate leaves: nothing (default), or the part before some byte. */
  readonly leaves?: 'nothing' | 'part' | undefined
}

interface ArmedFault {
  readonly fault: Fault
  skip: number
  times: number
}

const UNNUMBERED: ReadonlySet<OperationKind> = new Set(['open', 'read', 'stat', 'list'])

export type Verdict =
  | { readonly kind: 'proceed' }
  /** The power goes now: the operation may or may not reach the disk. */
  | { readonly kind: 'cut' }
  | { readonly kind: 'fail'; readonly fault: Fault }

const PROCEED: Verdict = { kind: 'proceed' }
const CUT: Verdict = { kind: 'cut' }

export class FaultPlan {
  #operationCount = 0
  #cutAt = Infinity
  #isPowerOff = false
  readonly #faults: Set<ArmedFault> = new Set()

  get operationCount(): number {
    return this.#operationCount
  }

  get isPowerOff(): boolean {
    return this.#isPowerOff
  }

  cutPowerAt(operation: number): void {
    if (!(operation > this.#operationCount)) {
      throw new RangeError(
        `operation: ${operation} is past; ${this.#operationCount} operations have been done`,
      )
    }
    this.#cutAt = operation
  }

  /** Adds a fault; returns a function that lifts it. */
  add(fault: Fault): () => void {
    const armed: ArmedFault = { fault, skip: fault.skip ?? 0, times: fault.times ?? 1 }
    this.#faults.add(armed)
    return () => {
      this.#faults.delete(armed)
    }
  }

  /** Counts an operation and says what becomes of it. Throws `PowerCut` once the power is off. */
  judge(operation: Operation): Verdict {
    if (this.#isPowerOff) throw new PowerCut()
    if (!UNNUMBERED.has(operation.kind)) {
      this.#operationCount += 1
      if (this.#operationCount >= this.#cutAt) {
        this.#isPowerOff = true
        return CUT
      }
    }
    for (const armed of this.#faults) {
      if (armed.times <= 0 || !matches(armed.fault, operation, this.#operationCount)) continue
      if (armed.skip > 0) {
        armed.skip -= 1
        continue
      }
      armed.times -= 1
      return { kind: 'fail', fault: armed.fault }
    }
    return PROCEED
  }
}

function matches(fault: Fault, operation: Operation, operationCount: number): boolean {
  const { kind, path, start = 0, end = Infinity } = fault
  if (kind !== undefined && kind !== operation.kind && !kind.includes(operation.kind)) return false
  if (path !== undefined && path !== operation.path && path !== operation.target) return false
  if (fault.operation !== undefined) {
    if (UNNUMBERED.has(operation.kind) || fault.operation !== operationCount) return false
  }
  if (fault.start === undefined && fault.end === undefined) return true
  if (operation.start === undefined || operation.end === undefined) return false
  return operation.start < end && operation.end > start
}
