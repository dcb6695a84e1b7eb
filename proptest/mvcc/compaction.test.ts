/**
 * Compaction against what it is meant to leave, worked out from the list of all that was written;
 * with the store opened anew wherever it may have been cut short.
 */

import { deepEqual, equal } from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { effort, seed } from '../effort.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openEngine } from '../../engine/index.ts'
import type { Engine } from '../../engine/index.ts'
import type { CompactionPlace } from '../../mvcc/compaction.ts'
import { IndexPruner } from '../../mvcc/index-pruner.ts'
import { KeyState } from '../../mvcc/key-records.ts'
import type { Mvcc } from '../../mvcc/mvcc.ts'
import type { PutRequest } from '../../mvcc/request.ts'
import { restore } from '../../mvcc/restore.ts'
import { decodeRevisionKey } from '../../mvcc/revision.ts'
import { createBuckets } from '../../mvcc/schema.ts'
import type { WriteTxn } from '../../mvcc/write-txn.ts'

const KEYS = ['a', 'b', 'c', 'd', 'e']
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** One change of a key, as the row's key says it. */
interface Change {
  readonly key: string
  readonly main: number
  readonly sub: number
  readonly isTombstone: boolean
}

type Step =
  | {
      readonly call: 'write'
      readonly puts: readonly string[]
      readonly deletes: readonly string[]
    }
  /** How far: 0 the first revision that can be asked for, 1 the newest. */
  | { readonly call: 'compact'; readonly at: number }
  /** One slice of the rows, or all that are left. */
  | { readonly call: 'rows'; readonly isAll: boolean }
  | { readonly call: 'prune' | 'restore' }

const names = fc.uniqueArray(fc.constantFrom(...KEYS), { maxLength: 3 })
const write = fc.record({ call: fc.constant('write' as const), puts: names, deletes: names })
const rarely = fc.nat(4).map((draw) => draw === 0)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 30, arbitrary: write },
  {
    weight: 2,
    arbitrary: fc.record({
      call: fc.constant('compact' as const),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ call: fc.constant('rows' as const), isAll: rarely }),
  },
  { weight: 3, arbitrary: fc.record({ call: fc.constantFrom('prune', 'restore') }) },
)

class Run {
  readonly #engine: Engine
  #mvcc: Mvcc
  readonly #changes: Change[] = []
  /** Where the compaction under way goes on. */
  #place: CompactionPlace | undefined

  private constructor(engine: Engine, mvcc: Mvcc) {
    this.#engine = engine
    this.#mvcc = mvcc
  }

