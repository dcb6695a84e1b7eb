/**
 * Opens the file that a command is about: as a database, or as raw pages where it is to be looked
 * at whatever it is. What goes wrong comes out as a `Failure` that says what to do next.
 */
import { resolve } from 'node:path'
import type { Engine, Meta, RawFile } from '../../engine/index.ts'
import { isKvError, openEngine, openRawFile } from '../../engine/index.ts'
import { formatBytes } from '../format.ts'
import { UsageError } from '../arguments.ts'
import { parseCount, readChoice, readCount } from './call.ts'
import type { Call, Setting } from './command.ts'
import { EXIT } from './command.ts'
import { Failure } from './failure.ts'
import { databaseIn, fileKind, pathKind } from './file-kind.ts'

const MS_PER_SECOND = 1000

/** The file's path, as it was written, for messages. */
export function pathOf(call: Call): string {
  return call.positionals[0] ?? ''
}

export function fullPathOf(call: Call, { directory }: Setting): string {
  return resolve(directory, pathOf(call))
}

interface Access {
  readonly lock: 'auto' | 'none'
  readonly lockTimeoutMs: number
  readonly generation: 'newest' | 'previous'
  readonly pageRules: 'strict' | 'bounds'
  readonly signal: AbortSignal
}

function accessOf(call: Call, { signal }: Setting): Access {
  const wait = call.text('wait')
  if (wait !== undefined && !/^\d+(\.\d+)?$/.test(wait)) {
    throw new UsageError(`--wait: expected seconds, got ${wait}`)
  }
  return {
    lock: call.flag('no-lock') ? 'none' : 'auto',
    lockTimeoutMs: Number(wait ?? 0) * MS_PER_SECOND,
    generation: readChoice(call, 'generation', ['newest', 'previous']),
    pageRules: call.flag('lenient') ? 'bounds' : 'strict',
    signal,
  }
}

/** Runs `work` on the file as a database, read-only, and closes it. */
export async function withEngine<T>(
  call: Call,
  setting: Setting,
  work: (engine: Engine) => T | Promise<T>,
): Promise<T> {
  const access = accessOf(call, setting)
  const path = fullPathOf(call, setting)
  let engine: Engine
  try {
    engine = await openEngine(path, { ...access, readOnly: true })
  } catch (error) {
    throw await explainOpening(error, call, setting)
  }
  try {
    return await work(engine)
  } catch (error) {
    throw explainDamage(error, call)
  } finally {
    await engine.close()
  }
}

/** Runs `work` on the file as raw pages, and closes it. */
export async function withRawFile<T>(
  call: Call,
  setting: Setting,
  work: (file: RawFile) => T | Promise<T>,
): Promise<T> {
  const { lock, lockTimeoutMs, signal } = accessOf(call, setting)
  const pageSize = readPageSize(call)
  let file: RawFile
  try {
    const options = pageSize === undefined ? {} : { pageSizeBytes: pageSize }
    const path = fullPathOf(call, setting)
    file = await openRawFile(path, { lock, lockTimeoutMs, signal, ...options })
  } catch (error) {
    throw await explainOpening(error, call, setting)
  }
  try {
    if (!file.hasMagic && file.pageSizeBytes === undefined) throw notBolt(call, setting)
    return await work(file)
  } finally {
    file.close()
  }
}

function readPageSize(call: Call): number | undefined {
  const size = readCount(call, 'page-size', 1)
  if (size === undefined) return undefined
  const isLegal = size >= 1024 && size <= 65536 && (size & (size - 1)) === 0
  if (isLegal) return size
  throw new UsageError(`--page-size: expected a power of two from 1024 to 65536, got ${size}`)
}

/** The generation that was asked for, of the metas that can be used. */
export function chosenMeta(call: Call, file: RawFile): Meta | undefined {
  const isPrevious = readChoice(call, 'generation', ['newest', 'previous']) === 'previous'
  const [newest, older] = file.usableMetas
  if (!isPrevious) return newest
  if (older !== undefined) return older
  throw noPrevious(call)
}

function noPrevious(call: Call): Failure {
  return new Failure(EXIT.found, `${pathOf(call)} holds no generation before the newest one`, {
    hints: ['leave --generation previous away'],
  })
}

/** The page that an argument names. */
export function readPgid(call: Call, file: RawFile): number {
  const text = call.positionals[1] ?? ''
  if (file.pageSizeBytes === undefined) {
    throw new Failure(EXIT.found, `${pathOf(call)}: nothing in it says its page size`, {
      hints: ['name it: --page-size 4096 is the most common'],
    })
  }
  const pgid = parseCount(text, 'ID', 0)
  if (pgid < file.pageCount) return pgid
  const size = formatBytes(file.sizeBytes)
  throw new Failure(
    EXIT.found,
    `${pathOf(call)} has no page ${pgid}: its ${size} hold pages 0 to ${file.pageCount - 1}`,
  )
}

