/** `revbolt archive`, `rollback` and `restore`: a store's past. They open no store to read it. */
import { resolve } from 'node:path'
import type { ArchiveInfo, MomentInput, RestoreResult, RollbackResult } from '../../index.ts'
import { UsageError } from '../arguments.ts'
import { parseCount } from '../bolt/call.ts'
import type { Call, Command, Options } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { labelled, printJson } from '../bolt/output.ts'
import { alignRows, formatBytes, formatCount, plural } from '../format.ts'
import type { StoreSetting } from './command.ts'
import { explainWork, placeOf, readWait } from './opening.ts'

const MOMENT_OPTIONS: Options = {
  revision: { type: 'string', value: 'N', help: 'right after revision N' },
  time: {
    type: 'string',
    value: 'T',
    help: 'after the last write at or before T: 2026-05-01T12:00:00Z, or ms since 1970',
  },
  txid: { type: 'string', value: 'N', help: 'after commit N of the log; see `revbolt wal dump`' },
}

function readMoment(call: Call): MomentInput | undefined {
  const [revision, time, txid] = ['revision', 'time', 'txid'].map((name) => call.text(name))
  const given = [revision, time, txid].filter((each) => each !== undefined)
  if (given.length > 1) throw new UsageError('name one moment: --revision, --time or --txid')
  if (revision !== undefined) return { revision: parseCount(revision, '--revision', 1) }
  if (txid !== undefined) return { txid: parseCount(txid, '--txid', 1) }
  if (time === undefined) return undefined
  const timeMs = /^\d+$/.test(time) ? Number(time) : Date.parse(time)
  if (Number.isFinite(timeMs)) return { time: timeMs }
  throw new UsageError(`--time: ${JSON.stringify(time)} is no time`)
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString()
}

/** The directory named, or the one that all commands take. */
function directoryOf(call: Call, setting: StoreSetting): string {
  return placeOf(call, setting, call.positionals[0]).path
}

/** Where the store stands when it is done. */
function madeRows(done: RestoreResult): [string, string][] {
  const { revision, txid, timeMs, baseTxid, commits } = done
  const redone = `${plural(commits, 'commit')} done again on the base of commit ${baseTxid}`
  return [
    ['revision', formatCount(revision)],
    ['commit', formatCount(txid)],
    ['time', timeText(timeMs)],
    ['by', redone],
  ]
}

function rollback(setting: StoreSetting): Command {
  return {
    name: 'rollback',
    positionals: '[DIR]',
    counts: [0, 1],
    summary: 'bring a store back to a moment: undo',
    details:
      'Brings the store in DIR (default: as --data) back to a moment that its archive reaches. ' +
      'The store must not be open. What it was before is kept, whole, in a directory ' +
      'before-rollback-TIME inside it. A power cut leaves the old state or the new.',
    examples: ['revbolt rollback --revision 1200 --dry-run', 'revbolt rollback data --txid 77'],
    options: {
      ...MOMENT_OPTIONS,
      'dry-run': { type: 'boolean', help: 'tell what would be, and change nothing' },
    },
    run: async (call) => {
      const directory = directoryOf(call, setting)
      const to = readMoment(call)
      if (to === undefined) throw new UsageError('name the moment: --revision, --time or --txid')
      const dryRun = call.flag('dry-run')
      const { signal } = setting
      const options = { lockTimeoutMs: readWait(call), signal, dryRun }
      const done = await told(async () =>
        (await import('../../index.ts')).rollback(directory, to, options),
      )
      printRollback(call, setting, { done, dryRun })
      return EXIT.ok
    },
  }
}

function printRollback(
  call: Call,
  { screen }: StoreSetting,
  { done, dryRun }: { readonly done: RollbackResult; readonly dryRun: boolean },
): void {
  if (call.isJson) {
    printJson(screen, { ...done.toJSON(), dryRun })
    return
  }
  const { directory, revisionBefore, kept } = done
  const before =
    revisionBefore === undefined ? 'its end can’t be read' : formatCount(revisionBefore)
  labelled(screen, [
    ['store', directory],
    ['revision before', before],
    ...madeRows(done),
    ['kept', kept ?? 'nothing was changed'],
  ])
}

