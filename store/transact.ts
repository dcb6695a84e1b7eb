/**
 * `transact`: a function whose reads and writes take effect as one. It is made of `range` and `txn`
 * alone, so that it is the same on every store.
 *
 *   run the function ─▶ one txn { compare: what it read, success: what it wrote }
 *                       the compares fail, or what it wants to read is compacted: run it again
 *
 * A run that failed costs its reads, so from the second one on the transactions of a store take
 * turns: of many that want the same key each then needs two runs or three, not as many as there are
 * others. There is no waiting by chance.
 */

import type { Clock } from '../base/clock.ts'
import { KvError } from '../base/errors.ts'
import { describeType } from '../base/text.ts'
import { TRANSACT_OPTIONS } from './arguments.ts'
import type { Codec } from './codec.ts'
import { readOptions } from './fields.ts'
import { TransactionRun } from './transaction.ts'
import type { TransactStore } from './transaction.ts'
import { Turns } from './turns.ts'
import type { Isolation, TransactResult } from './types/txn.ts'

const ATTEMPTS_MAX_DEFAULT = 10
const ISOLATIONS: readonly Isolation[] = [
  'serializableSnapshot',
  'serializable',
  'repeatableReads',
  'readCommitted',
]

export interface TransactorSetup {
  readonly store: TransactStore
  /** The store's own, which decides what the function gives and gets. */
  readonly codec: Codec
  readonly clock: Clock
  /** Throws where the store takes no calls, or the signal is aborted. */
  readonly admit: (signal: AbortSignal | undefined) => void
}

type Ran = { readonly value: unknown } | { readonly thrown: unknown }

export class Transactor {
  readonly #setup: TransactorSetup
  readonly #turns: Turns

  constructor(setup: TransactorSetup) {
    this.#setup = setup
    this.#turns = new Turns(setup.clock)
  }

  async run(fn: unknown, options: unknown): Promise<TransactResult<unknown>> {
    const fields = readOptions(options, TRANSACT_OPTIONS)
    if (!isFunction(fn)) {
      throw new TypeError(`fn: expected a function, got ${describeType(fn)}`)
    }
    const attemptsMax = fields.integer('attemptsMax', 1, true) ?? ATTEMPTS_MAX_DEFAULT
    const isolation = fields.word('isolation', ISOLATIONS) ?? 'serializable'
    const signal = fields.signal()
    this.#setup.admit(signal)
    const { store, codec } = this.#setup
    let endTurn: (() => void) | undefined
    try {
      for (let attempts = 1; ; attempts++) {
        const run = new TransactionRun({ store, codec, isolation, signal })
        const ran = await settle(fn, run, signal)
        const cause = run.staleness
        if (cause === undefined) {
          if ('thrown' in ran) throw ran.thrown
          const revision = await run.commit()
          if (revision !== undefined) return { value: ran.value, revision, attempts }
        }
        if (attempts >= attemptsMax) throw conflict(attempts, cause)
        endTurn ??= await this.#turns.take(signal)
      }
    } finally {
      endTurn?.()
    }
  }
}

function isFunction(fn: unknown): fn is (t: TransactionRun) => unknown {
  return typeof fn === 'function'
}

/** Runs the function, as long as the signal lets it. */
async function settle(
  fn: (t: TransactionRun) => unknown,
  run: TransactionRun,
  signal: AbortSignal | undefined,
): Promise<Ran> {
  try {
    const value = await untilAborted(fn(run), signal)
    signal?.throwIfAborted()
    return { value }
  } catch (thrown) {
    return { thrown }
  } finally {
    run.end()
  }
}

async function untilAborted(work: unknown, signal: AbortSignal | undefined): Promise<unknown> {
  if (signal === undefined) return await work
  let abort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort)
  })
  if (signal.aborted) abort()
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function conflict(attempts: number, cause: unknown): KvError {
  const what = cause === undefined ? 'changed' : 'compacted'
  return new KvError(
    'KV_CONFLICT',
    `what the transaction had read was ${what} before it could be committed; it ran ${attempts} ` +
      `time${attempts === 1 ? '' : 's'}`,
    { cause },
  )
}