/** What is there is no bbolt file. */
export function notBolt(call: Call, setting: Setting, cause?: unknown): Failure {
  const name = pathOf(call)
  const kind = fileKind(fullPathOf(call, setting))
  const what = kind === undefined ? 'neither of its metas has bbolt’s magic number' : ''
  const seems = kind === undefined ? what : `it is ${kind.what}`
  const hints = [
    ...(kind?.hint === undefined ? [] : [kind.hint]),
    ...(kind === undefined
      ? ['if it was one: `--page-size 4096` lets `page` and `dump` look at what is left']
      : []),
  ]
  return new Failure(EXIT.refused, `${name} is not a bbolt database: ${seems}`, { hints, cause })
}

async function explainOpening(error: unknown, call: Call, setting: Setting): Promise<unknown> {
  if (setting.signal.aborted || !isKvError(error)) return error
  const name = pathOf(call)
  const path = fullPathOf(call, setting)
  const refused = (message: string, ...hints: readonly string[]): Failure =>
    new Failure(EXIT.refused, message, { hints, cause: error })
  switch (error.code) {
    case 'KV_NOT_FOUND':
      return pathKind(path) === 'nothing' ? refused(`there is no file ${name}`) : noPrevious(call)
    case 'KV_LOCKED':
      return refused(
        `${name} is in use: ${lockedBy(error.message)}`,
        '--wait SECONDS waits until the writer lets go',
        '--no-lock looks at it all the same; what is shown can be mixed from two states',
      )
    case 'KV_LOCK_UNSUPPORTED':
      return refused(error.message, '--no-lock reads it without a lock, if nobody writes to it')
    case 'KV_BAD_FILE':
      return notBolt(call, setting, error)
    case 'KV_BAD_VERSION':
      return refused(error.message, `\`revbolt bolt info ${name}\` shows what it says`)
    case 'KV_CORRUPT':
      return refusedAsDamaged(error, call)
    default:
      return refused(...systemFailure(error, { name, path }))
  }
}

/** `locked by process 12 …` → `a writer, process 12, holds it`. */
function lockedBy(message: string): string {
  const at = message.lastIndexOf(': locked ')
  return at === -1 ? message : `it is ${message.slice(at + 2)}`
}

function systemFailure(
  error: Error,
  { name, path }: { readonly name: string; readonly path: string },
): [message: string, ...hints: string[]] {
  const { cause } = error
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const kind = pathKind(path)
  if (kind === 'directory') {
    const inside = databaseIn(path)
    const hint = inside === undefined ? [] : [`its database is ${name}${inside.slice(path.length)}`]
    return [`${name} is a directory`, ...hint]
  }
  if (code === 'EACCES' || code === 'EPERM') {
    return [`there is no permission to read ${name}`, 'run it as the user who owns the file']
  }
  if (code === 'ENOTDIR') return [`there is no file ${name}: a part of the path is a file`]
  if (kind === 'other') return [`${name} is not a regular file`]
  return [error.message]
}

function refusedAsDamaged(error: Error, call: Call): Failure {
  const name = pathOf(call)
  return new Failure(EXIT.found, `damage: ${error.message}`, {
    hints: [
      `\`revbolt bolt check ${name}\` says what is damaged, and what is left`,
      `\`revbolt bolt info ${name}\` shows both metas, field by field`,
      '`pages`, `page`, `dump` and `inspect` look at what is there all the same',
    ],
    cause: error,
  })
}

/** An error of reading that damage caused, with what can be done about it. */
export function explainDamage(error: unknown, call: Call): unknown {
  if (!isKvError(error, 'KV_CORRUPT')) return error
  const name = pathOf(call)
  const { command } = call
  const hints = []
  if (command.name !== 'check') {
    hints.push(`\`revbolt bolt check ${name}\` says what is damaged, and what can still be read`)
  }
  if (call.text('generation') === undefined) {
    hints.push('--generation previous reads the state before the last commit, which may be whole')
  }
  if (!call.flag('lenient')) hints.push('--lenient reads what can be read safely all the same')
  hints.push(`\`revbolt bolt info ${name}\` shows both metas, \`inspect\` where the damage lies`)
  return new Failure(EXIT.found, `damage: ${error.message}`, { hints, cause: error })
}
