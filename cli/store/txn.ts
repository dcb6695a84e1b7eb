/** `revbolt txn`. */
import type { KeyRange, OpResult, TxnRequest, TxnResult } from '../../index.ts'
import { UsageError } from '../arguments.ts'
import type { Call } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { printJson } from '../bolt/output.ts'
import { textOf } from '../bolt/value-format.ts'
import { plural } from '../format.ts'
import type { BytesFormat } from './bytes.ts'
import { jsonOf, readBytesFormat, showBytes } from './bytes.ts'
import type { Db, StoreCommand, StoreSetting, Work } from './command.ts'
import { entryLine } from './entry.ts'
import { readAll } from './input.ts'
import { readTxnJson } from './txn-json.ts'
import { readTxnText } from './txn-text.ts'

type Request = TxnRequest<Uint8Array>
type Result = OpResult<Uint8Array, Uint8Array>

async function prepare(call: Call, setting: StoreSetting): Promise<Work> {
  const format = readBytesFormat(call)
  const text = textOf(await readAll(setting, 'the transaction'))
  if (text === undefined) throw new UsageError('the transaction is not UTF-8')
  // No compare and no request begins with a brace.
  const isJson = call.flag('json-input') || text.trimStart().startsWith('{')
  const request: Request = isJson
    ? readTxnJson(text, format)
    : await readTxnText(text, format, setting)
  return async (db) => {
    const result = await commit(db, request, setting)
    if (call.isJson) printJson(setting.screen, jsonOf(result, format))
    else printResult(result, request, { format, setting })
    return result.succeeded || !call.flag('must-hold') ? EXIT.ok : EXIT.found
  }
}

async function commit(
  db: Db,
  request: Request,
  { signal }: StoreSetting,
): Promise<TxnResult<Uint8Array, Uint8Array>> {
  try {
    return await db.txn(request, { signal })
  } catch (cause) {
    // The store says what is wrong with the request, and where, by the argument's path.
    const isSlip = cause instanceof TypeError || cause instanceof RangeError
    if (isSlip && /^[a-z]+(\[\d+\])?(\.[a-zA-Z]+(\[\d+\])?)*: /.test(cause.message)) {
      throw new UsageError(cause.message, { cause })
    }
    throw cause
  }
}

interface Print {
  readonly format: BytesFormat
  readonly setting: StoreSetting
}

function printResult(
  { succeeded, revision, results }: TxnResult<Uint8Array, Uint8Array>,
  request: Request,
  print: Print,
): void {
  const { screen } = print.setting
  const said = succeeded
    ? screen.style('green', 'success: the compares hold')
    : screen.style('yellow', 'failure: the compares do not hold')
  screen.print(`${said}, revision ${revision}`)
  printOps({ succeeded, results }, request, { ...print, indent: '  ' })
}

interface Ran {
  readonly succeeded: boolean
  readonly results: readonly Result[]
}

function printOps(
  { succeeded, results }: Ran,
  request: Request,
  print: Print & { readonly indent: string },
): void {
  const ops = (succeeded ? request.success : request.failure) ?? []
  const { format, indent } = print
  const { screen } = print.setting
  const style = { format, isLong: false, isCut: screen.isTerminal }
  results.forEach((result, index) => {
    const op = ops[index]
    const keys = op === undefined || op.type === 'txn' ? '' : ` ${showKeys(op, format)}`
    switch (result.type) {
      case 'put': {
        screen.print(`${indent}put${keys}`)
        if (result.previous === undefined) break
        screen.print(`${indent}  was ${entryLine(screen, result.previous, style)}`)
        break
      }
      case 'delete':
        screen.print(`${indent}del${keys}: ${plural(result.deleted, 'key')} deleted`)
        for (const entry of result.previous) {
          screen.print(`${indent}  was ${entryLine(screen, entry, style)}`)
        }
        break
      case 'get':
      case 'range': {
        const found =
          result.type === 'range' ? result.kvs : result.kv === undefined ? [] : [result.kv]
        const count = result.type === 'range' ? result.count : found.length
        screen.print(`${indent}get${keys}: ${plural(count, 'key')}`)
        for (const entry of found) {
          screen.print(`${indent}  ${entryLine(screen, entry, style)}`)
        }
        break
      }
      case 'txn': {
        screen.print(`${indent}txn: ${result.succeeded ? 'success' : 'failure'}`)
        if (op?.type === 'txn') printOps(result, op, { ...print, indent: `${indent}  ` })
        break
      }
    }
  })
}

function showKeys(range: KeyRange, format: BytesFormat): string {
  const show = (bytes: string | Uint8Array): string =>
    showBytes(typeof bytes === 'string' ? Buffer.from(bytes) : bytes, format)
  const { key, prefix, start, end, fromKey } = range
  if (key !== undefined) return show(key)
  if (prefix !== undefined) return `${show(prefix)} --prefix`
  if (fromKey !== undefined) return `${show(fromKey)} --from-key`
  return start === undefined || end === undefined ? '' : `${show(start)} ${show(end)}`
}

export const txn: StoreCommand = {
  name: 'txn',
  positionals: '',
  counts: [0, 0],
  summary: 'compare, then write and read, all or nothing',
  details:
    'Reads a transaction from standard input, as etcdctl writes it: compares, a blank line, ' +
    'requests for where all of them hold, a blank line, requests for where they do not. Or JSON: ' +
    '{ "compare": […], "success": […], "failure": […] }.',
  examples: [
    `printf 'mod("a") = "7"\\n\\nput a 2\\n\\nget a\\n' | revbolt txn`,
    'revbolt txn --must-hold < swap.txt || echo "somebody was faster"',
  ],
  options: {
    'json-input': { type: 'boolean', help: 'it is JSON (told by itself where it begins with {)' },
    'must-hold': { type: 'boolean', help: 'exit with 1 where the compares do not hold' },
  },
  access: 'create',
  prepare,
}