  static async begin(): Promise<Run> {
    const engine = await openEngine('/db', { disk: new MemoryDisk(), pageSizeBytes: 1024 })
    engine.update((tx) => createBuckets(tx))
    return new Run(engine, await load(engine))
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const each of steps) {
      if (each.call === 'write') this.#write(each.puts, each.deletes)
      else if (each.call === 'compact') this.#compact(each.at)
      else if (each.call === 'rows') this.#goOn(each.isAll)
      else if (each.call === 'prune') this.#prune()
      else await this.#restore()
      this.#claimReadable()
    }
    this.#goOn(true)
    this.#claimRows()
    this.#prune()
    this.#claimIndex()
    await this.#restore()
    this.#claimIndex()
    await this.#engine.close()
  }

  async #restore(): Promise<void> {
    this.#mvcc = await load(this.#engine)
    this.#place = undefined
  }

  #write(puts: readonly string[], deletes: readonly string[]): void {
    const main = this.#mvcc.revision + 1
    let sub = 0
    this.#group((txn) => {
      for (const key of deletes) {
        if (puts.includes(key) || !this.#existsAt(key, main)) continue
        txn.delete({ type: 'delete', key: bytes(key), end: undefined, wantsPrevious: false }, show)
        this.#changes.push({ key, main, sub: sub++, isTombstone: true })
      }
      for (const key of puts) {
        txn.put(putOf(key), show)
        this.#changes.push({ key, main, sub: sub++, isTombstone: false })
      }
    })
  }

  #existsAt(key: string, main: number): boolean {
    const last = this.#changes.findLast((change) => change.key === key && change.main <= main)
    return last?.isTombstone === false
  }

  #compact(at: number): void {
    const { scheduledRevision, revision } = this.#mvcc
    if (scheduledRevision === revision) return
    const through = scheduledRevision + 1 + Math.round(at * (revision - scheduledRevision - 1))
    this.#group((txn) => txn.scheduleCompaction(through))
    this.#mvcc.noteCompacted(through)
  }

  #goOn(isAll: boolean): void {
    const mvcc = this.#mvcc
    while (mvcc.finishedRevision < mvcc.compactedRevision) {
      const through = mvcc.compactedRevision
      const from = this.#place ?? { main: mvcc.finishedRevision, sub: 0 }
      this.#place = this.#group((txn) => txn.compactRows(from, through, () => !isAll))
      if (this.#place === undefined) mvcc.noteFinished(through)
      if (!isAll) return
    }
  }

  #prune(): void {
    const pruner = new IndexPruner(this.#mvcc.index, this.#mvcc.prunableRevision)
    while (!pruner.step(2));
    this.#mvcc.index.verify()
  }

  #group<T>(work: (txn: WriteTxn) => T): T {
    const tx = this.#engine.beginNow({ writable: true })
    const group = this.#mvcc.beginGroup(tx, 0)
    const result = group.run(work)
    tx.commit()
    group.commit()
    return result
  }

  /** Whatever is still there, every revision from the compacted one on reads as it was. */
  #claimReadable(): void {
    const { compactedRevision, revision, index } = this.#mvcc
    const state = new KeyState()
    const first = Math.max(1, compactedRevision)
    const newest = [first, first + 1, revision - 1, revision, (first + revision) >> 1]
    for (const main of newest) {
      if (main < first || main > revision) continue
      for (const key of KEYS) {
        const exists = this.#existsAt(key, main)
        equal(index.get(bytes(key), main, state), exists, `${key} at ${main}`)
        if (!exists) continue
        const last = this.#changes.findLast((change) => change.key === key && change.main <= main)
        deepEqual([state.modMain, state.modSub], [last?.main, last?.sub])
      }
    }
  }

  /** What a compaction to the compacted revision leaves. */
  #expected(): string[] {
    const { compactedRevision: through } = this.#mvcc
    const kept = this.#changes.filter(({ key, main, sub, isTombstone }) => {
      if (main > through) return true
      const isLast = !this.#changes.some(
        (other) =>
          other.key === key &&
          other.main <= through &&
          (other.main > main || (other.main === main && other.sub > sub)),
      )
      return isLast && (!isTombstone || main === through)
    })
    return kept.map(({ key, main, sub, isTombstone }) => nameOf(key, main, sub, isTombstone))
  }

  #claimRows(): void {
    const found = this.#engine.view((tx): string[] => {
      const rows: string[] = []
      const cursor = tx.bucket('key')?.cursor()
      for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) {
        const revision = decodeRevisionKey(entry.key)
        if (revision === undefined || entry.value === undefined) throw new Error('no row')
        // Keys of one letter: the row begins with its field's tag and length.
        const key = String.fromCharCode(entry.value[2] ?? 0)
        rows.push(nameOf(key, revision.main, revision.sub, revision.isTombstone))
      }
      return rows
    })
    deepEqual(found, this.#expected())
  }

  #claimIndex(): void {
    const found: string[] = []
    for (const key of KEYS) {
      this.#mvcc.index.forEachRevision(bytes(key), ({ modMain, modSub, version }) => {
        found.push(nameOf(key, modMain, modSub, version === 0))
        return true
      })
    }
    deepEqual(found.toSorted(), this.#expected().toSorted())
    equal(this.#mvcc.index.revisionCount, found.length)
  }
}

const show = (): undefined => undefined

function putOf(key: string): PutRequest {
  const flags = { wantsPrevious: false, ignoreValue: false, ignoreLease: false }
  return { type: 'put', key: bytes(key), value: bytes('v'), lease: 0n, ...flags }
}

function nameOf(key: string, main: number, sub: number, isTombstone: boolean): string {
  return `${main}.${sub}${isTombstone ? 't' : ''} ${key}`
}

async function load(engine: Engine): Promise<Mvcc> {
  const tx = await engine.begin()
  try {
    return await restore(tx, { file: '/db', pause: async () => {} })
  } finally {
    tx.rollback()
  }
}

const RUNS = effort({ smoke: 20, ci: 200, soak: 10_000 })

describe('compaction', () => {
  test(
    `leaves what reads from the compacted revision on come to, and nothing else, seed ${seed}`,
    { timeout: 600_000 },
    async () => {
      const history = fc.array(step, { maxLength: 250, size: 'max' })
      const property = fc.asyncProperty(history, async (steps) => {
        const run = await Run.begin()
        await run.run(steps)
      })
      await fc.assert(property, { numRuns: RUNS, seed })
    },
  )
})
