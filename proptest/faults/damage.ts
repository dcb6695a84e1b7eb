/**
 * Looking at a damaged file: everything is read, checked and written on, and what comes of it is
 * named.
 *
 * Whatever the damage, each step must end in a typed error or in right data: what the newest
 * generation holds or, where opening says that it fell back, the one before it. A file that reads
 * wrong without a word is `silent`; which damage may be so is for the test to know beforehand.
 */

import { MemoryDisk } from '../../disk/memory-disk.ts'
import { isKvError, openEngine } from '../../engine/index.ts'
import type { CheckReport, Engine } from '../../engine/index.ts'
import { contentFault } from './model.ts'
import { SAMPLE_PATH } from './sample.ts'
import type { Sample } from './sample.ts'
import { claim } from './session.ts'

/**
 *   refused    opening or reading ended in a typed error
 *   right      the newest generation, whole
 *   fallback   the generation before, whole, and opening said so
 *   silent     something else, without an error
 */
export type Verdict = 'refused' | 'right' | 'fallback' | 'silent'

export interface Finding {
  readonly verdict: Verdict
  /** What differs, or the error. */
  readonly detail: string
  /** Whether `check` found anything; undefined where the file did not open. */
  readonly isClean: boolean | undefined
}

/** The codes that damage may end in. */
const DAMAGE_CODES: readonly string[] = ['KV_CORRUPT', 'KV_BAD_FILE', 'KV_BAD_VERSION']

/** A typed error's code and message. Whatever else was thrown goes through. */
function damageOf(error: unknown): string {
  if (!isKvError(error) || !DAMAGE_CODES.includes(error.code)) throw error
  return `${error.code}: ${error.message}`
}

/** Reads all of a damaged file, through a handle that writes or one that doesn't. */
export async function readDamaged(
  bytes: Uint8Array,
  sample: Sample,
  readOnly: boolean,
): Promise<Finding> {
  const disk = new MemoryDisk()
  disk.writeFile(SAMPLE_PATH, bytes)
  let engine: Engine
  try {
    engine = await openEngine(SAMPLE_PATH, { disk, readOnly })
  } catch (error) {
    return { verdict: 'refused', detail: damageOf(error), isClean: undefined }
  }
  const { isClean } = checkBounded(engine, Math.max(bytes.length, 16_384))
  const found = { ...readAll(engine, sample), isClean }
  if (!readOnly) await writeOn(engine, disk, found.verdict)
  await engine.close()
  return found
}

/** `check` never throws, and what it counts can't be more than the file holds. */
function checkBounded(engine: Engine, sizeBytes: number): CheckReport {
  const report = engine.check()
  claim(report.pages.leaf + report.pages.branch <= sizeBytes / 1024, 'check counts too many pages')
  claim(report.keys <= sizeBytes / 16, 'check counts too many keys')
  return report
}

function readAll(engine: Engine, sample: Sample): { verdict: Verdict; detail: string } {
  try {
    return engine.view((tx) => {
      const fault = contentFault(tx.root, sample.newest)
      if (fault === undefined) return { verdict: 'right', detail: '' }
      const isPrevious = contentFault(tx.root, sample.previous) === undefined
      if (isPrevious && engine.report.fallback !== undefined) {
        return { verdict: 'fallback', detail: engine.report.fallback.reason }
      }
      return { verdict: 'silent', detail: fault }
    })
  } catch (error) {
    return { verdict: 'refused', detail: damageOf(error) }
  }
}

/**
 * Writes to each bucket and deletes one. Where that is acknowledged and the file read right before,
 * all of it must read right afterwards, by another handle too.
 */
async function writeOn(engine: Engine, disk: MemoryDisk, verdict: Verdict): Promise<void> {
  let expected: readonly string[] | undefined
  try {
    engine.update((tx) => {
      for (const name of [...tx.root.bucketNames()]) tx.bucket(name)?.put('written on', 'yes')
      if (tx.bucket('overflow') !== undefined) tx.deleteBucket('overflow')
    })
    expected = engine.view((tx) => [...dump(tx.root, '')])
  } catch (error) {
    damageOf(error)
    return
  }
  if (verdict !== 'right' && verdict !== 'fallback') return
  const again = await openEngine(SAMPLE_PATH, { disk: disk.afterPowerLoss(1), readOnly: true })
  const found = again.view((tx) => [...dump(tx.root, '')])
  claim(found.length === expected.length, `${found.length} entries, ${expected.length} written`)
  claim(
    found.every((line, i) => line === expected[i]),
    'the file reads otherwise than it was written',
  )
  await again.close()
}

function* dump(bucket: FrozenSource, path: string): Generator<string, void, undefined> {
  for (const { key, value } of bucket.entries()) {
    const name = `${path}/${Buffer.from(key).toString('latin1')}`
    if (value !== undefined) yield `${name}=${Buffer.from(value).toString('base64')}`
    else {
      const child = bucket.bucket(key)
      yield `${name}: sequence ${child?.sequence ?? 'none'}`
      if (child !== undefined) yield* dump(child, name)
    }
  }
}

interface FrozenSource {
  entries(): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array | undefined }>
  bucket(key: Uint8Array): (FrozenSource & { readonly sequence: bigint }) | undefined
}

/** A run of pages in a file, where its content and tail lie. Offsets are of the file. */
export interface RunLayout {
  readonly pgid: number
  readonly start: number
  readonly end: number
  readonly isLeaf: boolean
  /** Where keys and values lie. */
  readonly contentStart: number
  readonly contentEnd: number
  /** The u32 that says how long the last element is: the value's size, or a branch key's. */
  readonly lastSizeAt: number
}

/** Branch and leaf runs that any page header in the file claims to be. */
export function layoutsOf(bytes: Uint8Array, pageSizeBytes: number): RunLayout[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const layouts: RunLayout[] = []
  for (let pgid = 2; (pgid + 1) * pageSizeBytes <= bytes.length; pgid++) {
    const start = pgid * pageSizeBytes
    const flags = view.getUint16(start + 8, true)
    const count = view.getUint16(start + 10, true)
    const isOwn = view.getUint32(start, true) === pgid && view.getUint32(start + 4, true) === 0
    if (!isOwn || count === 0 || (flags !== 1 && flags !== 2)) continue
    const end = start + (view.getUint32(start + 12, true) + 1) * pageSizeBytes
    const isLeaf = flags === 2
    const last = start + 16 * count
    const contentStart = last + 16
    const contentEnd = isLeaf
      ? last +
        view.getUint32(last + 4, true) +
        view.getUint32(last + 8, true) +
        view.getUint32(last + 12, true)
      : last + view.getUint32(last, true) + view.getUint32(last + 4, true)
    const lastSizeAt = isLeaf ? last + 12 : last + 4
    layouts.push({ pgid, start, end, isLeaf, contentStart, contentEnd, lastSizeAt })
    pgid += (end - start) / pageSizeBytes - 1
  }
  return layouts
}

/** The bytes with the one at `offset` changed. */
export function flipped(bytes: Uint8Array, offset: number, xor: number): Uint8Array {
  const copy = new Uint8Array(bytes)
  copy[offset] = (copy[offset] ?? 0) ^ xor
  return copy
}
