/** Runs a program against an engine on a disk in memory, with the model beside it. */

import { MemoryDisk } from '../../disk/memory-disk.ts'
import { openEngine } from '../../engine/index.ts'
import type { Engine, Tx } from '../../engine/index.ts'
import { compareAll, mustEqual, outcomeOf, Mismatch } from './compare.ts'
import type { Program, Step } from './commands.ts'
import { Editor } from './editor.ts'
import { ModelBucket } from './model.ts'

const PATH = '/data/db'
const READERS_MAX = 5

interface Reader {
  readonly tx: Tx
  readonly model: ModelBucket
  readonly txid: number
}

/** Runs `program`; throws where the engine and the model differ. */
export async function runProgram(program: Program): Promise<void> {
  const disk = new MemoryDisk()
  disk.makeDirectory('/data')
  const run = new ProgramRun(disk, await open(disk, program))
  for (const step of program.steps) await run.step(step)
  await run.end()
}

function open(
  disk: MemoryDisk,
  options: {
    readonly freelist: 'sync' | 'scan'
    readonly cachePages: number
    readonly pageSizeBytes?: number
  },
): Promise<Engine> {
  const { freelist, cachePages, pageSizeBytes } = options
  return openEngine(PATH, {
    disk,
    freelist,
    lock: 'none',
    cacheBytes: cachePages * Math.max(1024, pageSizeBytes ?? 1024),
    ...(pageSizeBytes === undefined ? {} : { pageSizeBytes }),
  })
}

function openOlder(disk: MemoryDisk): Promise<Engine> {
  return openEngine(PATH, { disk, readOnly: true, lock: 'none', generation: 'previous' })
}

class ProgramRun {
  readonly #disk: MemoryDisk
  #engine: Engine
  /** The newest committed state, and the one before it. Never edited. */
  #head = new ModelBucket()
  #previous = new ModelBucket()
  #readers: Reader[] = []
  #tag = 0
  #turn = 0

  constructor(disk: MemoryDisk, engine: Engine) {
    this.#disk = disk
    this.#engine = engine
  }

  async step(step: Step): Promise<void> {
    this.#turn++
    switch (step.step) {
      case 'write':
        await this.#write(step)
        this.#verify()
        return
      case 'look':
        this.#engine.view((tx) => new Editor(tx, this.#head, 0).walk(step.at, step.moves))
        return
      case 'openReader':
        await this.#openReader()
        return
      case 'closeReader':
        this.#closeReader(step.which)
        return
      case 'reopen':
        await this.#reopen(step)
        this.#verify()
    }
  }

