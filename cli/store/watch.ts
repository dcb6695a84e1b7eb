/** `revbolt watch`: changes, as they come or as they came. */
import type { WatchOptions } from '../../index.ts'
import { UsageError } from '../arguments.ts'
import { readCount } from '../bolt/call.ts'
import type { Call } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { printJson } from '../bolt/output.ts'
import { displayWidth } from '../format.ts'
import type { Screen } from '../screen.ts'
import type { BytesFormat } from './bytes.ts'
import { jsonOf, readBytesFormat } from './bytes.ts'
import { showChange, showKey } from './change.ts'
import type { Db, StoreCommand, StoreSetting, Work } from './command.ts'
import type { StoreEvent } from './events.ts'
import { keyOf, pastEvents, revisionOf } from './events.ts'
import { FROM_KEY_OPTION, PREFIX_OPTION, readKeys } from './keys.ts'
import type { RunWords, Shell } from './shell.ts'

const REVISION_WIDTH = 7
const TYPE_WIDTH = 'DELETE'.length
const TIME_WIDTH = '23:59:59'.length
const KEY_WIDTH_MIN = 12

type Watching = Omit<WatchOptions, 'encoding'>

interface Shape {
  readonly watching: Watching
  readonly format: BytesFormat
  readonly isJson: boolean
  /** Whether JSON has what was there before. */
  readonly hasPrevious: boolean
  /** Whether there is a column for the time. */
  readonly hasTime: boolean
}

function readShape(call: Call): Shape {
  const isOnce = call.flag('once')
  const isAll = call.positionals.length === 0 && !call.flag('prefix') && !call.flag('from-key')
  const range = isAll ? { prefix: '' } : readKeys(call).range
  const startRevision = readCount(call, 'rev', 1)
  const only = call.text('only')
  if (only !== undefined && only !== 'put' && only !== 'delete') {
    throw new UsageError(`--only: expected put or delete, got ${only}`)
  }
  if (isOnce && call.flag('progress')) throw new UsageError('--progress does not go with --once')
  return {
    watching: { ...range, startRevision, only, previous: true, progress: call.flag('progress') },
    format: readBytesFormat(call),
    isJson: call.isJson,
    hasPrevious: call.flag('prev'),
    hasTime: !isOnce && !call.isJson,
  }
}

/** The history so far. */
async function replay(db: Db, shape: Shape, { screen, signal }: StoreSetting): Promise<number> {
  const { compactedRevision = 0 } = await db.status({ signal })
  const { watching } = shape
  const startRevision = watching.startRevision ?? Math.max(compactedRevision, 1)
  for await (const event of pastEvents(db, { ...watching, startRevision, signal })) {
    printEvent(screen, event, shape, '')
    await screen.catchUp(signal)
  }
  return EXIT.ok
}

async function live(
  db: Db,
  shape: Shape,
  setting: StoreSetting,
  runWords: RunWords,
): Promise<number> {
  const { signal } = setting
  const { revision } = await db.status({ signal })
  // Only here, as all commands would wait for it.
  const { Shell } = await import('./shell.ts')
  const shell = new Shell(setting, runWords)
  const failed = new AbortController()
  greet(setting, shell, shape.watching.startRevision ?? revision + 1)
  const printing = follow(db, shape, { setting, shell, since: revision })
  printing.catch(() => failed.abort())
  const exitCode = await shell.run(db, AbortSignal.any([signal, failed.signal]))
  // Ends the watch when all that was written has been shown.
  await db.close()
  await printing
  signal.throwIfAborted()
  return exitCode
}

function greet({ complaints }: StoreSetting, shell: Shell, from: number): void {
  if (!shell.isInteractive) return
  const say = (text: string): void => complaints.print(complaints.style('dim', text))
  say(`watching from revision ${from}. This process owns the store: type what should happen,`)
  say('for example put a 1, del a, or help. Ctrl-D ends it.')
}

interface Following {
  readonly setting: StoreSetting
  readonly shell: Shell
  /** What came later is told with its time. */
  readonly since: number
}

