/**
 * Watchers against the model's list of events: whatever is written, whoever starts where and reads
 * how slowly, everyone sees exactly what it wants, once, in order, with revisions unsplit.
 *
 * How many and which, see proptest/effort.ts.
 */
import fc from 'fast-check'
import { test } from 'vitest'
import { effort, seed } from '../effort.ts'
import { Run, command, tuning } from './history.ts'
import { WatchedStore } from './watched-store.ts'

const RUNS = effort({ smoke: 150, ci: 1500, soak: 50_000 })

test(
  `every watcher sees exactly what it wants, in ${RUNS} histories, seed ${seed}`,
  { timeout: 600_000 },
  async () => {
    const property = fc.asyncProperty(
      tuning,
      fc.array(command, { maxLength: 50 }),
      async (settings, commands) => {
        const store = await WatchedStore.open(settings)
        try {
          const run = new Run(store)
          for (const step of commands) await run.apply(step)
          await run.finish()
        } finally {
          await store.close()
        }
      },
    )
    await fc.assert(property, { numRuns: RUNS, seed })
  },
)
