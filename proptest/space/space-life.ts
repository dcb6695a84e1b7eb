/**
 * A store on a disk in memory that is written to, compacted and defragmented, with views open,
 * against what its writes add up to.
 *
 * Claims
 *   1. at every revision that can be read, and through every view, the content is what the writes
 *      up to there add up to, whatever was moved meanwhile;
 *   2. both generations of the file are sound at every moment;
 *   3. with no view open, a defragmentation leaves the file as long as the pages in use ask for;
 *   4. a write that was refused for the quota wrote nothing, and none goes beyond it;
 *   5. after a power cut all of this holds still.
 */

import { deepEqual, equal, ok } from 'node:assert/strict'
import { Random } from '../../base/random.ts'
import { isKvError } from '../../base/errors.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { grownSize } from '../../engine/commit.ts'
import { openEngine } from '../../engine/index.ts'
import { openOn } from '../../store/open.ts'
import type { BuiltLocalStore } from '../../store/types.ts'
import type { View } from '../../store/types/view.ts'
import { History, stateFault } from '../durability/history.ts'
import { isPowerCut } from '../durability/life.ts'

const DATA = '/data'
const DB = '/data/db'
const PAGE_SIZE = 4096
const KEYS = 400
/** A revision is looked at once in so many. */
const LOOKS = 5

export interface SpaceForm {
  readonly seed: number
  readonly quotaBytes: number | undefined
  readonly cacheBytes: number
  readonly checkpointBytes: number
}

interface Held {
  readonly view: View
  readonly revision: number
}

export class SpaceLife {
  readonly #form: SpaceForm
  readonly #random: Random
  #disk: MemoryDisk
  #store: BuiltLocalStore
  #history = new History()
  #views: Held[] = []
  /** Deletions have been made since the quota was last kept to: they may go beyond it. */
  #isOver = false
  /** Writes that were refused for the quota. */
  refused = 0
  /** Bytes that defragmentations gave back. */
  givenBack = 0

  private constructor(form: SpaceForm, disk: MemoryDisk, store: BuiltLocalStore) {
    this.#form = form
    this.#random = new Random(form.seed)
    this.#disk = disk
    this.#store = store
  }

  static async begin(form: SpaceForm): Promise<SpaceLife> {
    const disk = new MemoryDisk({ seed: form.seed })
    return new SpaceLife(form, disk, await openForm(disk, form))
  }

  /** Puts keys from `first` on, `count` of them, in one turn. */
  async put(first: number, count: number, size: number): Promise<void> {
    const calls = Array.from({ length: count }, (_, i) => {
      const key = `k${(first + i) % KEYS}`
      const value = `${this.#random.u32()}${'x'.repeat(size)}`
      return this.#store.put(key, value).then(
        ({ revision }) => {
          this.#history.add((state) => Boolean(state.set(key, value)))
          equal(revision, this.#history.revision, 'writes are told of in their order')
        },
        (error: unknown) => {
          if (!isKvError(error, 'KV_NO_SPACE') || !/quotaBytes/.test(error.message)) throw error
          this.refused++
        },
      )
    })
    await Promise.all(calls)
    this.#history.tellAll()
    await this.#claimQuota()
  }

