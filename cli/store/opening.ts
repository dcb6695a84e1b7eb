/**
 * Opens the store that a command is about. What goes wrong comes out as a `Failure` that says what
 * to do next.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { UsageError } from '../arguments.ts'
import type { Call, Options } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { Failure, operatingCode } from '../bolt/failure.ts'
import { databaseIn, pathKind } from '../bolt/file-kind.ts'
import { showLease } from './entry.ts'
import type { Access, Db, StoreCommand, StoreSetting, Work } from './command.ts'

const DIRECTORY_VARIABLE = 'REVBOLT_DATA'
const DIRECTORY_DEFAULT = 'data'
const MS_PER_SECOND = 1000

export const OPENING_OPTIONS: Options = {
  data: {
    type: 'string',
    value: 'DIR',
    help: `the store's directory (default: $${DIRECTORY_VARIABLE}, else ./${DIRECTORY_DEFAULT})`,
  },
  wait: { type: 'string', value: 'SECONDS', help: 'wait that long for another owner to let go' },
}

/** What lies in a store's directory. */
const STORE_FILES =
  /^(db|lock)(\.lock(\.takeover)?)?$|^(wal|archive|rollback(\.partial)?|before-rollback-.*)$/

/** Codes that say that the files can't be used, whatever was asked. */
const REFUSED: ReadonlySet<string> = new Set([
  'KV_LOCKED',
  'KV_LOCK_UNSUPPORTED',
  'KV_READ_ONLY',
  'KV_NOT_FOUND',
  'KV_BAD_FILE',
  'KV_BAD_VERSION',
  'KV_LOG_MISMATCH',
  'KV_IO',
  'KV_POISONED',
  'KV_NO_SPACE',
])

export interface Place {
  /** As it was written, for messages. */
  readonly name: string
  /** Absolute. */
  readonly path: string
}

/** Opens the store, does the work and closes it. */
export async function runOnStore(
  command: StoreCommand,
  call: Call,
  setting: StoreSetting,
): Promise<number> {
  const access = typeof command.access === 'string' ? command.access : command.access(call)
  const lockTimeoutMs = readWait(call)
  const place = placeOf(call, setting, command.directory?.(call))
  const work = await command.prepare(call, setting)
  const isNew = mustBeUsable(place, access)
  const db = await openPlace(place, { access, lockTimeoutMs, setting })
  if (isNew && !call.isJson) setting.complaints.print(`made a new store in ${place.name}`)
  return closeAfter(db, work)
}

async function closeAfter(db: Db, work: Work): Promise<number> {
  try {
    return await work(db)
  } catch (error) {
    throw explainWork(error)
  } finally {
    await db.close()
  }
}

/** How long to wait for another owner, in ms. @throws {UsageError} */
export function readWait(call: Call): number {
  const wait = call.text('wait') ?? '0'
  if (/^\d+(\.\d+)?$/.test(wait)) return Number(wait) * MS_PER_SECOND
  throw new UsageError(`--wait: expected seconds, got ${wait}`)
}

/** @throws {UsageError} */
export function placeOf(
  call: Call,
  { directory, environment }: StoreSetting,
  argument: string | undefined,
): Place {
  const option = call.text('data')
  if (argument !== undefined && option !== undefined) {
    throw new UsageError(`DIR and --data name the same: leave one away`)
  }
  const asked = argument ?? option
  if (asked === '') throw new UsageError('--data: it is empty')
  const set = environment[DIRECTORY_VARIABLE] ?? ''
  const name = asked ?? (set === '' ? DIRECTORY_DEFAULT : set)
  return { name, path: resolve(directory, name) }
}

/** Whether a store is to be made. @throws {Failure} where there is none and none may be made */
function mustBeUsable({ name, path }: Place, access: Access): boolean {
  const kind = pathKind(path)
  if (kind === 'file') {
    const hints = [`its directory is what to name; \`revbolt bolt info ${name}\` looks into a file`]
    throw new Failure(EXIT.refused, `${name} is a file, not a directory`, { hints })
  }
  const names = kind === 'directory' ? namesIn({ name, path }) : []
  // A rollback that was cut short has moved it: opening brings it back.
  if (names.includes('db') || names.includes('rollback')) return false
  if (access !== 'create') throw noStore({ name, path })
  const foreign = names.find((each) => !STORE_FILES.test(each))
  if (foreign === undefined) return true
  const hints = ['name an empty directory, or one that is not there yet: --data DIR']
  throw new Failure(EXIT.refused, `${name} holds ${foreign} and no store`, { hints })
}

