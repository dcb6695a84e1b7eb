/** What a namespace gives out: the results of the store beneath, with its own keys in them. */

import { withOutcome } from '../base/errors.ts'
import type { OutputKey } from './codec.ts'
import type { KeyPrefix } from './key-prefix.ts'
import { asResult, withKey } from './result.ts'
import type { Entry, OpOutput } from './result.ts'
import type { RangeOutput } from './reads.ts'
import type { LeaseInfo } from './types/lease.ts'
import type { DeleteResult, PutResult } from './types/write.ts'
import type { TxnResult } from './types/txn.ts'
import type { WatchBatch, WatchEvent } from './types/watch.ts'

type PutOutput = PutResult<unknown, OutputKey>
type DeleteOutput = DeleteResult<unknown, OutputKey>
type TxnOutput = TxnResult<unknown, OutputKey>
type OutputBatch = WatchBatch<unknown, OutputKey>
type OutputEvent = WatchEvent<unknown, OutputKey>

export class NamespaceOutput {
  readonly #prefix: KeyPrefix

  constructor(prefix: KeyPrefix) {
    this.#prefix = prefix
  }

  entry(entry: Entry): Entry {
    return withKey(entry, this.#prefix.strip(entry.key))
  }

  entryOrNone(entry: Entry | undefined): Entry | undefined {
    return entry === undefined ? undefined : this.entry(entry)
  }

  range({ kvs, count, more, revision }: RangeOutput): RangeOutput {
    return asResult({ kvs: this.#entries(kvs), count, more, revision })
  }

  put({ revision, previous }: PutOutput): PutOutput {
    return written(() => asResult({ revision, previous: this.entryOrNone(previous) }))
  }

  delete({ deleted, revision, previous }: DeleteOutput): DeleteOutput {
    return written(() => asResult({ deleted, revision, previous: this.#entries(previous) }))
  }

  txn({ succeeded, revision, results }: TxnOutput): TxnOutput {
    return written(() => asResult({ succeeded, revision, results: this.#ops(results) }))
  }

  lease({ id, ttlSeconds, remainingSeconds, keys }: LeaseInfo<OutputKey>): LeaseInfo<OutputKey> {
    const own = keys.filter((key) => this.#prefix.has(key)).map((key) => this.#prefix.strip(key))
    return asResult({ id, ttlSeconds, remainingSeconds, keys: own })
  }

  batch({ events, revision }: OutputBatch): OutputBatch {
    return { events: events.map((event) => this.#event(event)), revision }
  }

  #entries(entries: readonly Entry[]): readonly Entry[] {
    return entries.map((entry) => this.entry(entry))
  }

  #event(event: OutputEvent): OutputEvent {
    const previous = this.entryOrNone(event.previous)
    if (event.type === 'put') return { type: 'put', kv: this.entry(event.kv), previous }
    const { type, modRevision } = event
    return { type, key: this.#prefix.strip(event.key), modRevision, previous }
  }

  #ops(results: readonly OpOutput[]): readonly OpOutput[] {
    return results.map((result) => this.#op(result))
  }

  #op(result: OpOutput): OpOutput {
    switch (result.type) {
      case 'put':
        return asResult({ type: 'put', previous: this.entryOrNone(result.previous) })
      case 'get':
        return asResult({ type: 'get', kv: this.entryOrNone(result.kv) })
      case 'range': {
        const { type, kvs, count, more } = result
        return asResult({ type, kvs: this.#entries(kvs), count, more })
      }
      case 'delete': {
        const { type, deleted, previous } = result
        return asResult({ type, deleted, previous: this.#entries(previous) })
      }
      case 'txn': {
        const { type, succeeded, results } = result
        return asResult({ type, succeeded, results: this.#ops(results) })
      }
    }
  }
}

/** What can't be shown has been written all the same. */
function written<T>(show: () => T): T {
  try {
    return show()
  } catch (error) {
    throw withOutcome(error, 'unknown')
  }
}