  async end(): Promise<void> {
    for (const reader of this.#readers) compareReader(reader)
    await this.#reopen({ step: 'reopen', freelist: 'sync', cachePages: 16, peeksPrevious: true })
    this.#verify()
    await this.#engine.close()
  }

  async #write(step: Extract<Step, { readonly step: 'write' }>): Promise<void> {
    const before = this.#engine.txid
    const draft = this.#head.copy()
    let isTouched = false
    const apply = (tx: Tx): void => {
      const editor = new Editor(tx, draft, (this.#tag += 10_000))
      editor.apply(step.edits)
      ;({ isTouched } = editor)
    }
    const isCommitted = await this.#end(step.ending, apply)
    if (!isCommitted || !isTouched) {
      mustEqual(this.#engine.txid, before, `txid after ${step.ending} of nothing`)
      return
    }
    mustEqual(this.#engine.txid, before + 1, `txid after ${step.ending}`)
    this.#previous = this.#head
    this.#head = draft
  }

  /** Runs a write transaction to its end; returns whether that was a commit. */
  async #end(
    ending: Extract<Step, { readonly step: 'write' }>['ending'],
    apply: (tx: Tx) => void,
  ): Promise<boolean> {
    const engine = this.#engine
    switch (ending) {
      case 'update':
        mustEqual(
          engine.update((tx) => (apply(tx), 42)),
          42,
          'update() result',
        )
        return true
      case 'throw':
        mustThrow(engine, apply)
        return false
      case 'promise': {
        const fn = (tx: Tx): never => (apply(tx), Promise.resolve(1) as never)
        mustEqual(
          refusedWith(() => engine.update(fn)),
          'TypeError',
          'promise from fn',
        )
        return false
      }
      default: {
        const tx = await engine.begin({ writable: true })
        apply(tx)
        mustEqual(
          refusedWith(() => engine.update(() => 0)),
          'KV_TX_BUSY',
          'second writer',
        )
        if (ending === 'rollback') tx.rollback()
        else if (ending === 'commit') tx.commit()
        else await this.#commitAsync(tx)
        mustEqual(
          refusedWith(() => tx.bucket('a')),
          'KV_TX_CLOSED',
          'use after the end',
        )
        return ending !== 'rollback'
      }
    }
  }

  /**
   * Readers that begin while the disk syncs see the state before. And at every such moment both
   * kept generations are whole in the file: the power may go, and the newer one may turn out to be
   * damaged.
   */
  async #commitAsync(tx: Tx): Promise<void> {
    const { txid } = this.#engine
    let isRunning = true
    const isDone = tx.commitAsync().finally(() => (isRunning = false))
    if (tx.pages.isChanged) {
      this.#engine.view((reader) => compareAll(reader, this.#head))
      while (isRunning) {
        await this.#peekInFlight(txid)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await isDone
  }

  async #openReader(): Promise<void> {
    if (this.#readers.length >= READERS_MAX) this.#closeReader(this.#turn)
    const tx = await this.#engine.begin()
    this.#readers.push({ tx, model: this.#head, txid: this.#engine.txid })
  }

  #closeReader(which: number): void {
    const at = which % Math.max(1, this.#readers.length)
    const [reader] = this.#readers.splice(at, 1)
    if (reader === undefined) return
    compareReader(reader)
    reader.tx.rollback()
  }

  async #reopen(step: Extract<Step, { readonly step: 'reopen' }>): Promise<void> {
    for (const reader of this.#readers) compareReader(reader)
    const { txid } = this.#engine
    await this.#engine.close()
    for (const { tx } of this.#readers) {
      mustEqual(
        refusedWith(() => tx.bucket('a')),
        'KV_TX_CLOSED',
        'reader after close()',
      )
    }
    this.#readers = []
    if (step.peeksPrevious) await this.#peekPrevious(txid)
    this.#engine = await open(this.#disk, step)
    mustEqual(this.#engine.txid, txid, 'txid after reopening')
    mustEqual(this.#engine.report.fallback, undefined, 'fallback after reopening')
  }

  async #peekPrevious(txid: number): Promise<void> {
    const older = await openOlder(this.#disk)
    mustEqual(older.txid, txid - 1, 'txid of the generation before')
    older.view((tx) => compareAll(tx, this.#previous))
    mustBeClean(older, 'newest')
    await older.close()
  }

  /**
   * The older generation of the file as it stands now: before `txid`, or `txid` once the new meta
   * is there.
   */
  async #peekInFlight(txid: number): Promise<void> {
    const older = await openOlder(this.#disk.clone())
    if (older.txid !== txid) mustEqual(older.txid, txid - 1, 'txid in flight')
    const expected = older.txid === txid ? this.#head : this.#previous
    older.view((tx) => compareAll(tx, expected))
    mustBeClean(older, 'newest')
    await older.close()
  }

  #verify(): void {
    this.#engine.view((tx) => compareAll(tx, this.#head))
    mustBeClean(this.#engine, 'newest')
    mustBeClean(this.#engine, 'previous')
    const reader = this.#readers[this.#turn % Math.max(1, this.#readers.length)]
    if (reader !== undefined) compareReader(reader)
  }
}

function compareReader({ tx, model, txid }: Reader): void {
  mustEqual(tx.id, txid, 'txid of a reader')
  compareAll(tx, model)
}

export function mustBeClean(engine: Engine, generation: 'newest' | 'previous'): void {
  const report = engine.check({ generation })
  if (report.isClean) return
  throw new Mismatch(`check of ${generation}: ${JSON.stringify(report.findings.slice(0, 5))}`)
}

function refusedWith(fn: () => unknown): string | undefined {
  const outcome = outcomeOf(fn)
  return 'refused' in outcome ? outcome.refused : undefined
}

function mustThrow(engine: Engine, apply: (tx: Tx) => void): void {
  const thrown = new Error('as asked')
  try {
    engine.update((tx) => {
      apply(tx)
      throw thrown
    })
  } catch (error) {
    if (error === thrown) return
    throw error
  }
  throw new Mismatch('update() swallowed what fn threw')
}
