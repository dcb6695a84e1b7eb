/**
 * The directory of a run: a temporary one, or one that the user names. What is there already is
 * only ever removed when an earlier run made it, nobody has it open, and there is nothing in it
 * but a store.
 */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { isKvError } from '../index.ts'
import { openEngine } from '../engine/index.ts'

/** Says that a run of ours made the store beside it. */
const MARKER = '.made-by-revbolt-start'
/** What a store keeps in its directory. */
const STORE_FILES = /^(db|lock)(\.lock(\.takeover)?)?$|^(wal|archive)$/

/** The named directory can't be used. The message is for people. */
export class DataDirectoryError extends Error {
  override readonly name: string = 'DataDirectoryError'
}

export interface DataDirectory {
  /** Absolute. */
  readonly path: string
  readonly isTemporary: boolean
}

/**
 * Makes an empty directory for a store: at `path`, or a temporary one.
 * @throws {DataDirectoryError} where there is something that is not ours to remove
 */
export async function makeDataDirectory(path: string | undefined): Promise<DataDirectory> {
  if (path === undefined) {
    return { path: await mkdtemp(join(tmpdir(), 'revbolt-start-')), isTemporary: true }
  }
  const directory = resolve(path)
  const names = await namesIn(directory)
  if (names !== undefined && names.length > 0) await clear(directory, names)
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await writeFile(join(directory, MARKER), '')
  return { path: directory, isTemporary: false }
}

/** Removes a temporary directory with all in it. */
export async function removeDataDirectory(directory: DataDirectory): Promise<void> {
  if (directory.isTemporary) await rm(directory.path, { recursive: true, force: true })
}

async function namesIn(directory: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(directory)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOENT') return undefined
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new DataDirectoryError(message, { cause })
  }
}

async function clear(directory: string, names: readonly string[]): Promise<void> {
  if (!names.includes(MARKER)) {
    throw new DataDirectoryError(
      `${directory} is not empty, and was not made by an earlier run; name another directory`,
    )
  }
  const foreign = names.find((name) => name !== MARKER && !STORE_FILES.test(name))
  if (foreign !== undefined) {
    throw new DataDirectoryError(`${directory} holds ${foreign}, which no run made; name another`)
  }
  if (names.includes('db')) await mustBeUnused(directory)
  for (const name of names) {
    if (name !== MARKER) await rm(join(directory, name), { recursive: true, force: true })
  }
}

async function mustBeUnused(directory: string): Promise<void> {
  try {
    const engine = await openEngine(join(directory, 'db'))
    await engine.close()
  } catch (cause) {
    // A damaged store of an earlier run may go; one in use may not.
    if (!isKvError(cause, 'KV_LOCKED')) return
    throw new DataDirectoryError(`${directory} is in use by another process`, { cause })
  }
}
