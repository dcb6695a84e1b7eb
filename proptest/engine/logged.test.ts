/**
 * The engine with a log against a sorted map for each commit: what is visible, what readers keep,
 * what is there after the power went, while records become durable late and checkpoints run.
 */

import fc from 'fast-check'
import { test } from 'vitest'
import { Random } from '../../base/random.ts'
import { checkpoint } from '../../engine/checkpoint.ts'
import type { Engine, Tx } from '../../engine/index.ts'
import { openLogged } from './logged-engine.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { effort } from '../effort.ts'
import { edit } from './commands.ts'
import type { Edit } from './commands.ts'
import { compareAll, mustEqual } from './compare.ts'
import { Editor } from './editor.ts'
import { HeldLog } from './held-log.ts'
import { ModelBucket } from './model.ts'
import { mustBeClean } from './run-program.ts'

const TIMEOUT_MS = 24 * 3600_000
const PATH = '/data/db'
const LOG_ID = 7

type Step =
  | { readonly step: 'commit'; readonly edits: readonly Edit[]; readonly isSync: boolean }
  | { readonly step: 'rollback'; readonly edits: readonly Edit[] }
  | { readonly step: 'sync'; readonly count: number; readonly turns: number }
  | { readonly step: 'openReader' }
  | { readonly step: 'closeReader'; readonly which: number }
  | { readonly step: 'checkpoint' }
  | { readonly step: 'finish' }
  | { readonly step: 'cut'; readonly seed: number; readonly turns: number }
  | { readonly step: 'reopen' }

interface Reader {
  readonly tx: Tx
  readonly model: ModelBucket
}

class LoggedRun {
  #disk: MemoryDisk
  #log: HeldLog
  #engine: Engine
  readonly #cacheBytes: number
  /** By txid: every state since the file was opened, and the one before. */
  readonly #states = new Map<number, ModelBucket>()
  #readers: Reader[] = []
  #checkpoint: Promise<void> | undefined
  #tag = 0

  constructor(setup: { disk: MemoryDisk; log: HeldLog; engine: Engine; cacheBytes: number }) {
    this.#disk = setup.disk
    this.#log = setup.log
    this.#engine = setup.engine
    this.#cacheBytes = setup.cacheBytes
    this.#states.set(setup.engine.txid, new ModelBucket())
  }

