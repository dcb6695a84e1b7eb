/** What commits durably in Node, as the harness sees it. */

import type { CommitCommand } from './commit-protocol.ts'

export interface Entry {
  readonly key: Buffer
  readonly value: Buffer
}

export interface Committer {
  /** Puts entries that no run times. */
  fill(entries: readonly Entry[]): Promise<void> | void
  /**
   * Makes what it is given durable: a put in a commit of its own. A promise where it doesn't block.
   */
  commit(entry: Entry): Promise<unknown> | undefined
  /** All entries in one commit; only where there can't be several commits at once. */
  readonly commitAll?: (entries: readonly Entry[]) => void
  close(): Promise<void> | void
}

export type Make = (command: CommitCommand) => Promise<Committer>

/** Waits in portions, so that no side has all that it is filled with in its queue. */
const FILL_PORTION = 1000

export async function fillAtOnce(
  entries: readonly Entry[],
  put: (entry: Entry) => Promise<unknown>,
): Promise<void> {
  for (let at = 0; at < entries.length; at += FILL_PORTION) {
    await Promise.all(entries.slice(at, at + FILL_PORTION).map(put))
  }
}
