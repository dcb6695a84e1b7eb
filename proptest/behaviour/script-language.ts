/**
 * The language of the golden scripts: one call a line, one or more lines of text for what came of
 * it.
 *
 *   put KEY VALUE [previous] [ignoreLease] [lease=ID]      put KEY ignoreValue […]
 *   get KEY [revision=N]
 *   delete KEY|RANGE [previous]
 *   range [RANGE] [revision=N] [limit=N] [order=O] [sortBy=S] [keysOnly] [countOnly]
 *         [minModRevision=N] …
 *   scan  […]                     the same, without sortBy and countOnly
 *   txn [if COMPARE; …] [then CALL; …] [else CALL; …]
 *                                 CALL: put, get, delete or range as above
 *   history                       every revision with all its keys
 *   reopen                        closes the store and opens its data anew, where the backend can
 *
 * RANGE is key=K, prefix=K, start=K end=K or fromKey=K. COMPARE is `TARGET KEY|RANGE OPERATOR
 * VALUE`, with value, version, createRevision, modRevision or lease as the target. A word is as it
 * stands, or a JSON string, or 0x and hex for bytes.
 *
 * A key and value is shown as `key=value c<create revision> m<mod revision> v<version>`, a revision
 * as `@N`, a refusal as `! code`.
 */
import { KvError } from '../../base/errors.ts'
import type { BytesInput } from '../../store/types/encoding.ts'
import type { Opened, StoreOf } from './backend.ts'
import { brief, briefAll, briefResult, collect } from './backend.ts'

/** The calls of a store as a script makes them: with whatever the line says. */
interface Callable {
  get(key: unknown, options: unknown): ReturnType<StoreOf<'utf8'>['get']>
  range(options: unknown): ReturnType<StoreOf<'utf8'>['range']>
  scan(options: unknown): ReturnType<StoreOf<'utf8'>['scan']>
  put(key: unknown, value: unknown, options: unknown): ReturnType<StoreOf<'utf8'>['put']>
  delete(keys: unknown, options: unknown): ReturnType<StoreOf<'utf8'>['delete']>
  txn(request: unknown): ReturnType<StoreOf<'utf8'>['txn']>
}

type Fields = Record<string, unknown>

const NUMBERS = /^(?:revision|limit|min\w+Revision|max\w+Revision)$/
const OPERATORS = ['=', '!=', '<', '>']

