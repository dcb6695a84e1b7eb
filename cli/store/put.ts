/** `revbolt put`. */
import type { PutOp } from '../../index.ts'
import { UsageError } from '../arguments.ts'
import type { Call, Options } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { printJson } from '../bolt/output.ts'
import { jsonOf, parseBytes, readBytesFormat } from './bytes.ts'
import type { StoreCommand, StoreSetting, Work } from './command.ts'
import { entryLine } from './entry.ts'
import { readAll } from './input.ts'
import { readLease } from './lease-id.ts'

type PutFields = Omit<PutOp<Uint8Array>, 'type' | 'key'> & { readonly key: Uint8Array }

/** The options of a put, also in a transaction. */
export const PUT_OPTIONS: Options = {
  lease: { type: 'string', value: 'ID', help: 'attach the key to this lease' },
  prev: { type: 'boolean', help: 'show what the key held before' },
  'ignore-value': { type: 'boolean', help: 'keep the value that is there; the key must exist' },
  'ignore-lease': { type: 'boolean', help: 'keep the lease that is there; the key must exist' },
}

/** Reads a put from the command line, or from a line of a transaction, which has no input. */
export async function readPut(call: Call, setting: StoreSetting): Promise<PutFields> {
  const format = readBytesFormat(call)
  const [word = '', valueWord] = call.positionals
  const key = parseBytes(word, format)
  if (key.length === 0) throw new UsageError('KEY is empty')
  const ignoreValue = call.flag('ignore-value')
  const ignoreLease = call.flag('ignore-lease')
  if (ignoreValue && valueWord !== undefined) {
    throw new UsageError('--ignore-value keeps the value; leave VALUE away')
  }
  const leaseWord = call.text('lease')
  if (ignoreLease && leaseWord !== undefined) {
    throw new UsageError('--lease and --ignore-lease: choose one')
  }
  const lease = leaseWord === undefined ? {} : { lease: readLease(leaseWord, '--lease') }
  const fields = { key, previous: call.flag('prev'), ignoreLease, ...lease }
  if (ignoreValue) return { ...fields, ignoreValue }
  const isTyped = valueWord !== undefined && valueWord !== '-'
  const value = isTyped ? parseBytes(valueWord, format) : await readAll(setting, 'VALUE')
  return { ...fields, value }
}

async function prepare(call: Call, setting: StoreSetting): Promise<Work> {
  const format = readBytesFormat(call)
  const { key, value, ...options } = await readPut(call, setting)
  const { screen, signal } = setting
  return async (db) => {
    const result =
      value === undefined
        ? await db.put(key, undefined, { ...options, ignoreValue: true, signal })
        : await db.put(key, value, { ...options, signal })
    if (call.isJson) {
      printJson(screen, jsonOf(result, format))
      return EXIT.ok
    }
    screen.print(`revision ${result.revision}`)
    const { previous } = result
    if (previous !== undefined) {
      screen.print(`was ${entryLine(screen, previous, { format, isLong: true, isCut: false })}`)
    }
    return EXIT.ok
  }
}

export const put: StoreCommand = {
  name: 'put',
  positionals: 'KEY [VALUE]',
  counts: [1, 2],
  summary: 'write a key',
  details:
    'Puts VALUE under KEY, and prints the revision that this made; on stable storage by then. ' +
    'Without VALUE, or where it is -, the value is what standard input has, byte for byte.',
  examples: ['revbolt put config/theme dark', 'revbolt put images/logo < logo.png'],
  options: PUT_OPTIONS,
  takesEmpty: true,
  access: 'create',
  prepare,
}
