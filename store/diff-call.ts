/** The arguments of a comparison, and what comes of a key that differs. */

import { EMPTY_BYTES } from '../base/bytes.ts'
import type { DiffRequest, MakeChange } from '../mvcc/key-diff.ts'
import { TO_LAST_KEY } from '../mvcc/request.ts'
import type { Arguments } from './arguments.ts'
import type { OutputKey } from './codec.ts'
import type { Fields } from './fields.ts'
import { asResult, entryMaker } from './result.ts'
import type { KeyChange } from './types/diff.ts'

export type ChangeOutput = KeyChange<unknown, OutputKey>

export interface DiffCall {
  readonly request: DiffRequest
  readonly make: MakeChange<ChangeOutput>
  readonly signal: AbortSignal | undefined
}

/** Reads what all comparisons take. */
export function readDiffCall(fields: Fields, args: Arguments): DiffCall {
  const span = args.span(fields) ?? { key: EMPTY_BYTES, end: TO_LAST_KEY }
  const byValue = fields.word('by', ['revision', 'value']) === 'value'
  const make = changeMaker(args, fields.flag('keysOnly'))
  return { request: { ...span, byValue }, make, signal: fields.signal() }
}

function changeMaker({ codec }: Arguments, keysOnly: boolean): MakeChange<ChangeOutput> {
  const entry = entryMaker(codec, keysOnly)
  return (was, is) => {
    const before = was === undefined ? undefined : entry(was)
    const after = is === undefined ? undefined : entry(is)
    if (before === undefined) {
      if (after === undefined) throw new TypeError('a key that is on neither side')
      return asResult({ kind: 'added', key: after.key, before, after })
    }
    const { key } = before
    if (after === undefined) return asResult({ kind: 'removed', key, before, after })
    return asResult({ kind: 'changed', key, before, after })
  }
}
