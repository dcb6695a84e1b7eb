/**
 * How hard the property tests try, and how a failure is run again.
 *
 *   PROPTEST_SIZE=smoke|ci|soak   how many cases; smoke is what `npm test` runs
 *   PROPTEST_RUNS=n               exactly n cases for every property, over the size
 *   PROPTEST_SEED=n               the cases of an earlier run again
 *   PROPTEST_SHRINK=no            the first case that fails will do; not its smallest form
 *
 * A property takes its number of cases from `effort()`, and randomness of its own, outside
 * fast-check, from `seed`: then one line of environment repeats any failure.
 */

const SIZES = ['smoke', 'ci', 'soak'] as const

export type Size = (typeof SIZES)[number]

function integer(name: string, min: number): number | undefined {
  const text = process.env[name]
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < min) {
    throw new RangeError(`${name}: expected a whole number, at least ${min}, got "${text}"`)
  }
  return value
}

function sizeFromEnvironment(): Size {
  const text = process.env['PROPTEST_SIZE'] ?? 'smoke'
  const size = SIZES.find((known) => known === text)
  if (size === undefined) {
    throw new RangeError(`PROPTEST_SIZE: expected ${SIZES.join(', ')}, got "${text}"`)
  }
  return size
}

/** The size asked for. */
export const size: Size = sizeFromEnvironment()

/** The seed of this run, a signed 32-bit number; a new one each run unless PROPTEST_SEED is set. */
export const seed: number =
  integer('PROPTEST_SEED', -(2 ** 31)) ?? Math.floor(Math.random() * 2 ** 32) - 2 ** 31

const runs = integer('PROPTEST_RUNS', 1)

/** How many cases to try: what `counts` says for this size, unless PROPTEST_RUNS names a number. */
export function effort(counts: { readonly [S in Size]: number }): number {
  return runs ?? counts[size]
}

/** The kinds of case that a run has not met: it proves nothing about them. */
export function unmet<Kind extends string>(tally: Readonly<Record<Kind, number>>): string[] {
  return Object.entries<number>(tally).flatMap(([kind, count]) => (count === 0 ? [kind] : []))
}

/** A run goes on for so many times its cases where it met no case of some kind by chance. */
const LONGER = 10

/** Whether a run that keeps a tally of the kinds it met has tried enough. */
export function isEnough<Kind extends string>(
  done: number,
  cases: number,
  tally: Readonly<Record<Kind, number>>,
): boolean {
  return done >= cases && (unmet(tally).length === 0 || done >= LONGER * cases)
}
