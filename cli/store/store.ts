/** The commands of `revbolt` on a store. */
import type { Command, Options } from '../bolt/command.ts'
import { COMMON_OPTIONS } from '../bolt/call.ts'
import type { ExitCodes, Family } from '../family.ts'
import { runFamily } from '../family.ts'
import { BYTES_OPTIONS } from './bytes.ts'
import type { Db, StoreCommand, StoreSetting } from './command.ts'
import { compact } from './compact.ts'
import { defrag } from './defrag.ts'
import { del } from './del.ts'
import { diff } from './diff.ts'
import { exportCommand } from './export.ts'
import { get } from './get.ts'
import { history } from './history.ts'
import { importCommand } from './import.ts'
import { LEASE_COMMANDS } from './lease.ts'
import { OPENING_OPTIONS, explainWork, runOnStore } from './opening.ts'
import { PAST_COMMANDS } from './past.ts'
import { put } from './put.ts'
import { status } from './status.ts'
import { txn } from './txn.ts'
import { watchCommand } from './watch.ts'

/** In the order of the help. */
export const COMMANDS: readonly StoreCommand[] = [
  put,
  get,
  del,
  txn,
  watchCommand(runWords),
  history,
  diff,
  compact,
  defrag,
  status,
  exportCommand,
  importCommand,
]

/** What can be typed while a watch runs: what reads no standard input. */
const TYPED: readonly StoreCommand[] = [put, get, del, history, diff, compact, status]

/** What comes behind the first word of a call. */
export const NAMES: readonly string[] = [
  ...COMMANDS.map(({ name }) => name),
  ...['lease', 'rollback', 'restore', 'archive'],
]

/** Every command on a store has these. */
export const STORE_OPTIONS: Options = { ...OPENING_OPTIONS, ...BYTES_OPTIONS, ...COMMON_OPTIONS }

const EXIT_CODES: ExitCodes = [
  ['0', 'done'],
  ['1', 'the store refused it, or what was asked for is not there, or damage was found'],
  ['2', 'the command line can’t be understood; nothing was opened'],
  ['3', 'the store can’t be opened or written: missing, in use, no permission, disk full'],
  ['70', 'a bug of this program; please report it'],
  ['130, 143', 'stopped by a signal; 141: nobody read the output any more'],
]

const TYPED_FAMILIES: NonNullable<Family['families']> = [
  ['lease COMMAND', 'grants, renews and ends leases'],
  ['exit', 'ends the watch'],
]

function asCommand(command: StoreCommand, setting: StoreSetting): Command {
  const run = command.run ?? ((call, its) => runOnStore(command, call, its))
  return { ...command, run: (call) => run(call, setting) }
}

function storeFamily(setting: StoreSetting): Family {
  return {
    name: '',
    subject: '',
    about: [
      'A multi-version key-value store in a directory: every change makes a revision, and ' +
        'every revision stays readable until it is compacted.',
    ],
    options: STORE_OPTIONS,
    note: '',
    commands: [
      ...COMMANDS.map((command) => asCommand(command, setting)),
      ...PAST_COMMANDS.map((command) => command(setting)),
    ],
    families: [
      ['lease COMMAND', 'grants, renews and ends leases: keys that go away by themselves'],
      ['snapshot COMMAND', 'backups: a store into a file, and a store of one'],
      ['bolt COMMAND FILE', 'looks into any bbolt file: revbolt’s, etcd’s, bbolt’s own'],
      ['wal COMMAND PATH', 'looks into the log of a store'],
    ],
    exitCodes: EXIT_CODES,
    hasCodes: true,
  }
}

function leaseFamily(setting: StoreSetting): Family {
  return {
    name: 'lease',
    subject: '',
    about: [
      'Keys that are attached to a lease are deleted when it ends. Its time runs only while some ' +
        'process has the store open to write: between two calls of this program it stands still.',
      'An ID is hex, as it is printed.',
    ],
    options: STORE_OPTIONS,
    note: '',
    commands: LEASE_COMMANDS.map((command) => asCommand(command, setting)),
    exitCodes: EXIT_CODES,
    hasCodes: true,
  }
}

/** Runs a command that was typed, on a store that is open. */
async function runWords(words: readonly string[], db: Db, setting: StoreSetting): Promise<number> {
  const typed = (command: StoreCommand): Command => ({
    ...command,
    run: async (call) => {
      const work = await command.prepare(call, setting)
      try {
        return await work(db)
      } catch (error) {
        throw explainWork(error)
      }
    },
  })
  const [name, ...rest] = words
  const isLease = name === 'lease'
  const family = isLease ? leaseFamily(setting) : storeFamily(setting)
  const commands = (isLease ? LEASE_COMMANDS : TYPED).map(typed)
  const options = { ...BYTES_OPTIONS, ...COMMON_OPTIONS }
  const families = isLease ? [] : TYPED_FAMILIES
  const open = { ...family, isInside: true, commands, options, families }
  return runFamily(open, isLease ? rest : words, setting)
}

/** Runs one command. Returns the exit code; throws only where the signal was aborted. */
export async function runStore(args: readonly string[], setting: StoreSetting): Promise<number> {
  const [name, ...rest] = args
  if (name === 'lease') return runFamily(leaseFamily(setting), rest, setting)
  return runFamily(storeFamily(setting), args, setting)
}