/** Words are parted by spaces; a JSON string is one word, also after `name=`. */
function wordsOf(line: string): string[] {
  return line.match(/(?:[^\s"]|"(?:[^"\\]|\\.)*")+/g) ?? []
}

function valueOf(word: string): BytesInput {
  if (word.startsWith('"')) return String(JSON.parse(word))
  if (word.startsWith('0x')) return new Uint8Array(Buffer.from(word.slice(2), 'hex'))
  return word
}

function fieldOf(name: string, word: string): unknown {
  if (name === 'lease') return BigInt(word)
  return NUMBERS.test(name) ? Number(word) : valueOf(word)
}

/** `name=value` and bare names as an object. */
function fieldsOf(words: readonly string[]): Fields {
  const fields = words.map((word): [string, unknown] => {
    const parted = /^(\w+)=(.*)$/s.exec(word)
    if (parted === null) return [word, true]
    const [, name = '', value = ''] = parted
    return [name, fieldOf(name, value)]
  })
  return Object.fromEntries(fields)
}

const RANGE_NAMES = new Set(['key', 'prefix', 'start', 'end', 'fromKey'])

function partKeys(fields: Fields): { readonly keys: Fields; readonly options: Fields } {
  const entries = Object.entries(fields)
  return {
    keys: Object.fromEntries(entries.filter(([name]) => RANGE_NAMES.has(name))),
    options: Object.fromEntries(entries.filter(([name]) => !RANGE_NAMES.has(name))),
  }
}

interface Call {
  readonly type: 'put' | 'get' | 'delete' | 'range' | 'scan'
  readonly fields: Fields
}

const CALLS = ['put', 'get', 'delete', 'range', 'scan'] as const

function isPutOption(word: string): boolean {
  return /^(?:previous|ignoreValue|ignoreLease|lease=.*)$/.test(word)
}

/** A call as the flat fields that a transaction's operation has. */
function parseCall(words: readonly string[]): Call {
  const [name = '', ...rest] = words
  const type = CALLS.find((known) => known === name)
  if (type === undefined) throw new SyntaxError(`no such call: ${words.join(' ')}`)
  const first = rest[0]
  const positional = first !== undefined && !/^\w+=/.test(first)
  switch (type) {
    case 'range':
    case 'scan':
      return { type, fields: fieldsOf(rest) }
    case 'get':
      return { type, fields: { key: valueOf(first ?? ''), ...fieldsOf(rest.slice(1)) } }
    case 'delete': {
      const keys = positional ? { key: valueOf(first) } : {}
      return { type, fields: { ...keys, ...fieldsOf(positional ? rest.slice(1) : rest) } }
    }
    case 'put': {
      const key = valueOf(first ?? '')
      const second = rest[1]
      const hasValue = second !== undefined && !isPutOption(second)
      const value = hasValue ? { value: valueOf(second) } : {}
      return { type, fields: { key, ...value, ...fieldsOf(rest.slice(hasValue ? 2 : 1)) } }
    }
  }
}

function parseCompare(words: readonly string[]): Fields {
  const [target = '', ...rest] = words
  const at = rest.findIndex((word) => OPERATORS.includes(word))
  if (at < 1) throw new SyntaxError(`no compare: ${words.join(' ')}`)
  const named = rest.slice(0, at)
  const keys = /^\w+=/.test(named[0] ?? '') ? fieldsOf(named) : { key: valueOf(named[0] ?? '') }
  const word = rest[at + 1] ?? ''
  const value =
    target === 'value' ? valueOf(word) : target === 'lease' ? BigInt(word) : Number(word)
  return { ...keys, target, operator: rest[at], value }
}

/** Parts `if …; … then …; … else …; …` into lists of words. */
function parseTxn(words: readonly string[]): Fields {
  const lists = new Map<string, string[][]>([
    ['if', []],
    ['then', []],
    ['else', []],
  ])
  let list: string[][] | undefined
  for (const word of words) {
    const named = lists.get(word)
    if (named !== undefined) {
      list = named
      list.push([])
      continue
    }
    const ends = word.endsWith(';')
    list?.at(-1)?.push(ends ? word.slice(0, -1) : word)
    if (ends) list?.push([])
  }
  const ops = (name: string): Fields[] =>
    (lists.get(name) ?? []).map((op) => {
      const { type, fields } = parseCall(op)
      return { type, ...fields }
    })
  const compare = (lists.get('if') ?? []).map((one) => parseCompare(one))
  return { compare, success: ops('then'), failure: ops('else') }
}

/** Runs scripts on one opened store. */
export class Interpreter {
  readonly #opened: Opened
  #store: StoreOf<'utf8'>

  constructor(opened: Opened) {
    this.#opened = opened
    this.#store = opened.store
  }

  /** Runs one line and returns what came of it, never nothing. */
  async run(line: string): Promise<readonly string[]> {
    try {
      const lines = await this.#run(wordsOf(line))
      return lines.length > 0 ? lines : ['nothing']
    } catch (error) {
      if (error instanceof KvError) return [`! ${error.code}`]
      if (error instanceof SyntaxError) throw error
      if (error instanceof TypeError || error instanceof RangeError) {
        return [`! ${error.name} ${error.message.split(':')[0] ?? ''}`]
      }
      throw error
    }
  }

  async #run(words: readonly string[]): Promise<readonly string[]> {
    const [name, ...rest] = words
    if (name === 'txn') return await this.#txn(rest)
    if (name === 'history') return await this.#history()
    if (name === 'reopen') {
      this.#store = (await this.#opened.reopen?.()) ?? this.#store
      return [`@${(await this.#store.status()).revision}`]
    }
    return await this.#call(parseCall(words))
  }

  async #call({ type, fields }: Call): Promise<readonly string[]> {
    // A script may say what the types forbid: the answer to that is a part of the script.
    const store = this.#store as unknown as Callable
    switch (type) {
      case 'get': {
        const { key, ...options } = fields
        return [brief(await store.get(key, options))]
      }
      case 'range': {
        const page = await store.range(fields)
        const more = page.more ? ' more' : ''
        return [...briefAll(page.kvs), `@${page.revision} count ${page.count}${more}`]
      }
      case 'scan':
        return briefAll(await collect(store.scan(fields)))
      case 'put': {
        const { key, value, ...options } = fields
        const { revision, previous } = await store.put(key, value, options)
        return [`@${revision}${options['previous'] === true ? ` was ${brief(previous)}` : ''}`]
      }
      case 'delete': {
        const { keys, options } = partKeys(fields)
        const { revision, deleted, previous } = await store.delete(keys, options)
        return [`@${revision} deleted ${deleted}`, ...briefAll(previous).map((kv) => `was ${kv}`)]
      }
    }
  }

  async #txn(words: readonly string[]): Promise<readonly string[]> {
    const store = this.#store as unknown as Callable
    const { revision, succeeded, results } = await store.txn(parseTxn(words))
    return [
      `@${revision} ${succeeded ? 'then' : 'else'}`,
      ...results.map((result) => briefResult(result)),
    ]
  }

  async #history(): Promise<readonly string[]> {
    const lines: string[] = []
    const { revision: last } = await this.#store.status()
    for (let revision = 1; revision <= last; revision++) {
      const { kvs } = await this.#store.range({ revision, limit: Infinity })
      lines.push([`@${revision}`, briefAll(kvs).join(', ') || 'empty'].join(' '))
    }
    return lines
  }
}
