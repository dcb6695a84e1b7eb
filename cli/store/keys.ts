/** Which keys a command is about: KEY, KEY and END, --prefix, --from-key. */
import type { KeyRange } from '../../index.ts'
import { UsageError } from '../arguments.ts'
import type { Call, Options } from '../bolt/command.ts'
import { parseBytes, readBytesFormat } from './bytes.ts'

export const PREFIX_OPTION: Options = {
  prefix: { type: 'boolean', help: 'every key that begins with KEY; an empty KEY: every key' },
}

export const FROM_KEY_OPTION: Options = {
  'from-key': { type: 'boolean', help: 'every key from KEY on' },
}

export interface Keys {
  readonly range: KeyRange
  /** The key, where it is about that alone. */
  readonly single: Uint8Array | undefined
}

/** @throws {UsageError} */
export function readKeys(call: Call): Keys {
  const format = readBytesFormat(call)
  const [word, endWord] = call.positionals
  const isPrefix = call.flag('prefix')
  const isFrom = call.flag('from-key')
  if (isPrefix && isFrom) throw new UsageError('--prefix and --from-key: choose one')
  if (endWord !== undefined && (isPrefix || isFrom)) {
    throw new UsageError(`END does not go with --${isPrefix ? 'prefix' : 'from-key'}`)
  }
  if (word === undefined && !isPrefix && !isFrom) throw new UsageError('KEY is missing')
  const key = parseBytes(word ?? '', format)
  if (isPrefix) return { range: { prefix: key }, single: undefined }
  if (isFrom) return { range: { fromKey: key }, single: undefined }
  if (endWord !== undefined) {
    const end = parseBytes(endWord, format)
    if (Buffer.compare(key, end) < 0) return { range: { start: key, end }, single: undefined }
    throw new UsageError('END is not behind KEY, so no key lies between them')
  }
  if (key.length === 0) throw new UsageError('KEY is empty; with --prefix that is every key')
  return { range: { key }, single: key }
}