function restore(setting: StoreSetting): Command {
  return {
    name: 'restore',
    positionals: 'SOURCE TARGET',
    counts: [2, 2],
    summary: 'make a store of what another one was',
    details:
      'Makes a store in TARGET, which must not be there, of what the one in SOURCE was: at the ' +
      'moment named, else at its end. SOURCE is a data directory with an archive, which must not ' +
      'be open, or a copy of an archive alone. It is only read.',
    examples: ['revbolt restore data yesterday --time 2026-05-01T12:00:00Z'],
    options: MOMENT_OPTIONS,
    run: async (call) => {
      const [source = '', target = ''] = call.positionals.map((each) =>
        resolve(setting.directory, each),
      )
      const to = readMoment(call) ?? 'end'
      const options = { lockTimeoutMs: readWait(call), signal: setting.signal }
      const done = await told(async () =>
        (await import('../../index.ts')).restoreTo(source, target, to, options),
      )
      if (call.isJson) printJson(setting.screen, done)
      else labelled(setting.screen, [['store', done.directory], ...madeRows(done)])
      return EXIT.ok
    },
  }
}

function archive(setting: StoreSetting): Command {
  return {
    name: 'archive',
    positionals: '[DIR]',
    counts: [0, 1],
    summary: 'what a store keeps to be brought back',
    details:
      'Lists the bases and the segments of the archive in DIR (default: as --data), or of a copy ' +
      'of one. Takes no lock. With --begin, an archive is begun for a store that has none: from ' +
      'then on every moment can be gone back to.',
    examples: ['revbolt archive', 'revbolt archive data --begin'],
    options: { begin: { type: 'boolean', help: 'begin an archive; the store must not be open' } },
    run: async (call) => {
      const directory = directoryOf(call, setting)
      if (call.flag('begin')) await told(() => begin(directory, call, setting))
      const info = await told(async () => (await import('../../index.ts')).readArchive(directory))
      if (call.isJson) printJson(setting.screen, info)
      else printArchive(info, setting)
      return info.bases.length > 0 ? EXIT.ok : EXIT.found
    },
  }
}

async function begin(directory: string, call: Call, { signal }: StoreSetting): Promise<void> {
  const { open } = await import('../../index.ts')
  // So that none is made where none is.
  const found = await open(directory, { readOnly: true, lockTimeoutMs: readWait(call), signal })
  await found.close()
  const store = await open(directory, { archive: true, lockTimeoutMs: readWait(call), signal })
  await store.close()
}

function printArchive(info: ArchiveInfo, { screen }: StoreSetting): void {
  const { directory, bases, segments, sizeBytes } = info
  if (bases.length === 0) {
    screen.print(`${directory}: no archive is there`)
    return
  }
  const bytes = segments.reduce((sum, each) => sum + each.sizeBytes, 0)
  labelled(screen, [
    ['archive', directory],
    ['size', formatBytes(sizeBytes)],
    ['segments', `${formatCount(segments.length)}, ${formatBytes(bytes)}`],
  ])
  screen.print()
  const rows = bases.map(({ revision, txid, timeMs, sizeBytes: size }) => [
    `revision ${formatCount(revision)}`,
    `commit ${formatCount(txid)}`,
    timeText(timeMs),
    formatBytes(size),
  ])
  for (const line of alignRows(rows, ['left', 'left', 'left', 'right'])) {
    screen.print(`  base at ${line}`)
  }
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    // Here it is a directory that can't be used.
    throw explainWork(error, ['KV_EXISTS'])
  }
}

/** The commands, as they run in a setting. */
export const PAST_COMMANDS: readonly ((setting: StoreSetting) => Command)[] = [
  rollback,
  restore,
  archive,
]
