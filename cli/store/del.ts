/** `revbolt del`. */
import type { Call, Options } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { printJson } from '../bolt/output.ts'
import { plural } from '../format.ts'
import { jsonOf, readBytesFormat } from './bytes.ts'
import type { StoreCommand, StoreSetting, Work } from './command.ts'
import { entryLine } from './entry.ts'
import { FROM_KEY_OPTION, PREFIX_OPTION, readKeys } from './keys.ts'

/** The options of a delete, also in a transaction. */
export const DEL_OPTIONS: Options = {
  ...PREFIX_OPTION,
  ...FROM_KEY_OPTION,
  prev: { type: 'boolean', help: 'show what was deleted' },
}

function prepare(call: Call, { screen, signal }: StoreSetting): Work {
  const { range } = readKeys(call)
  const format = readBytesFormat(call)
  return async (db) => {
    const result = await db.delete(range, { previous: call.flag('prev'), signal })
    if (call.isJson) {
      printJson(screen, jsonOf(result, format))
      return EXIT.ok
    }
    const { deleted, revision, previous } = result
    const made = deleted === 0 ? '' : `, revision ${revision}`
    screen.print(`${plural(deleted, 'key')} deleted${made}`)
    const style = { format, isLong: true, isCut: screen.isTerminal }
    for (const entry of previous) screen.print(`was ${entryLine(screen, entry, style)}`)
    return EXIT.ok
  }
}

export const del: StoreCommand = {
  name: 'del',
  positionals: 'KEY [END]',
  counts: [1, 2],
  summary: 'delete a key, or the keys from KEY up to END',
  details:
    'Deletes in one revision, and says how many keys there were. Deleting nothing makes no ' +
    'revision, and is no error. Older revisions stay readable until they are compacted.',
  examples: ['revbolt del config/theme', 'revbolt del sessions/ --prefix'],
  options: DEL_OPTIONS,
  takesEmpty: true,
  access: 'write',
  prepare,
}
