/** Finds the log that a command is about. */
import { basename, join, resolve } from 'node:path'
import { openRawFile } from '../../engine/index.ts'
import type { LogInspection, SegmentEnd, SegmentReport } from '../../wal/index.ts'
import { inspectLog, isKvError } from '../../wal/index.ts'
import type { Call, Setting } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { Failure } from '../bolt/failure.ts'
import { pathKind } from '../bolt/file-kind.ts'
import { formatBytes, formatCount, plural } from '../format.ts'

/** Groups read before others have a turn. */
const GROUPS_PER_TURN = 256

const SEGMENT_NAME = /^[0-9a-f]{16}-[0-9a-f]{16}\.wal$/
const SEGMENT_HINT = 'a segment is named NUMBER-TXID.wal, each of 16 hex digits'
const DIRECTORY_HINT =
  'a data directory has its log in wal/; one that was made by an older release has none'

/** @throws {Failure} where there is no log */
export async function openLog(call: Call, { directory }: Setting): Promise<LogInspection> {
  const named = call.positionals[0] ?? ''
  const path = resolve(directory, named)
  const kind = pathKind(path)
  if (kind === 'nothing') throw new Failure(EXIT.refused, `${named}: it is not there`)
  if (kind === 'file' && !SEGMENT_NAME.test(basename(path))) throw noLog(named, SEGMENT_HINT)
  try {
    return inspectLog(path, { fromTxid: await newestCommit(path) })
  } catch (error) {
    if (!isKvError(error, 'KV_NOT_FOUND')) throw error
    throw noLog(named, DIRECTORY_HINT, error)
  }
}

function noLog(named: string, hint: string, cause?: unknown): Failure {
  return new Failure(EXIT.refused, `${named}: no log is there`, { hints: [hint], cause })
}

/** What the data file beside the log has; undefined where there is none that can be read. */
async function newestCommit(path: string): Promise<number | undefined> {
  const file = join(path, 'db')
  if (pathKind(file) !== 'file' || pathKind(join(path, 'wal')) !== 'directory') return undefined
  try {
    const raw = await openRawFile(file, { lock: 'none' })
    try {
      return raw.usableMetas[0]?.txid
    } finally {
      raw.close()
    }
  } catch (error) {
    if (isKvError(error)) return undefined
    throw error
  }
}

/** Goes through what a walk yields, and lets the event loop turn: a stop is heard only then. */
export async function* taken<T>(
  walk: Iterable<T>,
  { screen, signal }: Setting,
): AsyncGenerator<T, void, void> {
  let count = 0
  for (const each of walk) {
    yield each
    if (++count % GROUPS_PER_TURN !== 0) continue
    await screen.catchUp(signal)
    await new Promise((done) => setImmediate(done))
    signal.throwIfAborted()
  }
}

/** `12 to 40`, `12`, or `none`. */
export function txidsOf({ groups, lastTxid }: SegmentReport): string {
  if (groups === 0) return 'none'
  const first = formatCount(lastTxid - groups + 1)
  return groups === 1 ? first : `${first} to ${formatCount(lastTxid)}`
}

/** How a segment ends, in words. */
export function endText(end: SegmentEnd): string {
  switch (end.kind) {
    case 'continued': {
      const { voidFrames } = end
      if (voidFrames === 0) return 'goes on in the next'
      return `goes on in the next; ${plural(voidFrames, 'frame')} behind that count no more`
    }
    case 'open':
      return 'the end of the log'
    case 'torn': {
      const size = formatBytes(end.sizeBytes)
      return `a torn tail of ${size} at byte ${formatCount(end.offset)}: never acknowledged`
    }
    case 'damaged':
      return `damaged at byte ${formatCount(end.offset)}: ${end.reason}`
    case 'refused':
      return end.reason
    case 'gone':
      return 'dropped while it was looked at'
  }
}

export function isDamage({ kind }: SegmentEnd): boolean {
  return kind === 'damaged' || kind === 'refused'
}
