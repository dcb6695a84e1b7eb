/**
 * What the engine asks of a write-ahead log. The log knows nothing of pages: it is given what a
 * transaction did, as plain data, and gives it back in the same order when the file is opened
 * again.
 */

import type { LogGroup } from '../base/log-group.ts'

export interface CommitLog {
  /**
   * Queues a group; their txids are consecutive. Resolves when it and all before it are durable.
   * After a rejection all later calls are rejected, too.
   */
  append(group: LogGroup): Promise<void>
  /** As `append`, blocking: durable when it returns, and all queued before it. */
  appendSync(group: LogGroup): void
  /** Resolves when the group `txid` is on the disk, whether or not `append` waits for that. */
  flush(txid: number): Promise<void>
  /** Blocks until all that was appended is on the disk. */
  flushSync(): void
}
