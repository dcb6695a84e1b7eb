/** A log that makes records durable when it is told to. */

import type { LogGroup } from '../../base/log-group.ts'
import type { CommitLog } from '../../engine/commit-log.ts'
import { mustEqual } from './compare.ts'

export class HeldLog implements CommitLog {
  readonly durable: LogGroup[]
  readonly #held: { readonly group: LogGroup; readonly resolve: () => void }[] = []
  #last: Promise<void> = Promise.resolve()

  constructor(durable: readonly LogGroup[] = []) {
    this.durable = [...durable]
  }

  append(group: LogGroup): Promise<void> {
    mustEqual(group.txid, (this.#newest()?.txid ?? group.txid - 1) + 1, 'txid of the next record')
    this.#last = new Promise((resolve) => this.#held.push({ group, resolve }))
    return this.#last
  }

  flush(txid: number): Promise<void> {
    return (this.durable.at(-1)?.txid ?? 0) >= txid ? Promise.resolve() : this.#last
  }

  flushSync(): void {
    this.sync(Infinity)
  }

  appendSync(group: LogGroup): void {
    this.sync(Infinity)
    this.durable.push(group)
  }

  /** The oldest `count` records are durable. */
  sync(count: number): void {
    for (const { group, resolve } of this.#held.splice(0, count)) {
      this.durable.push(group)
      resolve()
    }
  }

  /** Records that are not durable, oldest first. */
  get heldGroups(): readonly LogGroup[] {
    return this.#held.map(({ group }) => group)
  }

  #newest(): LogGroup | undefined {
    return this.#held.at(-1)?.group ?? this.durable.at(-1)
  }
}