function namesIn({ name, path }: Place): readonly string[] {
  try {
    return readdirSync(path)
  } catch (cause) {
    throw new Failure(EXIT.refused, `there is no permission to read ${name}`, { cause })
  }
}

function noStore({ name, path }: Place): Failure {
  const hints = [`--data DIR or $${DIRECTORY_VARIABLE} names another; \`revbolt put\` makes one`]
  const inside = databaseIn(path)
  if (inside !== undefined) {
    const file = `${name}${inside.slice(path.length)}`
    hints.unshift(`\`revbolt bolt info ${file}\` looks into the database that is there`)
  }
  return new Failure(EXIT.refused, `there is no store in ${name}`, { hints })
}

interface Opening {
  readonly access: Access
  readonly lockTimeoutMs: number
  readonly setting: StoreSetting
}

async function openPlace(place: Place, { access, lockTimeoutMs, setting }: Opening): Promise<Db> {
  const { signal } = setting
  const { open } = await import('../../index.ts')
  try {
    const readOnly = access === 'read'
    return await open(place.path, { encoding: 'bytes', readOnly, lockTimeoutMs, signal })
  } catch (error) {
    throw explainOpening(error, place)
  }
}

function explainOpening(error: unknown, place: Place): unknown {
  const code = operatingCode(error)
  if (code === undefined || !(error instanceof Error)) return error
  const { name, path } = place
  const refused = (message: string, ...hints: readonly string[]): Failure =>
    new Failure(EXIT.refused, message, { hints, cause: error })
  switch (code) {
    case 'KV_LOCKED':
      return refused(`${name} is in use: ${lockedBy(error.message, path)}`, ...LOCKED_HINTS)
    case 'KV_LOG_MISMATCH':
      return refused(error.message, `\`revbolt wal verify ${name}\` says more`)
    case 'KV_BAD_FILE':
    case 'KV_BAD_VERSION':
      return refused(error.message, `\`revbolt bolt info ${name}/db\` says what it is`)
    case 'KV_CORRUPT':
      return new Failure(EXIT.found, `damage: ${error.message}`, {
        hints: [
          'copy the directory before anything else',
          `what is damaged: \`revbolt bolt check ${name}/db\`, \`revbolt wal verify ${name}\``,
        ],
        cause: error,
      })
    default:
      return refused(error.message)
  }
}

const LOCKED_HINTS = [
  'one process owns a store at a time: ask that one, end it, or --wait SECONDS until it lets go',
  '`revbolt wal dump DIR` shows what is being written, without a lock',
]

/** Who it is, as the lock file says; the error's own words where that is of no use. */
function lockedBy(message: string, path: string): string {
  const at = message.lastIndexOf(': locked ')
  const told = at === -1 ? message : message.slice(at + 2)
  if (/\d/.test(told)) return `it is ${told}`
  const pid = ownerIn(path)
  return pid === undefined ? `it is ${told}` : `it is ${told}; process ${pid} wrote to it last`
}

function ownerIn(path: string): number | undefined {
  try {
    const owner: unknown = JSON.parse(readFileSync(join(path, 'lock'), 'utf8'))
    if (typeof owner !== 'object' || owner === null || !('pid' in owner)) return undefined
    return typeof owner.pid === 'number' ? owner.pid : undefined
  } catch {
    return undefined
  }
}

/** What the store refused, with its exit code. */
export function explainWork(error: unknown, refusedToo: readonly string[] = []): unknown {
  const code = operatingCode(error)
  if (code === undefined || !(error instanceof Error)) return error
  const isRefused = REFUSED.has(code) || refusedToo.includes(code)
  const exitCode = isRefused ? EXIT.refused : EXIT.found
  const isUnknown = 'outcome' in error && error.outcome === 'unknown'
  const hints = isUnknown
    ? ['the write may have happened all the same: read before you repeat']
    : []
  return new Failure(exitCode, withLeases(error.message), { hints, cause: error })
}

/** Leases by the ids that this program takes. */
function withLeases(message: string): string {
  const show = (_: string, id: string): string => `lease ${showLease(BigInt(id))}`
  return message.replace(/\blease (-?\d{1,19})\b/, show)
}