  async step(step: Step): Promise<void> {
    switch (step.step) {
      case 'commit':
        await this.#commit(step.edits, step.isSync)
        break
      case 'rollback':
        await this.#rollBack(step.edits)
        break
      case 'sync':
        this.#log.sync(step.count)
        await settle(step.turns)
        break
      case 'openReader':
        this.#readers.push({
          tx: await this.#engine.begin(),
          model: this.#state(this.#engine.txid),
        })
        break
      case 'closeReader': {
        const [reader] = this.#readers.splice(step.which % Math.max(1, this.#readers.length), 1)
        if (reader !== undefined) compareAll(reader.tx, reader.model)
        reader?.tx.rollback()
        break
      }
      case 'checkpoint':
        await this.#finish()
        this.#checkpoint = checkpoint(this.#engine)
        this.#checkpoint.catch(() => {})
        await settle()
        this.#followHead()
        break
      case 'finish':
        await this.#finish()
        break
      case 'cut':
        await settle(step.turns)
        await this.#cut(step.seed)
        break
      case 'reopen':
        await this.#finish()
        this.#log.sync(Infinity)
        await this.#engine.close()
        await this.#open(this.#disk)
    }
    this.#verify()
  }

  async end(): Promise<void> {
    await this.step({ step: 'checkpoint' })
    await this.step({ step: 'finish' })
    mustBeClean(this.#engine, 'newest')
    mustBeClean(this.#engine, 'previous')
    await this.step({ step: 'reopen' })
    await this.#engine.close()
  }

  async #commit(edits: readonly Edit[], isSync: boolean): Promise<void> {
    const before = this.#engine.core.head.txid
    const draft = this.#state(before).copy()
    const tx = await this.#engine.begin({ writable: true })
    const editor = new Editor(tx, draft, (this.#tag += 10_000))
    editor.apply(edits)
    if (isSync) {
      tx.commit()
    } else {
      const promise = tx.commitAsync()
      promise.catch(() => {})
      if (!editor.isTouched) await promise
    }
    mustEqual(this.#engine.core.head.txid, editor.isTouched ? before + 1 : before, 'txid')
    if (editor.isTouched) this.#states.set(before + 1, draft)
    await settle()
  }

  async #rollBack(edits: readonly Edit[]): Promise<void> {
    const { txid } = this.#engine.core.head
    const tx = await this.#engine.begin({ writable: true })
    new Editor(tx, this.#state(txid).copy(), (this.#tag += 10_000)).apply(edits)
    tx.rollback()
    mustEqual(this.#engine.core.head.txid, txid, 'txid after a rollback')
  }

  async #finish(): Promise<void> {
    if (this.#checkpoint === undefined) return
    this.#log.sync(Infinity)
    await this.#checkpoint
    this.#checkpoint = undefined
    mustBeClean(this.#engine, 'newest')
  }

  /** The power goes: what the log had made durable is there, and perhaps no more. */
  async #cut(seed: number): Promise<void> {
    const random = new Random(seed)
    const acknowledged = this.#engine.txid
    const disk = this.#disk.afterPowerLoss(random)
    this.#log.sync(random.below(3))
    await this.#abandon()
    await this.#open(disk)
    if (this.#engine.txid < acknowledged) throw new Error('an acknowledged commit is gone')
  }

  async #abandon(): Promise<void> {
    // The file's own disk goes on without anyone looking.
    this.#log = new HeldLog(this.#log.durable)
    this.#readers = []
    this.#checkpoint = undefined
  }

  async #open(disk: MemoryDisk): Promise<void> {
    this.#readers = []
    this.#disk = disk
    this.#log = new HeldLog(this.#log.durable)
    const options = { disk, lock: 'none', cacheBytes: this.#cacheBytes } as const
    const { durable } = this.#log
    this.#engine = await openLogged(PATH, {
      ...options,
      log: this.#log,
      logId: LOG_ID,
      groups: durable,
    })
    const { txid } = this.#engine
    mustEqual(txid, durable.at(-1)?.txid ?? txid, 'txid after replay')
    for (const known of this.#states.keys()) if (known > txid) this.#states.delete(known)
  }

  /** A checkpoint made commits that change nothing. */
  #followHead(): void {
    const { txid } = this.#engine.core.head
    for (let t = txid; !this.#states.has(t); t--) {
      const older = Math.max(...[...this.#states.keys()].filter((known) => known < t))
      this.#states.set(t, this.#state(older))
    }
  }

  #state(txid: number): ModelBucket {
    const state = this.#states.get(txid)
    if (state === undefined) throw new Error(`no state ${txid}`)
    return state
  }

  #verify(): void {
    this.#engine.view((tx) => compareAll(tx, this.#state(tx.id)))
    for (const { tx, model } of this.#readers) compareAll(tx, model)
  }
}

/** Lets the event loop turn: a checkpoint under way gets on by a few operations. */
async function settle(turns = 1): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function runSteps(program: {
  readonly steps: readonly Step[]
  readonly cachePages: number
}): Promise<void> {
  const disk = new MemoryDisk()
  disk.makeDirectory('/data')
  disk.syncDirectory('/')
  const log = new HeldLog()
  const cacheBytes = program.cachePages * 1024
  const options = { disk, lock: 'none', cacheBytes, pageSizeBytes: 1024 } as const
  const engine = await openLogged(PATH, { ...options, log, logId: LOG_ID, groups: [] })
  const run = new LoggedRun({ disk, log, engine, cacheBytes })
  for (const step of program.steps) await run.step(step)
  await run.end()
}

const edits = fc.array(edit, { maxLength: 6, size: 'max' })

const turns = fc.integer({ min: 1, max: 20 })

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      step: fc.constant('commit' as const),
      edits,
      isSync: fc.oneof(
        { weight: 5, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ step: fc.constant('rollback' as const), edits }) },
  {
    weight: 8,
    arbitrary: fc.record({
      step: fc.constant('sync' as const),
      count: fc.integer({ min: 1, max: 4 }),
      turns,
    }),
  },
  { weight: 3, arbitrary: fc.constant<Step>({ step: 'openReader' }) },
  {
    weight: 2,
    arbitrary: fc.record({ step: fc.constant('closeReader' as const), which: fc.nat(5) }),
  },
  { weight: 4, arbitrary: fc.constant<Step>({ step: 'checkpoint' }) },
  { weight: 3, arbitrary: fc.constant<Step>({ step: 'finish' }) },
  { weight: 2, arbitrary: fc.record({ step: fc.constant('cut' as const), seed: fc.nat(), turns }) },
  { weight: 1, arbitrary: fc.constant<Step>({ step: 'reopen' }) },
)

test('the engine with a log is a sorted map for each commit', { timeout: TIMEOUT_MS }, async () => {
  const program = fc.record({
    steps: fc.array(step, { minLength: 1, maxLength: 30, size: 'max' }),
    cachePages: fc.constantFrom(16, 8192),
  })
  const numRuns = effort({ smoke: 40, ci: 400, soak: 100_000 })
  await fc.assert(fc.asyncProperty(program, runSteps), { numRuns })
})
