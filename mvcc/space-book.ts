/**
 * What the core needs of whoever keeps the quota: to be told what a row may cost, and to refuse
 * writes that add. Costs are in bytes of the data file, and never less than what comes of it.
 *
 * It counts within a write group: `begin` looks at what the file has, and what the group's writes
 * add is added to that.
 */
export interface SpaceBook {
  /** Whether there is a quota at all. */
  readonly isLimited: boolean
  /** A write group begins. */
  begin(): void
  /** What a row with so many bytes of key and value may add. */
  costOf(byteCount: number): number
  /** @throws {KvError} `KV_NO_SPACE` where a write of that cost has no room */
  admit(cost: number): void
  /**
   * Whether a write was refused for what the group's others may have added: it is to be run again
   * in the next group, which knows what they did add.
   */
  readonly isTooEarly: boolean
  /** Counts what is written without being asked for: what deletes add. */
  add(cost: number): void
}

/** The book of a store without a quota. */
export const NO_QUOTA: SpaceBook = {
  isLimited: false,
  isTooEarly: false,
  begin: () => {},
  costOf: () => 0,
  admit: () => {},
  add: () => {},
}
