/** Leases through grants, puts, renewals, time, restarts and power cuts: see lease-life.ts. */
import { expect, test } from 'vitest'
import fc from 'fast-check'
import { effort, seed } from '../effort.ts'
import { LeaseLife } from './lease-life.ts'

const RUNS = effort({ smoke: 100, ci: 1500, soak: 50_000 })

type Step = (life: LeaseLife) => Promise<void>

/** A step that prints as what it is. */
function step<A extends readonly unknown[]>(
  name: string,
  given: fc.Arbitrary<A>,
  run: (life: LeaseLife, ...args: A) => Promise<void>,
): fc.Arbitrary<Step> {
  return given.map((args) =>
    Object.assign((life: LeaseLife) => run(life, ...args), {
      [fc.toStringMethod]: () => `${name}(${args.map(String).join(', ')})`,
    }),
  )
}

const id = fc.constantFrom(1n, 2n, 3n, -4n)
const key = fc.constantFrom('a', 'ab', 'b', 'c', 'd')
const ttlSeconds = fc.constantFrom(2, 3, 10, 40, 300)
const lease = fc.oneof(
  { weight: 6, arbitrary: id },
  { weight: 2, arbitrary: fc.constant(0n) },
  { weight: 2, arbitrary: fc.constant(undefined) },
)
const waitMs = fc.constantFrom(1, 499, 1000, 1999, 2500, 9000, 35_000, 130_000)
const crash = fc.tuple(waitMs, fc.nat(4), fc.nat(1000))

const grant = step('grant', fc.tuple(id, ttlSeconds), (l, ...a) => l.grant(...a))
const put = step('put', fc.tuple(key, lease), (l, ...a) => l.put(...a))
const wait = step('wait', fc.tuple(waitMs), (l, ...a) => l.wait(...a))
const reopen = step('reopen', fc.tuple(), (l) => l.reopen())
const crashed = step('crash', crash, (l, ...a) => l.crash(...a))

/** Some of everything. */
const mixed = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: grant },
    { weight: 8, arbitrary: put },
    { weight: 1, arbitrary: step('delete', fc.tuple(key), (l, ...a) => l.delete(...a)) },
    { weight: 3, arbitrary: step('renew', fc.tuple(id), (l, ...a) => l.renew(...a)) },
    { weight: 1, arbitrary: step('revoke', fc.tuple(id), (l, ...a) => l.revoke(...a)) },
    { weight: 6, arbitrary: wait },
    { weight: 1, arbitrary: reopen },
    { weight: 1, arbitrary: crashed },
  ),
  { minLength: 5, maxLength: 40, size: 'max' },
)

/** One long lease through many restarts. */
const restarts = fc.tuple(
  step('grant', fc.tuple(fc.constant(1n), fc.constant(40)), (l, ...a) => l.grant(...a)),
  step('put', fc.tuple(fc.constant('a'), fc.constant(1n)), (l, ...a) => l.put(...a)),
  fc.array(
    fc.oneof(
      { weight: 3, arbitrary: step('renew', fc.tuple(fc.constant(1n)), (l, i) => l.renew(i)) },
      { weight: 4, arbitrary: wait },
      { weight: 3, arbitrary: reopen },
      { weight: 1, arbitrary: crashed },
    ),
    { minLength: 8, maxLength: 25, size: 'max' },
  ),
)

const steps = fc.oneof(
  mixed,
  restarts.map(([first, second, rest]) => [first, second, ...rest]),
)

test(`leases hold what was promised, seed ${seed}`, { timeout: 600_000 }, async () => {
  let endCount = 0
  const property = fc.asyncProperty(
    steps,
    fc.constantFrom(600, 3000, 1e6),
    async (all, checkpointBytes) => {
      const life = await LeaseLife.begin(checkpointBytes)
      try {
        for (const each of all) await each(life)
        endCount += life.endCount
      } finally {
        await life.end()
      }
    },
  )
  await fc.assert(property, { numRuns: RUNS, seed })
  expect(endCount).toBeGreaterThan(RUNS / 10)
})
