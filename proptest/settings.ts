/**
 * How often a property is tried, and from which seed.
 *
 *   PROPTEST_RUNS=5000   exactly so many cases for every property
 *   PROPTEST_SEED=n      the cases of an earlier run again
 *   PROPTEST_PATH=3:1:0  only the shrunk case of that run
 *
 * The seed is printed before a property runs, so that a run that hangs or dies can be replayed too.
 */

import fc from 'fast-check'

function integerFrom(name: string): number | undefined {
  const text = process.env[name]
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (!Number.isSafeInteger(value)) {
    throw new RangeError(`${name}: expected a whole number, got ${JSON.stringify(text)}`)
  }
  return value
}

/** Cases to try: PROPTEST_RUNS, or `fallback`. */
export function runsOr(fallback: number): number {
  return integerFrom('PROPTEST_RUNS') ?? fallback
}

/** The seed of this process: PROPTEST_SEED, or a new one. A signed 32-bit number. */
export const seed: number =
  integerFrom('PROPTEST_SEED') ?? Math.floor(Math.random() * 2 ** 32) - 2 ** 31

/** Tries `property`; a failure says how to replay it. `file` is the test's own, for that line. */
export async function assertProperty<Ts extends unknown[]>(
  file: string,
  property: fc.IAsyncProperty<Ts>,
  runs: number,
): Promise<void> {
  const path = process.env['PROPTEST_PATH']
  console.log(`PROPTEST_SEED=${seed} PROPTEST_RUNS=${runs} ${file}`)
  const details = await fc.check(property, {
    seed,
    numRuns: runs,
    ...(path === undefined ? {} : { path }),
  })
  if (!details.failed) return
  const place = `PROPTEST_SEED=${details.seed} PROPTEST_PATH=${details.counterexamplePath ?? ''}`
  throw new Error(
    `${fc.defaultReportMessage(details) ?? 'the property failed'}\n\n` +
      `To replay it:\n  ${place} npx vitest run ${file}\n`,
    { cause: details.errorInstance },
  )
}
