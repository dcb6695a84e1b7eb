/**
 * What the core needs of whoever keeps leases: which there are, and to be told what becomes of keys
 * that may have one.
 *
 * It stands where the writer does, and follows when a write group is rolled back: `undo` to the
 * mark that `changeCount` was when the group began.
 */
export interface LeaseBook {
  has(id: bigint): boolean
  /** How many there are. */
  readonly leaseCount: number
  /**
   * A key's newest revision has this lease; 0n: none, or the key was deleted. A lease that doesn't
   * exist may be named by a key that kept it. `key` is lent for the call.
   */
  attach(key: Uint8Array, id: bigint): void
  /** As `attach`, while history is read, for each revision in order; it is not undone. */
  restore(key: Uint8Array, id: bigint): void
  readonly changeCount: number
  undo(mark: number): void
  forget(): void
}

/** The book of a store that has no leases. */
export const NO_LEASES: LeaseBook = {
  has: () => false,
  leaseCount: 0,
  attach: () => {},
  restore: () => {},
  changeCount: 0,
  undo: () => {},
  forget: () => {},
}
