/**
 * Who wrote what: puts the calls of many writers, and the ends of leases, into the order in which
 * the store made revisions of them.
 *
 * Writers only note what they ask for and what was answered. `settle()` then goes through the new
 * revisions, looks at what each holds, and finds the one call that makes that of the revision
 * before, as the model has it. A call that was answered must be found, at the revision answered;
 * one without an answer (the store crashed) may be, at any; and a lease may have ended.
 */
import { isKvError } from '../../base/errors.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import type { TxnRequest } from '../../store/types/txn.ts'
import { Model } from '../model/model.ts'
import type { Proposal } from '../model/model.ts'
import { Reading, readTxn } from '../model/parse.ts'
import type { TxnQuery } from '../model/request.ts'
import type { Row } from '../model/row.ts'
import { showRow } from '../validate/watch-record.ts'

/** A call that writes, as it stands. */
export interface Written {
  /** What it does; a lease: it ends it. */
  readonly does: TxnRequest | { readonly lease: bigint }
  /** The revision that it was answered with; undefined: no answer came. */
  answer: number | undefined
  /** Rejected, with nothing done. */
  isRefused: boolean
}

export class HistoryError extends Error {
  override readonly name: string = 'HistoryError'
}

export class WrittenHistory {
  /** Never compacted, so that it can say what there was. */
  readonly model: Model = new Model()
  /** Ends of leases that no call made. */
  expiryCount = 0
  /** Calls without an answer that had happened. */
  survivedCount = 0
  #open: Written[] = []
  #leases: bigint[] = []

  granted(id: bigint, ttlSeconds: number): void {
    this.model.grant(id, ttlSeconds)
    this.#leases.push(id)
  }

  begin(does: Written['does']): Written {
    const written: Written = { does, answer: undefined, isRefused: false }
    this.#open.push(written)
    return written
  }

  /**
   * Brings the model to where the store is. No call may be under way; what had no answer and is
   * not there yet will never be.
   */
  async settle(store: BuiltLocalStore): Promise<void> {
    const { revision } = await store.status()
    while (this.model.revision < revision) {
      const at = this.model.revision + 1
      const { kvs } = await store.range({ revision: at, limit: Infinity })
      this.#explain(at, kvs)
    }
    for (const written of this.#open) {
      const { answer, does } = written
      if (answer === undefined) continue
      if (answer > revision) throw new HistoryError(`revision ${answer} was answered, and is gone`)
      const isPut = 'success' in does && does.compare === undefined
      const hasPut = isPut && does.success?.some(({ type }) => type === 'put') === true
      if (hasPut)
        throw new HistoryError(`answered ${answer}, made no revision: ${showCall(written)}`)
    }
    this.#open = []
  }

  #explain(at: number, rows: readonly Row[]): void {
    const wanted = rows.map(showRow).join('\n')
    const isIt = ({ rows: made, revision }: Proposal): boolean =>
      revision === at && [...made.values()].sort(byKey).map(showRow).join('\n') === wanted
    // The answered ones first: an end of a lease may look the same.
    const [answered, unanswered] = [(one: Written) => one.answer === at, isUnknown]
    for (const isCandidate of [answered, unanswered]) {
      for (const written of this.#open.filter(isCandidate)) {
        const proposal = this.#propose(written)
        if (proposal === undefined || !isIt(proposal)) continue
        this.model.accept(proposal)
        this.#open.splice(this.#open.indexOf(written), 1)
        if (written.answer === undefined) this.survivedCount++
        return
      }
    }
    for (const lease of this.#leases) {
      const proposal = this.model.propose(this.#endOf(lease))
      if (!isIt(proposal)) continue
      this.model.accept(proposal)
      this.expiryCount++
      return
    }
    const calls = this.#open.filter((one) => one.answer === at || isUnknown(one)).map(showCall)
    throw new HistoryError(`nobody made revision ${at}:\n${wanted}\nnot even\n${calls.join('\n')}`)
  }

  #propose({ does }: Written): Proposal | undefined {
    const query = 'lease' in does ? this.#endOf(does.lease) : queryOf(does)
    try {
      return this.model.propose(query)
    } catch (error) {
      if (isKvError(error)) return undefined
      throw error
    }
  }

  #endOf(lease: bigint): TxnQuery {
    const keys = new Set(this.model.keysOf(lease))
    const step = { type: 'delete', keys: (key: string) => keys.has(key) } as const
    return { conditions: [], success: [step], failure: [] }
  }
}

function isUnknown({ answer, isRefused }: Written): boolean {
  return answer === undefined && !isRefused
}

function byKey(a: Row, b: Row): number {
  return a.key < b.key ? -1 : 1
}

function queryOf(request: TxnRequest): TxnQuery {
  return readTxn(request, new Reading('utf8')).query
}

function showCall({ does, answer }: Written): string {
  const text = JSON.stringify(does, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  return `${text.slice(0, 300)} → ${answer ?? 'no answer'}`
}
