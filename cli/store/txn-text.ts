/**
 * A transaction as etcdctl writes it: three blocks of lines with a blank line behind each.
 *
 *   mod("config/theme") = "7"          compares, all of which must hold
 *
 *   put config/theme light             what runs where they do
 *
 *   get config/theme                   what runs otherwise
 *
 * A compare's target is value, version, create, mod or lease; its operator =, !=, < or >. Requests
 * are put, get and del, with their options. A line that begins with # is skipped, and so are the
 * headings that etcdctl prompts with.
 */
import type { Compare, CompareOperator, Op, TxnRequest } from '../../index.ts'
import { UsageError } from '../arguments.ts'
import { parseCount, readCall } from '../bolt/call.ts'
import type { BytesFormat } from './bytes.ts'
import { BYTES_OPTIONS, parseBytes } from './bytes.ts'
import type { StoreSetting } from './command.ts'
import { DEL_OPTIONS, del } from './del.ts'
import { GET_OPTIONS, get, readSelection } from './get.ts'
import { readKeys } from './keys.ts'
import { readLease } from './lease-id.ts'
import { PUT_OPTIONS, put, readPut } from './put.ts'
import { readWord, skipBlanks, splitWords } from './words.ts'

const BLOCKS = 3
const HEADING = /^(compares|(success|failure) requests( \(.*\))?):$/
const REQUESTS = 'put, get and del'

const TARGETS: Readonly<Record<string, Compare['target']>> = {
  value: 'value',
  val: 'value',
  version: 'version',
  ver: 'version',
  create: 'createRevision',
  c: 'createRevision',
  mod: 'modRevision',
  m: 'modRevision',
  lease: 'lease',
}

export interface Line {
  readonly text: string
  readonly number: number
}

/** @throws {UsageError} that begins with the line's number */
export async function readTxnText(
  text: string,
  format: BytesFormat,
  setting: StoreSetting,
): Promise<TxnRequest<Uint8Array>> {
  const [compares = [], success = [], failure = []] = blocksOf(text)
  const read = (lines: readonly Line[]): Promise<readonly Op<Uint8Array>[]> =>
    Promise.all(lines.map((line) => atLine(line, () => readRequest(line.text, format, setting))))
  const compare = compares.map((line) => atLine(line, () => readCompare(line.text, format)))
  return {
    compare: await Promise.all(compare),
    success: await read(success),
    failure: await read(failure),
  }
}

async function atLine<T>({ number }: Line, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (!(cause instanceof UsageError)) throw cause
    throw new UsageError(`line ${number}: ${cause.message}`, { cause })
  }
}

function blocksOf(text: string): readonly (readonly Line[])[] {
  const blocks: Line[][] = [[]]
  text.split('\n').forEach((each, index) => {
    const line = { text: each.trim(), number: index + 1 }
    if (line.text === '') blocks.push([])
    else if (!line.text.startsWith('#') && !HEADING.test(line.text)) blocks.at(-1)?.push(line)
  })
  const extra = blocks.slice(BLOCKS).flat()[0]
  if (extra === undefined) return blocks
  throw new UsageError(
    `line ${extra.number}: it stands behind the third block; a blank line ends each of ` +
      'compares, success and failure',
  )
}

function readCompare(line: string, format: BytesFormat): Compare<Uint8Array> {
  const head = /^([a-z]+)\s*\(\s*/i.exec(line)
  const target = TARGETS[head?.[1]?.toLowerCase() ?? '']
  if (head === null || target === undefined) throw notCompare(line)
  const keyWord = readWord(line, head[0].length, ')')
  const tail = /^\s*\)\s*(!=|[=<>])\s*/.exec(line.slice(keyWord.end))
  if (tail === null || keyWord.text === '') throw notCompare(line)
  const operator = operatorOf(tail[1])
  const valueWord = readWord(line, keyWord.end + tail[0].length)
  if (skipBlanks(line, valueWord.end) < line.length) throw notCompare(line)
  const base = { key: parseBytes(keyWord.text, format), operator }
  const { text } = valueWord
  if (target === 'value') return { ...base, target, value: parseBytes(text, format) }
  if (target === 'lease') {
    return { ...base, target, value: /^(0x)?0+$/.test(text) ? 0n : readLease(text, 'the lease') }
  }
  return { ...base, target, value: parseCount(text, 'the number', 0) }
}

function operatorOf(sign: string | undefined): CompareOperator {
  return sign === '!=' || sign === '<' || sign === '>' ? sign : '='
}

function notCompare(line: string): UsageError {
  return new UsageError(`${line} is no compare; one is: mod("key") = "7"`)
}

async function readRequest(
  line: string,
  format: BytesFormat,
  setting: StoreSetting,
): Promise<Op<Uint8Array>> {
  const [name = '', ...words] = splitWords(line)
  const args = format === 'text' ? words : [`--${format}`, ...words]
  const family = { name: '', isInside: true, options: BYTES_OPTIONS }
  switch (name) {
    case 'put': {
      const call = readCall(family, { ...put, options: PUT_OPTIONS }, args)
      return { ...(await readPut(call, { ...setting, input: undefined })), type: 'put' }
    }
    case 'get': {
      const call = readCall(family, { ...get, options: GET_OPTIONS }, args)
      return { ...readSelection(call, readKeys(call)), type: 'range' }
    }
    case 'del': {
      const call = readCall(family, { ...del, options: DEL_OPTIONS }, args)
      return { ...readKeys(call).range, previous: call.flag('prev'), type: 'delete' }
    }
    default:
      throw new UsageError(`there is no request ${name}; there are ${REQUESTS}`)
  }
}
