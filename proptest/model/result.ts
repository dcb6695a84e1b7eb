/** The model's answers as a `Store` gives them, with `toJSON`. */
import type { Encoding } from '../../store/types/encoding.ts'
import type { KeyValue, ResultJson } from '../../store/types/key-value.ts'
import type { OpResult } from '../../store/types/txn.ts'
import { decodeKey, decodeValue } from './encoding.ts'
import type { ParsedStep } from './parse.ts'
import type { RangeAnswer, StepAnswer } from './request.ts'
import type { Row } from './row.ts'

/**
 * Adds `toJSON`: the same fields, numbers as decimal strings, bytes as base64, absent ones left
 * out.
 */
export function withJson<T extends object>(fields: T): T & { toJSON(): ResultJson } {
  const names = Object.keys(fields)
  return Object.assign(fields, {
    toJSON(): ResultJson {
      const present = Object.entries(fields).filter(
        ([name, value]) => names.includes(name) && value !== undefined,
      )
      return Object.fromEntries(present.map(([name, value]) => [name, asJson(name, value)]))
    },
  })
}

/** A value is the user's: only its bytes are put into JSON form. */
function asJson(name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (name === 'keys' && Array.isArray(value)) return value.map((key) => asJson('key', key))
  if (name === 'value') return value
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : value
}

export function toKeyValue(
  row: Row,
  encoding: Encoding,
  keysOnly = false,
): KeyValue<unknown, string | Uint8Array> {
  return withJson({
    key: decodeKey(encoding, row.key),
    value: keysOnly ? undefined : decodeValue(encoding, row.key, row.value),
    createRevision: row.createRevision,
    modRevision: row.modRevision,
    version: row.version,
    lease: row.lease,
  })
}

export function toKeyValues(
  answer: RangeAnswer,
  encoding: Encoding,
  keysOnly: boolean,
): readonly KeyValue<unknown, string | Uint8Array>[] {
  return answer.rows.map((row) => toKeyValue(row, encoding, keysOnly))
}

/** The result of one operation of a transaction, as it was asked for. */
export function toOpResult(
  answer: StepAnswer,
  asked: ParsedStep,
  encoding: Encoding,
): OpResult<unknown, string | Uint8Array> {
  switch (answer.type) {
    case 'put': {
      const shown = asked.fields.flag('previous') ? answer.previous : undefined
      return {
        type: 'put',
        previous: shown === undefined ? undefined : toKeyValue(shown, encoding),
      }
    }
    case 'range': {
      if (asked.type === 'get') {
        const row = answer.answer.rows[0]
        return { type: 'get', kv: row === undefined ? undefined : toKeyValue(row, encoding) }
      }
      const { count, more } = answer.answer
      const kvs = toKeyValues(answer.answer, encoding, asked.fields.flag('keysOnly'))
      return withJson({ type: 'range', kvs, count, more })
    }
    case 'delete': {
      const shown = asked.fields.flag('previous') ? answer.deleted : []
      const previous = shown.map((row) => toKeyValue(row, encoding))
      return withJson({ type: 'delete', deleted: answer.deleted.length, previous })
    }
    case 'txn': {
      const list = answer.succeeded ? asked.nested?.success : asked.nested?.failure
      const results = toOpResults(answer.answers, list ?? [], encoding)
      return { type: 'txn', succeeded: answer.succeeded, results }
    }
  }
}

export function toOpResults(
  answers: readonly StepAnswer[],
  asked: readonly ParsedStep[],
  encoding: Encoding,
): readonly OpResult<unknown, string | Uint8Array>[] {
  return answers.flatMap((answer, i) => {
    const step = asked[i]
    return step === undefined ? [] : [toOpResult(answer, step, encoding)]
  })
}
