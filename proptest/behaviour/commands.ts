/**
 * Random calls on a store, as plain data that prints well and runs on any backend.
 *
 * Few keys of few bytes, so that they meet: 0x00 and 0xff are among them since ranges have their
 * edges there. Revisions are drawn as a place in history (0: the first, 1: the current, above:
 * ahead), so that a shrunk sequence stays meaningful. What comes back is one line of text: the
 * result in full, or the error's code.
 */
import fc from 'fast-check'
import { KvError } from '../../base/errors.ts'
import type { KeyRange } from '../../store/types/key-value.ts'
import type { RangeOptions } from '../../store/types/read.ts'
import type { Compare, Op, TxnRequest } from '../../store/types/txn.ts'
import type { PutSelection } from '../../store/types/write.ts'
import type { StoreOf } from './backend.ts'
import { brief, briefAll, briefResult, collect } from './backend.ts'

type Bytes = Uint8Array

/** Where in history: 0 is revision 1, 1 is the current one, more is ahead. Undefined: not asked. */
type Moment = number | undefined

type Selection = Omit<RangeOptions<never, boolean>, 'revision'>

export type Command =
  | { readonly call: 'get'; readonly key: Bytes; readonly at: Moment }
  | { readonly call: 'range'; readonly options: Selection; readonly at: Moment }
  | { readonly call: 'scan'; readonly options: Selection; readonly at: Moment }
  | {
      readonly call: 'put'
      readonly key: Bytes
      readonly value: Bytes
      readonly options: PutSelection
    }
  | { readonly call: 'delete'; readonly keys: KeyRange; readonly previous: boolean }
  | { readonly call: 'txn'; readonly request: TxnRequest; readonly at: Moment }
  | { readonly call: 'compact'; readonly at: number; readonly isPhysical: boolean }
  | { readonly call: 'reopen' }

const byte = fc.constantFrom(0x00, 0x61, 0xff)
const text = (minLength: number): fc.Arbitrary<Bytes> =>
  fc.array(byte, { minLength, maxLength: 2 }).map((bytes) => new Uint8Array(bytes))
/** Now and then an empty key, which is refused. */
const key = fc.oneof({ weight: 60, arbitrary: text(1) }, { weight: 1, arbitrary: text(0) })
const value = fc
  .constantFrom('', '1', '2', 'long '.repeat(300))
  .map((s) => new Uint8Array(Buffer.from(s)))
const place = fc.double({ min: 0, max: 1.1, noNaN: true })
const moment = fc.option(place, { nil: undefined })
const flag = fc.option(fc.boolean(), { nil: undefined })
const rarely = fc.oneof(
  { weight: 12, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.constant(true) },
)

export const keys: fc.Arbitrary<KeyRange> = fc.oneof(
  fc.record({ key }),
  fc.record({ prefix: text(0) }),
  fc.record({ start: text(0), end: text(0) }),
  fc.record({ fromKey: text(0) }),
)

const revisionBound = fc.oneof(
  { weight: 8, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 20 }) },
)
const filter = {
  minModRevision: revisionBound,
  maxModRevision: revisionBound,
  minCreateRevision: revisionBound,
  maxCreateRevision: revisionBound,
}
const limit = fc.option(fc.constantFrom(1, 2, 3, 10, Infinity), { nil: undefined })
const order = fc.option(fc.constantFrom('ascend' as const, 'descend' as const), { nil: undefined })
const sortBy = fc.option(
  fc.constantFrom(
    'key' as const,
    'version' as const,
    'createRevision' as const,
    'modRevision' as const,
    'value' as const,
  ),
  { nil: undefined },
)

const scanned = fc.record({ ...filter, limit, order, keysOnly: flag })
const ranged = fc.record({ ...filter, limit, order, sortBy, keysOnly: flag, countOnly: rarely })

const selection = (options: fc.Arbitrary<Selection>): fc.Arbitrary<Selection> =>
  fc.tuple(fc.option(keys, { nil: {} }), options).map(([named, rest]) => ({ ...named, ...rest }))

