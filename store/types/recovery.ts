/** What opening a data directory found. */

/** What opening found, and what it had to mend. After a clean close all is 0 or undefined. */
export interface RecoveryReport {
  /** The commit that the data file held before anything was done again. */
  readonly fileTxid: number
  /** How many commits were done again from the log. 0 after a clean close. */
  readonly replayedCommits: number
  /**
   * How many of them were written to the log once more, since perhaps only the page cache had them.
   */
  readonly rewrittenCommits: number
  /** What stood behind the last whole commit and had never been acknowledged; it was cut off. */
  readonly torn:
    | { readonly file: string; readonly offset: number; readonly sizeBytes: number }
    | undefined
  /** Set where the file's newest generation could not be used, and the one before was. */
  readonly fallback: { readonly slot: 0 | 1; readonly reason: string } | undefined
}
