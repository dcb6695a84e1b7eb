/** What differs between two states of a store, shown for people or as JSON. */
import type { DiffSelection, KeyChange } from '../../index.ts'
import type { Call, Options, Setting } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { printJson } from '../bolt/output.ts'
import { displayWidth, fit, formatCount } from '../format.ts'
import type { BytesFormat } from './bytes.ts'
import { jsonOf, readBytesFormat, showBytes } from './bytes.ts'
import { showChange } from './change.ts'
import { FROM_KEY_OPTION, PREFIX_OPTION, readKeys } from './keys.ts'

export const CHANGES_OPTIONS: Options = {
  ...PREFIX_OPTION,
  ...FROM_KEY_OPTION,
  'by-value': { type: 'boolean', help: 'a key put anew with the same value is no change' },
  'keys-only': { type: 'boolean', help: 'leave the values out' },
  'count-only': { type: 'boolean', help: 'only how many keys were added, changed, removed' },
  'exit-code': { type: 'boolean', help: 'end with 1 where anything differs' },
}

/** Columns that a value has beside a long key. */
const VALUE_WIDTH_MIN = 20
const MARKS = { added: '+', changed: '~', removed: '-' } as const
const COLOURS = { added: 'green', changed: 'yellow', removed: 'red' } as const

type Change = KeyChange<Uint8Array | undefined, Uint8Array>
type Selection = Required<Pick<DiffSelection<'bytes', boolean>, 'by' | 'keysOnly' | 'encoding'>> &
  DiffSelection<'bytes', boolean>

/** Which keys are compared, and how. No KEY: all of them. @throws {UsageError} */
export function readDiff(call: Call, positionals: readonly string[]): Selection {
  const isAll = positionals.length === 0 && !call.flag('prefix') && !call.flag('from-key')
  const { range } = isAll ? { range: {} } : readKeys({ ...call, positionals })
  return {
    ...range,
    by: call.flag('by-value') ? 'value' : 'revision',
    keysOnly: call.flag('keys-only') || call.flag('count-only'),
    encoding: 'bytes',
  }
}

/** Prints changes as they come. Returns the exit code. */
export async function printChanges(
  changes: AsyncIterable<Change>,
  call: Call,
  { screen, complaints, signal }: Setting,
): Promise<number> {
  const format = readBytesFormat(call)
  const counts = { added: 0, changed: 0, removed: 0 }
  const isCounting = call.flag('count-only')
  for await (const change of changes) {
    counts[change.kind]++
    if (isCounting) continue
    if (call.isJson) printJson(screen, jsonOf(change, format))
    else printChange(change, format, screen)
    await screen.catchUp(signal)
  }
  if (isCounting && call.isJson) printJson(screen, jsonOf(counts, format))
  else if (isCounting) screen.print(countsText(counts))
  else if (!call.isJson) complaints.print(complaints.style('dim', countsText(counts)))
  const isSame = counts.added + counts.changed + counts.removed === 0
  return call.flag('exit-code') && !isSame ? EXIT.found : EXIT.ok
}

function countsText(counts: Readonly<Record<Change['kind'], number>>): string {
  const told = (['added', 'changed', 'removed'] as const).flatMap((kind) =>
    counts[kind] === 0 ? [] : [`${formatCount(counts[kind])} ${kind}`],
  )
  return told.length === 0 ? 'nothing differs' : told.join(', ')
}

/** `~ config/theme  dark → light`. */
function printChange(change: Change, format: BytesFormat, screen: Setting['screen']): void {
  const { kind, before, after } = change
  const key = fit(
    showBytes(change.key, format),
    Math.max(screen.width - VALUE_WIDTH_MIN - 4, screen.width / 2),
  )
  const mark = screen.style(COLOURS[kind], MARKS[kind])
  const line = `${mark} ${screen.style('cyan', key)}`
  if (before?.value === undefined && after?.value === undefined) {
    screen.print(line)
    return
  }
  const width = screen.width - displayWidth(key) - 4
  const values = { before: before?.value, after: after?.value }
  const shown = showChange(screen, values, { format, width })
  screen.print(`${line}  ${shown.text}`.trimEnd())
  for (const more of shown.lines) screen.print(more)
}