const putOptions: fc.Arbitrary<PutSelection> = fc.record({
  previous: flag,
  ignoreValue: rarely,
  ignoreLease: rarely,
  lease: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(undefined, 0n) },
    { weight: 1, arbitrary: fc.constant(7n) },
  ),
})

const operator = fc.constantFrom('=' as const, '!=' as const, '<' as const, '>' as const)
const comparison: fc.Arbitrary<Compare> = fc
  .tuple(
    keys,
    fc.oneof(
      fc.record({ target: fc.constant('value' as const), operator, value }),
      fc.record({
        target: fc.constantFrom(
          'version' as const,
          'createRevision' as const,
          'modRevision' as const,
        ),
        operator,
        value: fc.integer({ min: 0, max: 12 }),
      }),
      fc.record({
        target: fc.constant('lease' as const),
        operator,
        value: fc.constantFrom(0n, 7n),
      }),
    ),
  )
  .map(([named, rest]) => ({ ...named, ...rest }))

/** Keys of which none is written to the last one there can be. */
const closedKeys: fc.Arbitrary<KeyRange> = fc.oneof(
  fc.record({ key }),
  fc.record({ prefix: fc.constant(Uint8Array.of(0x61)) }),
  fc.record({ start: text(0), end: fc.constant(Uint8Array.of(0x61, 0xff)) }),
)

function operations({ openEndedDuplicates, stableTies }: CommandOptions): fc.Arbitrary<Op> {
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(key, value, putOptions).map(([k, v, options]): Op => ({
        type: 'put',
        key: k,
        value: kept(v, options),
        ...options,
      })),
    },
    { weight: 1, arbitrary: key.map((k): Op => ({ type: 'get', key: k })) },
    {
      weight: 2,
      arbitrary: selection(rangesOf(stableTies)).map((options): Op => ({
        type: 'range',
        ...options,
      })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(openEndedDuplicates ? keys : closedKeys, flag)
        .map(([k, previous]): Op => ({ type: 'delete', ...k, previous })),
    },
  )
}

function rangesOf(stableTies: boolean): typeof ranged {
  return stableTies ? ranged : ranged.map((one) => ({ ...one, sortBy: undefined }))
}

/** Transactions, at times with others within. */
function transactions(options: CommandOptions): fc.Arbitrary<TxnRequest> {
  const op = operations(options)
  const request: fc.Arbitrary<TxnRequest> = fc.record({
    compare: fc.array(comparison, { maxLength: 2 }),
    success: fc.array(op, { maxLength: 5 }),
    failure: fc.array(op, { maxLength: 3 }),
  })
  if (!options.nestedTxn) return request
  const nested = fc
    .tuple(request, fc.array(request, { maxLength: 2 }), fc.boolean())
    .map(([outer, inner, first]) => {
      const ops = inner.map((one): Op => ({ type: 'txn', ...one }))
      const own = outer.success ?? []
      return { ...outer, success: first ? [...ops, ...own] : [...own, ...ops] }
    })
  return fc.oneof(request, nested)
}

function kept(given: Bytes, options: PutSelection): Bytes | undefined {
  return options.ignoreValue === true ? undefined : given
}

export interface CommandOptions {
  readonly nestedTxn: boolean
  readonly reopen: boolean
  readonly stableTies: boolean
  readonly openEndedDuplicates: boolean
}

