/** `revbolt history`: what a key was, revision by revision. */
import { readCount } from '../bolt/call.ts'
import type { Call } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { Failure } from '../bolt/failure.ts'
import { printJson } from '../bolt/output.ts'
import type { BytesFormat } from './bytes.ts'
import { jsonOf, parseBytes, readBytesFormat, showBytes } from './bytes.ts'
import { showChange } from './change.ts'
import type { Db, StoreCommand, StoreSetting, Work } from './command.ts'
import { showLease } from './entry.ts'
import type { StoreEvent } from './events.ts'
import { pastEvents, revisionOf } from './events.ts'
import { UsageError } from '../arguments.ts'

const LIMIT_DEFAULT = 20
/** The column that tells version and creation. */
const NUMBERS_WIDTH = 12

interface Step {
  readonly event: StoreEvent
  /** What the key held before; undefined where it was not there, or that is compacted. */
  readonly before: Uint8Array | undefined
}

interface Walk {
  /** How many steps are wanted. */
  readonly limit: number
  readonly signal: AbortSignal
}

/**
 * Newest first; one step more than the limit, where there is one. It goes from each revision of the
 * key to the one before as long as it was not deleted in between, and reads the store's history
 * only for what lies before that.
 */
export async function* newestFirst(
  db: Db,
  key: Uint8Array,
  { limit, signal }: Walk,
): AsyncGenerator<Step, void, void> {
  const { compactedRevision = 0 } = await db.status({ signal })
  const oldest = Math.max(compactedRevision, 1)
  let taken = 0
  /** This revision and those after it are told. */
  let told = Infinity
  const snapshot = db.snapshot()
  try {
    let kv = await snapshot.get(key, { signal })
    while (kv !== undefined) {
      const { version, modRevision } = kv
      const hasBefore = version > 1 && modRevision > oldest
      const revision = modRevision - 1
      const before = hasBefore ? await snapshot.get(key, { revision, signal }) : undefined
      yield { event: { type: 'put', kv, previous: undefined }, before: before?.value }
      taken++
      told = modRevision
      kv = before
    }
  } finally {
    await snapshot.close()
  }
  if (told <= oldest) return
  const kept: Step[] = []
  for await (const step of oldestFirst(db, key, signal)) {
    if (revisionOf(step.event) >= told) break
    kept.push(step)
    if (kept.length > limit - taken + 1) kept.shift()
  }
  yield* kept.reverse()
}

async function* oldestFirst(
  db: Db,
  key: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Step, void, void> {
  const { compactedRevision = 0 } = await db.status({ signal })
  let before: Uint8Array | undefined
  const startRevision = Math.max(compactedRevision, 1)
  // What the key held at the compacted revision was written there or before.
  const first = compactedRevision > 0 ? await db.get(key, { revision: startRevision }) : undefined
  if (first !== undefined && first.modRevision < startRevision) {
    yield { event: { type: 'put', kv: first, previous: undefined }, before }
    before = first.value
  }
  for await (const event of pastEvents(db, { key, startRevision, signal })) {
    yield { event, before }
    before = event.type === 'put' ? event.kv.value : undefined
  }
}

function prepare(call: Call, setting: StoreSetting): Work {
  const format = readBytesFormat(call)
  const key = parseBytes(call.positionals[0] ?? '', format)
  if (key.length === 0) throw new UsageError('KEY is empty')
  const limit = call.flag('all') ? Infinity : (readCount(call, 'limit', 1) ?? LIMIT_DEFAULT)
  const { screen, signal } = setting
  return async (db) => {
    const steps = call.flag('reverse')
      ? oldestFirst(db, key, signal)
      : newestFirst(db, key, { limit, signal })
    let count = 0
    for await (const step of steps) {
      count++
      if (count > limit) break
      if (call.isJson) printJson(screen, jsonOfStep(step, format))
      else printStep(step, format, setting)
      await screen.catchUp(signal)
    }
    if (count === 0) {
      throw new Failure(EXIT.found, `no revision has a key ${showBytes(key, format)}`)
    }
    if (!call.isJson && count > limit) {
      setting.complaints.print(setting.complaints.style('dim', 'more: --limit N, --all'))
    }
    return EXIT.ok
  }
}

function jsonOfStep({ event }: Step, format: BytesFormat): unknown {
  const revision = revisionOf(event)
  if (event.type === 'delete') return jsonOf({ revision, deleted: true, key: event.key }, format)
  return jsonOf({ revision, deleted: false, ...event.kv }, format)
}

function printStep({ event, before }: Step, format: BytesFormat, { screen }: StoreSetting): void {
  const revision = String(revisionOf(event)).padStart(8)
  const after = event.type === 'put' ? event.kv.value : undefined
  const numbers = numbersOf(event).padEnd(NUMBERS_WIDTH)
  const lease =
    event.type === 'put' && event.kv.lease !== 0n ? `  lease ${showLease(event.kv.lease)}` : ''
  const width = screen.width - revision.length - numbers.length - 4 - lease.length
  const shown = showChange(screen, { before, after }, { format, width })
  const styled = event.type === 'put' ? numbers : screen.style('red', numbers)
  const words = [screen.style('yellow', revision), styled, shown.text]
  screen.print((words.join('  ') + screen.style('dim', lease)).trimEnd())
  for (const more of shown.lines) screen.print(more)
}

function numbersOf(event: StoreEvent): string {
  if (event.type === 'delete') return 'deleted'
  const { version } = event.kv
  return version === 1 ? 'created' : `version ${version}`
}

export const history: StoreCommand = {
  name: 'history',
  positionals: 'KEY',
  counts: [1, 1],
  summary: 'what a key was, revision by revision',
  details:
    'Shows every revision that wrote or deleted KEY, as far back as history was not compacted, ' +
    'the newest first, with what changed.',
  examples: ['revbolt history config/theme', 'revbolt history config/theme --all --json'],
  options: {
    limit: { type: 'string', value: 'N', help: `at most so many (default: ${LIMIT_DEFAULT})` },
    all: { type: 'boolean', help: 'without a limit' },
    reverse: { type: 'boolean', help: 'the oldest first' },
  },
  access: 'read',
  prepare,
}
