/** Quota, compaction, defragmentation and power cuts, in any order: see space-life.ts. */
import { expect, test } from 'vitest'
import fc from 'fast-check'
import { effort, seed } from '../effort.ts'
import { SpaceLife } from './space-life.ts'
import type { SpaceForm } from './space-life.ts'

const RUNS = effort({ smoke: 5, ci: 300, soak: 20_000 })

type Step = (life: SpaceLife) => Promise<void> | void

/** A step that prints as what it is. */
function step<A extends readonly unknown[]>(
  name: string,
  given: fc.Arbitrary<A>,
  run: (life: SpaceLife, ...args: A) => Promise<void> | void,
): fc.Arbitrary<Step> {
  return given.map((args) =>
    Object.assign((life: SpaceLife) => run(life, ...args), {
      [fc.toStringMethod]: () => `${name}(${args.map(String).join(', ')})`,
    }),
  )
}

const form: fc.Arbitrary<SpaceForm> = fc.record({
  seed: fc.nat(),
  quotaBytes: fc.constantFrom(undefined, 300_000, 1_000_000),
  cacheBytes: fc.constantFrom(16_384, 262_144, 4_194_304),
  checkpointBytes: fc.constantFrom(20_000, 1e6),
})

const first = fc.nat(399)
const put = step(
  'put',
  fc.tuple(first, fc.nat(300), fc.constantFrom(10, 200, 900, 5000)),
  (l, ...a) => l.put(...a),
)
const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: put },
    {
      weight: 3,
      arbitrary: step('delete', fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 4 })), (l, ...a) =>
        l.delete(...a),
      ),
    },
    {
      weight: 4,
      arbitrary: step('compact', fc.tuple(fc.constantFrom(0.3, 0.9, 1)), (l, ...a) =>
        l.compact(...a),
      ),
    },
    {
      weight: 4,
      arbitrary: step('defragment', fc.tuple(fc.constantFrom(0, 0, 5, 30)), (l, ...a) =>
        l.defragment(...a),
      ),
    },
    { weight: 1, arbitrary: step('openView', fc.tuple(), (l) => l.openView()) },
    { weight: 2, arbitrary: step('closeViews', fc.tuple(), (l) => l.closeViews()) },
    { weight: 2, arbitrary: step('crash', fc.tuple(fc.nat(120)), (l, ...a) => l.crash(...a)) },
    { weight: 3, arbitrary: step('check', fc.tuple(), (l) => l.check()) },
  ),
  { minLength: 6, maxLength: 24, size: 'max' },
)

test('pages are moved and writes refused, and nothing that can be read changes', async () => {
  let refused = 0
  let givenBack = 0
  await fc.assert(
    fc.asyncProperty(form, steps, async (given, program) => {
      const life = await SpaceLife.begin(given)
      for (const each of program) await each(life)
      await life.end()
      refused += life.refused
      givenBack += life.givenBack
    }),
    { seed, numRuns: RUNS },
  )
  // A run that never met a case proves nothing about it; a short one may.
  if (RUNS < 100) return
  expect(refused).toBeGreaterThan(0)
  expect(givenBack).toBeGreaterThan(0)
})

test('the way out of a full quota works: delete, compact, defragment, and writes go on', async () => {
  const sizes = fc.array(fc.constantFrom(20, 200, 900, 3000), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(form, sizes, fc.integer({ min: 2, max: 4 }), async (given, some, every) => {
      const life = await SpaceLife.begin({ ...given, quotaBytes: 300_000 })
      for (let i = 0; life.refused === 0; i++)
        await life.put(i * 40, 40, some[i % some.length] ?? 0)
      // Of each few neighbours some stay, so that the pages are left half empty.
      for (let i = 1; i < every; i++) await life.delete(i, every)
      await life.compact(1)
      await life.defragment(0)
      const { refused } = life
      await life.put(0, 20, 900)
      expect(life.refused).toBe(refused)
      await life.end()
    }),
    { seed, numRuns: Math.ceil(RUNS / 3) },
  )
})