/** A sequence of calls, of the kinds that a backend has. */
export function commands(options: CommandOptions): fc.Arbitrary<Command[]> {
  const call = <C extends Command['call']>(name: C): fc.Arbitrary<C> => fc.constant(name)
  const range = rangesOf(options.stableTies)
  const txn = transactions(options)
  const one = fc.oneof<fc.WeightedArbitrary<Command>[]>(
    { weight: 8, arbitrary: fc.record({ call: call('put'), key, value, options: putOptions }) },
    { weight: 2, arbitrary: fc.record({ call: call('delete'), keys, previous: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ call: call('get'), key, at: moment }) },
    {
      weight: 4,
      arbitrary: fc.record({ call: call('range'), options: selection(range), at: moment }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ call: call('scan'), options: selection(scanned), at: moment }),
    },
    { weight: 4, arbitrary: fc.record({ call: call('txn'), request: txn, at: moment }) },
    {
      weight: 1,
      arbitrary: fc.record({ call: call('compact'), at: place, isPhysical: fc.boolean() }),
    },
    { weight: options.reopen ? 1 : 0, arbitrary: fc.record({ call: call('reopen') }) },
  )
  return fc.array(one, { maxLength: 30, size: 'max' })
}

/** Applies a command and says in one line what came of it. `revision` is the current one. */
export async function apply(
  store: StoreOf<'bytes'>,
  command: Exclude<Command, { call: 'reopen' }>,
  revision: number,
): Promise<string> {
  try {
    return await run(store, command, revision)
  } catch (error) {
    if (error instanceof KvError) return error.code
    if (error instanceof TypeError || error instanceof RangeError) return error.name
    throw error
  }
}

async function run(
  store: StoreOf<'bytes'>,
  command: Exclude<Command, { call: 'reopen' }>,
  current: number,
): Promise<string> {
  const revisionOf = (at: Moment): number | undefined =>
    at === undefined ? undefined : 1 + Math.round(at * (current - 1 || 1))
  switch (command.call) {
    case 'get':
      return brief(await store.get(command.key, { revision: revisionOf(command.at) }))
    case 'range': {
      const page = await store.range({ ...command.options, revision: revisionOf(command.at) })
      const more = page.more ? ' more' : ''
      return `@${page.revision} count ${page.count}${more} [${briefAll(page.kvs).join(', ')}]`
    }
    case 'scan': {
      const revision = revisionOf(command.at)
      return `[${briefAll(await collect(store.scan({ ...command.options, revision }))).join(', ')}]`
    }
    case 'put': {
      const { key: put, value: given, options } = command
      // The cast lets undefined through, which `ignoreValue` asks for.
      const done = await store.put(put, kept(given, options) as Bytes, options)
      return `@${done.revision} previous ${brief(done.previous)}`
    }
    case 'delete': {
      const done = await store.delete(command.keys, { previous: command.previous })
      return `@${done.revision} deleted ${done.deleted} [${briefAll(done.previous).join(', ')}]`
    }
    case 'compact': {
      const { at, isPhysical: physical } = command
      const done = await store.compact(revisionOf(at) ?? current, { physical })
      return `@${done.revision} compacted`
    }
    case 'txn': {
      const revision = revisionOf(command.at)
      const read: Op = { type: 'range', prefix: '', revision }
      const success = [...(command.request.success ?? []), read]
      const done = await store.txn({ ...command.request, success })
      const results = done.results.map((result) => briefResult(result))
      return `@${done.revision} ${done.succeeded} {${results.join('; ')}}`
    }
  }
}

function showPart(part: unknown): unknown {
  if (part instanceof Uint8Array) return brief8(part)
  if (typeof part === 'bigint') return `${part}n`
  if (Array.isArray(part)) return part.map((inner) => showPart(inner))
  if (typeof part !== 'object' || part === null) return part === Infinity ? 'Infinity' : part
  const fields = Object.entries(part).filter(([, inner]) => inner !== undefined)
  return Object.fromEntries(fields.map(([name, inner]) => [name, showPart(inner)]))
}

function brief8(bytes: Bytes): string {
  const hex = Buffer.from(bytes.subarray(0, 8)).toString('hex')
  return `0x${hex}${bytes.length > 8 ? `…(${bytes.length})` : ''}`
}

/** A command on one line, for messages. */
export function showCommand(command: Command): string {
  return JSON.stringify(showPart(command))
}