  /** Deletes every `step`-th key from `first` on. */
  async delete(first: number, step: number): Promise<void> {
    const calls: Promise<unknown>[] = []
    for (let i = first; i < KEYS; i += step) {
      const key = `k${i}`
      calls.push(this.#store.delete(key))
      this.#history.add((state) => state.delete(key))
    }
    await Promise.all(calls)
    this.#history.tellAll()
    this.#isOver = true
  }

  /** Compacts to a part of the way from the compacted revision to the newest. */
  async compact(part: number): Promise<void> {
    const { compaction, revision } = this.#history
    const through = compaction.asked + Math.ceil((revision - compaction.asked) * part)
    if (through <= compaction.asked) return
    compaction.asked = compaction.told = through
    await this.#store.compact(through, { physical: true })
  }

  /** Defragments while others write. */
  async defragment(writes: number): Promise<void> {
    const progress: number[] = []
    const [result] = await Promise.all([
      this.#store.defragment({ onProgress: ({ doneBytes }) => progress.push(doneBytes) }),
      this.#writeAlong(writes),
    ])
    deepEqual(
      progress,
      progress.toSorted((a, b) => a - b),
    )
    const { sizeBytesBefore, sizeBytesAfter } = result
    this.givenBack += Math.max(0, sizeBytesBefore - sizeBytesAfter)
    if (this.#views.length > 0 || writes > 0) return
    const { sizeInUseBytes, sizeBytes } = await this.#store.status()
    equal(sizeBytes, sizeBytesAfter)
    const most = grownSize(sizeInUseBytes + sizeInUseBytes / 32 + 24 * PAGE_SIZE)
    ok(sizeBytes <= most, `${sizeBytes} bytes, ${sizeInUseBytes} of them in use`)
  }

  openView(): void {
    const view = this.#store.view()
    this.#views.push({ view, revision: view.revision })
  }

  closeViews(): void {
    for (const { view } of this.#views) view.close()
    this.#views = []
  }

  /** The power goes when a defragmentation has made `operation` operations of the disk. */
  async crash(operation: number): Promise<void> {
    const cutting = this.#disk.operationCount + 1 + operation
    const [moved] = await Promise.allSettled([
      Promise.resolve().then(async () => {
        this.#disk.cutPowerAt(cutting)
        await this.#store.defragment()
      }),
    ])
    if (moved?.status === 'rejected' && !isPowerCut(moved.reason)) throw moved.reason
    const modes = ['nothing', 'everything', 'torn', 'random'] as const
    const image = this.#disk.afterPowerLoss(this.#random, this.#random.pick(modes))
    this.#views = []
    await claimSound(image)
    await this.#store.close().catch(() => {})
    this.#disk = image
    this.#store = await openForm(image, this.#form)
    await this.check()
  }

  async check(): Promise<void> {
    const store = this.#store
    const { revision, compactedRevision = 0 } = await store.status()
    equal(revision, this.#history.revision)
    equal(compactedRevision, this.#history.compaction.told)
    const looks = new Set([revision, Math.max(1, compactedRevision)])
    for (let i = 0; i < LOOKS; i++) {
      looks.add(this.#random.between(Math.max(1, compactedRevision), revision))
    }
    for (const at of looks) equal(await stateFault(store, this.#history, at), undefined)
    for (const { view, revision: at } of this.#views) {
      const { kvs } = view.range({ limit: Infinity })
      deepEqual(
        new Map(kvs.map(({ key, value }) => [key, value])),
        this.#history.states[at],
        `a view of revision ${at}`,
      )
    }
    await claimSound(this.#disk.processKilled())
  }

  async end(): Promise<void> {
    this.closeViews()
    await this.check()
    await this.#store.close()
    this.#store = await openForm(this.#disk, this.#form)
    await this.check()
    await this.#store.close()
  }

  async #writeAlong(writes: number): Promise<void> {
    for (let i = 0; i < writes; i++) {
      await this.put(this.#random.below(KEYS), 1, this.#random.below(300))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async #claimQuota(): Promise<void> {
    const { quotaBytes } = this.#form
    if (quotaBytes === undefined || this.#isOver) return
    const { sizeInUseBytes } = await this.#store.status()
    ok(sizeInUseBytes <= quotaBytes, `${sizeInUseBytes} bytes in use`)
  }
}

function openForm(disk: MemoryDisk, form: SpaceForm): Promise<BuiltLocalStore> {
  const { quotaBytes, cacheBytes, checkpointBytes, seed } = form
  const options = { quotaBytes, cacheBytes, checkpointBytes }
  const tuning = { random: new Random(seed), segmentBytes: 65_536, slackPages: 4 }
  return openOn(disk, DATA, options, tuning)
}

export async function claimSound(disk: MemoryDisk): Promise<void> {
  for (const generation of ['newest', 'previous'] as const) {
    const engine = await openEngine(DB, { disk: disk.clone(), readOnly: true, generation })
    deepEqual(engine.check().findings, [], `${generation} generation`)
    await engine.close()
  }
}
