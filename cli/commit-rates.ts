/**
 * How fast small durable writes are, one way beside the other: what the log is for. Every number is
 * measured here, on the disk of the system's temporary directory.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from '../index.ts'
import { openEngine } from '../engine/index.ts'

export interface CommitRate {
  readonly way: string
  readonly perSecond: number
  /** For each write: from the call until it was durable. */
  readonly samplesMs: readonly number[]
}

const VALUE = 'x'.repeat(100)
const WRITES = 200
const CALLERS = 64
const WRITES_AT_ONCE = CALLERS * 40
/** Before they are counted. */
const WARM_UP = 100

/** Makes durable writes in a directory of its own, which is gone when this returns. */
export async function timeCommits(signal: AbortSignal): Promise<readonly CommitRate[]> {
  const directory = await mkdtemp(join(tmpdir(), 'revbolt-commits-'))
  try {
    const rates = [await timeFile(join(directory, 'plain.db'))]
    signal.throwIfAborted()
    const db = await open(join(directory, 'data'))
    try {
      let count = 0
      const put = (): Promise<unknown> => db.put(`key ${count++}`, VALUE)
      await timeOneByOne('', WARM_UP, put)
      rates.push(await timeOneByOne('`await put`, one after the other', WRITES, put))
      const putSync = (): unknown => db.putSync(`key ${count++}`, VALUE)
      rates.push(await timeOneByOne('`putSync`, one after the other', WRITES, putSync))
      signal.throwIfAborted()
      rates.push(await timeAtOnce(`\`await put\`, ${CALLERS} callers`, put))
    } finally {
      await db.close()
    }
    return rates
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function timeFile(path: string): Promise<CommitRate> {
  const file = await openEngine(path)
  try {
    let count = 0
    const put = async (): Promise<void> => {
      const tx = await file.begin({ writable: true })
      tx.createBucketIfNotExists('b').put(`key ${count++}`, VALUE)
      await tx.commitAsync()
    }
    await timeOneByOne('', WARM_UP, put)
    return await timeOneByOne('a bbolt file without a log, two syncs', WRITES, put)
  } finally {
    await file.close()
  }
}

async function timeOneByOne(way: string, writes: number, put: () => unknown): Promise<CommitRate> {
  const samplesMs: number[] = []
  const startedMs = performance.now()
  for (let i = 0; i < writes; i++) {
    const beganMs = performance.now()
    await put()
    samplesMs.push(performance.now() - beganMs)
  }
  return { way, perSecond: (writes * 1000) / (performance.now() - startedMs), samplesMs }
}

async function timeAtOnce(way: string, put: () => Promise<unknown>): Promise<CommitRate> {
  const samplesMs: number[] = []
  const startedMs = performance.now()
  const caller = async (): Promise<void> => {
    for (let i = 0; i < WRITES_AT_ONCE / CALLERS; i++) {
      const beganMs = performance.now()
      await put()
      samplesMs.push(performance.now() - beganMs)
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return { way, perSecond: (WRITES_AT_ONCE * 1000) / (performance.now() - startedMs), samplesMs }
}
