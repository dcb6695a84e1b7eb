/**
 * Snapshots: asynchronous reads of one revision, through a root that is pinned until the snapshot
 * is closed. Reads under way then go on to their end; iterations end.
 */

import type { Clock } from '../base/clock.ts'
import type { Codec } from './codec.ts'
import type { ChangeOutput } from './diff-call.ts'
import { Reads } from './reads.ts'
import type { RangeOutput } from './reads.ts'
import type { Entry } from './result.ts'
import type { ViewHold } from './view-hold.ts'

/** `Snapshot`, but for the types of what comes out: see directory-store.ts. */
export class StoreSnapshot {
  readonly revision: number
  readonly #hold: ViewHold
  readonly #reads: Reads

  constructor(hold: ViewHold, setup: { readonly codec: Codec; readonly clock: Clock }) {
    this.#hold = hold
    this.revision = hold.revision
    this.#reads = new Reads(
      {
        admit(signal, args) {
          hold.mustBeHeld()
          signal?.throwIfAborted()
          args.throwRefusal()
        },
        // By way of the snapshot, so that an iteration keeps it from being collected as garbage.
        pin: () => this.#hold.pin(),
        revision: () => hold.revision,
      },
      setup,
    )
  }

  get(key: unknown, options?: unknown): Promise<Entry | undefined> {
    return this.#reads.get(key, options)
  }

  range(options?: unknown): Promise<RangeOutput> {
    return this.#reads.range(options)
  }

  scan(options?: unknown): AsyncIterableIterator<Entry> {
    return this.#reads.scan(options)
  }

  diff(options?: unknown): AsyncIterableIterator<ChangeOutput> {
    return this.#reads.diff(options)
  }

  async close(): Promise<void> {
    this.#hold.release()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
