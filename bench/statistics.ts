/** The few statistics a record is read by. Medians: one slow round must not decide. */

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
  /** (max − min) / median. */
  readonly spread: number
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const high = sorted[middle]
  if (high === undefined) throw new RangeError('values: there are none')
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2
}

export function summarize(values: readonly number[]): Summary {
  const middle = median(values)
  const min = Math.min(...values)
  const max = Math.max(...values)
  return { median: middle, min, max, spread: middle === 0 ? 0 : (max - min) / middle }
}

/**
 * How many times faster the first side was, round by round: a round's two runs were neighbours in
 * time, so what slowed the machine slowed both.
 */
export function speedRatios(ownNs: readonly number[], peerNs: readonly number[]): number[] {
  if (ownNs.length !== peerNs.length) throw new RangeError('peerNs: another number of rounds')
  return ownNs.map((own, round) => (peerNs[round] ?? 0) / own)
}
