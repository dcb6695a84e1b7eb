/**
 * A history in one file, for machines where there is no git history to read.
 *
 * The file is a Brotli stream of
 *
 *   LINE   "revbolt-history 1"
 *   LINE   JSON { title, commitCount }
 *   for each commit, oldest first:
 *     LINE   JSON { hash, authorDate, subject, changes: [{ path, sizeBytes? }, …] },
 *            where a file without sizeBytes is deleted
 *     BYTES  the contents of the files put, one after the other
 *
 * where LINE ends in a newline and JSON has none. Versions of a file lie near each other, so a
 * large window makes all but the first of them cheap.
 */
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { type Readable, pipeline } from 'node:stream'
import { constants, createBrotliCompress, createBrotliDecompress } from 'node:zlib'
import type { BrotliCompress } from 'node:zlib'
import { ByteReader } from './byte-reader.ts'
import type { Change, CommitInfo, CommitPart, History } from './history.ts'
import { FILE_BYTES_MAX, cutIntoParts } from './history.ts'
import { isCommitInfo } from './layout.ts'

const MAGIC = 'revbolt-history 1'
const LF = 0x0a

/** The bundle can't be read as one. */
export class BundleError extends Error {
  override readonly name: string = 'BundleError'
}

export interface BundleHeader {
  readonly title: string
  readonly commitCount: number
}

interface BundledChange {
  readonly path: string
  readonly sizeBytes?: number | undefined
}

interface BundledCommit extends CommitInfo {
  readonly changes: readonly BundledChange[]
}

/** The compressor of a bundle. The same bytes in give the same bytes out. */
export function createBundleCompressor(): BrotliCompress {
  return createBrotliCompress({
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
    },
  })
}

/** A bundle's bytes before compression. `header.commitCount` must be what `commits` gives. */
export async function* encodeBundle(
  header: BundleHeader,
  commits: AsyncIterable<{ readonly commit: CommitInfo; readonly changes: readonly Change[] }>,
): AsyncGenerator<Uint8Array, void, void> {
  yield line(MAGIC)
  yield line(JSON.stringify({ title: header.title, commitCount: header.commitCount }))
  for await (const { commit, changes } of commits) {
    const { hash, authorDate, subject } = commit
    const listed = changes.map((change) => ({
      path: decodePath(change.path),
      sizeBytes: change.type === 'put' ? change.content.length : undefined,
    }))
    yield line(JSON.stringify({ hash, authorDate, subject, changes: listed }))
    for (const change of changes) if (change.type === 'put') yield change.content
  }
}

function line(text: string): Uint8Array {
  return Buffer.from(`${text}\n`)
}

function decodePath(path: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(path)
  } catch (cause) {
    throw new BundleError(`the path ${Buffer.from(path).toString('latin1')} is not UTF-8`, {
      cause,
    })
  }
}

/**
 * Looks at a bundle.
 * @throws {BundleError} where it is none; whatever the file system says where it can't be read
 */
export async function openBundle(path: string): Promise<History> {
  const { source, reader } = openReader(path)
  try {
    const header = await readHeader(path, reader)
    return { ...header, parts: () => readParts(path) }
  } catch (error) {
    throw asBundleError(path, error)
  } finally {
    source.destroy()
  }
}

function openReader(path: string): { readonly source: Readable; readonly reader: ByteReader } {
  // Errors of either stream come out of reading the second.
  const source = pipeline(createReadStream(path), createBrotliDecompress(), () => {})
  return { source, reader: new ByteReader(source) }
}

async function* readParts(path: string): AsyncGenerator<CommitPart, void, void> {
  const { source, reader } = openReader(path)
  try {
    const { commitCount } = await readHeader(path, reader)
    for (let count = 0; count < commitCount; count++) {
      const commit = await mustReadLine(path, reader)
      if (!isBundledCommit(commit)) throw damaged(path)
      yield* cutIntoParts(commit, withContents(commit.changes, reader))
    }
  } catch (error) {
    throw asBundleError(path, error)
  } finally {
    source.destroy()
  }
}

async function* withContents(
  changes: readonly BundledChange[],
  reader: ByteReader,
): AsyncGenerator<Change, void, void> {
  for (const { path, sizeBytes } of changes) {
    const bytes = Buffer.from(path)
    if (sizeBytes === undefined) yield { type: 'delete', path: bytes }
    else yield { type: 'put', path: bytes, content: await reader.exactly(sizeBytes) }
  }
}

async function readHeader(path: string, reader: ByteReader): Promise<BundleHeader> {
  const magic = await reader.until(LF)
  if (magic === undefined || Buffer.from(magic).toString() !== MAGIC) throw damaged(path)
  const header = await mustReadLine(path, reader)
  if (!isHeader(header)) throw damaged(path)
  return { title: header.title, commitCount: header.commitCount }
}

async function mustReadLine(path: string, reader: ByteReader): Promise<unknown> {
  const bytes = await reader.until(LF)
  if (bytes === undefined) throw damaged(path)
  try {
    return JSON.parse(Buffer.from(bytes).toString())
  } catch (cause) {
    throw damaged(path, cause)
  }
}

function damaged(path: string, cause?: unknown): BundleError {
  return new BundleError(`${basename(path)}: not a bundled history of this version`, { cause })
}

/**
 * What the decompressor or the reader stumbled over is damage; a file that can't be read is not.
 */
function asBundleError(path: string, error: unknown): unknown {
  const isOfFile = error instanceof Error && 'syscall' in error
  return isOfFile || error instanceof BundleError ? error : damaged(path, error)
}

function isHeader(fields: unknown): fields is BundleHeader {
  if (typeof fields !== 'object' || fields === null) return false
  if (!('title' in fields && 'commitCount' in fields)) return false
  return typeof fields.title === 'string' && isCount(fields.commitCount)
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isBundledCommit(fields: unknown): fields is BundledCommit {
  if (!isCommitInfo(fields) || !('changes' in fields)) return false
  return Array.isArray(fields.changes) && fields.changes.every(isBundledChange)
}

function isBundledChange(fields: unknown): fields is BundledChange {
  if (typeof fields !== 'object' || fields === null || !('path' in fields)) return false
  if (typeof fields.path !== 'string') return false
  if (!('sizeBytes' in fields)) return true
  return isCount(fields.sizeBytes) && fields.sizeBytes <= FILE_BYTES_MAX
}
