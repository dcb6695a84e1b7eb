/**
 * A backend against the model: random calls give the same results, and afterwards every revision
 * holds the same.
 *
 * How many and which, see proptest/effort.ts.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { effort, seed } from '../effort.ts'
import { Model } from '../model/model.ts'
import { openModelStore } from '../model/model-store.ts'
import type { Backend } from './backend.ts'
import { rowsAt, withEncoding } from './backend.ts'
import type { Command } from './commands.ts'
import { apply, commands, showCommand } from './commands.ts'

const RUNS = effort({ smoke: 40, ci: 400, soak: 20_000 })

export function propertyCases(backend: Backend): void {
  describe.skipIf(!backend.supports.properties)('property', () => {
    test(
      `${RUNS} random histories are the model's, seed ${seed}`,
      { timeout: 600_000 },
      async () => {
        const property = fc.asyncProperty(commands(backend.supports), async (sequence) => {
          await compareHistories(backend, sequence)
        })
        await fc.assert(property, {
          numRuns: RUNS,
          seed,
          reporter: (details) => {
            if (!details.failed) return
            const lines = (details.counterexample?.[0] ?? []).map((command) => showCommand(command))
            const replay = `replay with PROPTEST_RUNS=${RUNS} PROPTEST_SEED=${details.seed}`
            const cause = messageOf(details.errorInstance)
            expect.fail(
              [cause, `after ${details.numShrinks} shrinks:`, ...lines, replay].join('\n'),
            )
          },
        })
      },
    )
  })
}

/** With what was expected and what came, which the message alone leaves out. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { actual, expected } = error as { actual?: unknown; expected?: unknown }
  return `${error.message}\nexpected ${String(expected)}\ngot      ${String(actual)}`
}

async function compareHistories(backend: Backend, sequence: readonly Command[]): Promise<void> {
  const model = new Model()
  const oracle = openModelStore(model, { encoding: 'bytes' })
  await withEncoding(backend, 'bytes', async (first, opened) => {
    let store = first
    for (const command of sequence) {
      if (command.call === 'reopen') {
        store = (await opened.reopen?.()) ?? store
        continue
      }
      const { revision } = model
      const wanted = await apply(oracle, command, revision)
      const got = await apply(store, command, revision)
      const now = (await store.status()).revision
      const line = showCommand(command)
      expect(`${line}\n@${now} ${got}`).toBe(`${line}\n@${model.revision} ${wanted}`)
    }
    for (let revision = model.compactedRevision || 1; revision <= model.revision; revision++) {
      expect(await rowsAt(store, revision)).toEqual(await rowsAt(oracle, revision))
    }
  })
}