async function follow(db: Db, shape: Shape, { setting, shell, since }: Following): Promise<void> {
  const { screen, signal, today } = setting
  for await (const { events, revision } of db.watch({ ...shape.watching, signal })) {
    const time = revision > since ? timeOf(today()) : ''
    shell.aside(() => {
      for (const event of events) {
        printEvent(screen, event, shape, revisionOf(event) > since ? time : '')
      }
      if (events.length === 0) printProgress(screen, revision, shape, time)
    })
    await screen.catchUp(signal)
  }
}

/** `14:03:22`, of the day where the program runs. */
function timeOf(date: Date): string {
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()]
  return parts.map((part) => String(part).padStart(2, '0')).join(':')
}

function printEvent(screen: Screen, event: StoreEvent, shape: Shape, time: string): void {
  const { format, isJson, hasTime } = shape
  const revision = revisionOf(event)
  if (isJson) {
    const { type, previous, ...fields } = event
    const before = shape.hasPrevious ? { previous } : {}
    printJson(screen, jsonOf({ type, revision, ...fields, ...before }, format))
    return
  }
  const start = hasTime ? `${screen.style('dim', time.padEnd(TIME_WIDTH))}  ` : ''
  const used = (hasTime ? TIME_WIDTH + 2 : 0) + REVISION_WIDTH + TYPE_WIDTH + 6
  const room = screen.width - used
  const key = showKey(keyOf(event), format, Math.max(KEY_WIDTH_MIN, Math.floor(room / 2)))
  const change = { before: event.previous?.value, after: afterOf(event) }
  const width = room - displayWidth(key)
  const shown = showChange(screen, change, { format, width })
  const words = [
    screen.style('yellow', String(revision).padStart(REVISION_WIDTH)),
    event.type === 'put' ? screen.style('green', 'PUT   ') : screen.style('red', 'DELETE'),
    screen.style('cyan', key),
    shown.text,
  ]
  screen.print((start + words.join('  ')).trimEnd())
  for (const line of shown.lines) screen.print(line)
}

function afterOf(event: StoreEvent): Uint8Array | undefined {
  return event.type === 'put' ? event.kv.value : undefined
}

function printProgress(screen: Screen, revision: number, shape: Shape, time: string): void {
  if (shape.isJson) {
    printJson(screen, { type: 'progress', revision: String(revision) })
    return
  }
  const words = [time.padEnd(TIME_WIDTH), String(revision).padStart(REVISION_WIDTH), 'up to here']
  screen.print(screen.style('dim', words.join('  ')))
}

/** @param runWords runs what is typed while it watches */
export function watchCommand(runWords: RunWords): StoreCommand {
  return {
    name: 'watch',
    positionals: '[KEY [END]]',
    counts: [0, 2],
    summary: 'show changes as they happen, or with --once as they happened',
    details:
      'Shows each change of KEY, of the keys up to END, or of every key: its revision, what ' +
      'was done, and the value, old → new. One process owns a store, so changes by others ' +
      'can’t be seen here: commands come from standard input (put, get, del, lease, …) while it ' +
      'watches, until that ends. Events go to standard output, answers to standard error. With ' +
      '--once it only reads: the history, from --rev or the oldest readable revision to now.',
    examples: [
      'revbolt watch config/ --prefix',
      'revbolt watch --once --rev 12 --json',
      "printf 'put a 1\\nput a 2\\n' | revbolt watch a",
    ],
    options: {
      ...PREFIX_OPTION,
      ...FROM_KEY_OPTION,
      rev: { type: 'string', value: 'N', help: 'begin with this revision (default: the next)' },
      once: { type: 'boolean', help: 'only what has happened so far' },
      only: { type: 'string', value: 'WHAT', help: 'put or delete' },
      prev: { type: 'boolean', help: 'with --json: add what the key held before' },
      progress: { type: 'boolean', help: 'also tell how far it has come without events' },
    },
    takesEmpty: true,
    access: (call) => (call.flag('once') ? 'read' : 'write'),
    prepare: (call: Call, setting: StoreSetting): Work => {
      const shape = readShape(call)
      return (db) =>
        call.flag('once') ? replay(db, shape, setting) : live(db, shape, setting, runWords)
    },
  }
}
