/**
 * Watches against the model's: random calls, and watches that are opened among them, with starts
 * behind and ahead, see what the model's list of events says, and keep every promise of a watch
 * (proptest/validate).
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { effort, seed } from '../effort.ts'
import { Model } from '../model/model.ts'
import { openModelStore } from '../model/model-store.ts'
import type { KeyRange } from '../../store/types/key-value.ts'
import type { Watch, WatchOptions } from '../../store/types/watch.ts'
import { keySetOf, seenEvent } from '../validate/watch-record.ts'
import type { WatchRecord } from '../validate/watch-record.ts'
import { watchFaults } from '../validate/watch-validators.ts'
import type { Backend, StoreOf } from './backend.ts'
import { collect, withEncoding } from './backend.ts'
import { apply, commands, keys } from './commands.ts'
import type { Command } from './commands.ts'
import { lines, take } from './watch.ts'

const RUNS = effort({ smoke: 40, ci: 400, soak: 20_000 })

interface Opening {
  /** Before which call. */
  readonly before: number
  readonly keys: KeyRange | undefined
  /** Where it starts: 0 is revision 1, 1 the current one. Undefined: at the next one. */
  readonly at: number | undefined
  readonly options: Pick<WatchOptions, 'previous' | 'only'>
}

const openings: fc.Arbitrary<readonly Opening[]> = fc.array(
  fc.record({
    before: fc.nat(30),
    keys: fc.option(keys, { nil: undefined }),
    at: fc.option(fc.double({ min: 0, max: 1.3, noNaN: true }), { nil: undefined }),
    options: fc.record({
      previous: fc.boolean(),
      only: fc.constantFrom(undefined, undefined, 'put' as const, 'delete' as const),
    }),
  }),
  { maxLength: 6 },
)

export function watchPropertyCases(backend: Backend): void {
  describe.skipIf(!backend.supports.properties)('watch() property', () => {
    test(
      `${RUNS} random histories are watched as the model's, seed ${seed}`,
      { timeout: 600_000 },
      async () => {
        const property = fc.asyncProperty(
          commands(backend.supports).map((calls) => calls.filter(isWatchable)),
          openings,
          async (calls, opened) => await compareWatches(backend, calls, opened),
        )
        await fc.assert(property, { numRuns: RUNS, seed })
      },
    )
  })
}

/**
 * Compactions are left out: whether a watch has passed them is the store's to say, and the model
 * reads late. store/watch-compaction.test.ts and proptest/watch have them.
 */
function isWatchable({ call }: Command): boolean {
  return call !== 'compact'
}

interface Pair {
  readonly watch: Watch<unknown, unknown>
  readonly oracle: Watch<unknown, unknown>
  readonly record: WatchRecord
}

async function compareWatches(
  backend: Backend,
  calls: readonly Command[],
  openedBefore: readonly Opening[],
): Promise<void> {
  const model = new Model()
  const oracle = openModelStore(model, { encoding: 'bytes' })
  await withEncoding(backend, 'bytes', async (first, opened) => {
    let store = first
    let pairs: Pair[] = []
    for (const [i, call] of [...calls, undefined].entries()) {
      for (const opening of openedBefore) {
        if (opening.before !== i) continue
        const pair = openPair(opening, { store, oracle, revision: model.revision })
        if (pair !== undefined) pairs.push(pair)
      }
      if (call === undefined) break
      if (call.call === 'reopen') {
        for (const pair of pairs) await compare(pair, model)
        pairs = []
        store = (await opened.reopen?.()) ?? store
        continue
      }
      const { revision } = model
      await apply(oracle, call, revision)
      await apply(store, call, revision)
    }
    for (const pair of pairs) await compare(pair, model)
  })
}

interface Stores {
  readonly store: StoreOf<'bytes'>
  readonly oracle: StoreOf<'bytes'>
  readonly revision: number
}

/** Undefined where the range of keys is refused. */
function openPair(opening: Opening, { store, oracle, revision }: Stores): Pair | undefined {
  const { keys: named, at, options } = opening
  const startRevision = at === undefined ? undefined : Math.max(1, Math.round(at * revision))
  const whole = { ...named, ...options, startRevision }
  try {
    const record = { ...blankRecord(named ?? {}, whole), registeredAt: revision }
    return { watch: store.watch(whole), oracle: oracle.watch(whole), record }
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError)
    return undefined
  }
}

function blankRecord(
  named: KeyRange,
  { startRevision, only, previous }: WatchOptions,
): Omit<WatchRecord, 'registeredAt'> {
  return {
    name: 'a watch',
    keys: keySetOf(named),
    startRevision,
    only,
    previous: previous === true,
    progress: false,
    batches: [],
    drainedTo: undefined,
    overtaken: undefined,
  }
}

async function compare({ watch, oracle, record }: Pair, model: Model): Promise<void> {
  await oracle.cancel()
  const wanted = await settled(async () => lines(await collect(oracle)))
  const count = Array.isArray(wanted) ? wanted.length : 1
  const read = async (): Promise<string[]> => {
    const batches = await take(watch, count)
    for (const { revision, events } of batches) {
      record.batches.push({ revision, events: events.map(seenEvent), compacted: 0 })
    }
    return lines(batches)
  }
  const got = count === 0 ? [] : await settled(read)
  await watch.cancel()
  expect(got).toEqual(wanted)
  expect(watchFaults(record, model)).toEqual([])
}

/** What came, or the error's code. */
async function settled(read: () => Promise<string[]>): Promise<unknown> {
  try {
    return await read()
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
}
