/**
 * Keys and ranges of keys put behind a prefix, and taken from behind it again: what a namespace is
 * made of.
 *
 *   of a namespace     of the store beneath, where the prefix is P
 *   k                  P k
 *   prefix: k          prefix: P k
 *   start, end         P start, P end
 *   fromKey: k         from P k to the end of P
 *   prefix: '', no keys named, where that means all    from P 0x00 to the end of P
 *
 * P itself is not of the namespace: its name there would be empty, which no key's is. So a range
 * that begins with the first key begins at P 0x00. The end of P is the first key behind all that
 * begin with it; where P is nothing but 0xff bytes there is none.
 *
 * What is wrong is left as it is: the store beneath refuses it, by its name and in its turn. That
 * holds for empty keys too. Nothing that is left alone can name a key outside: it names none.
 */

import { compareBytes, copyBytes } from '../base/bytes.ts'
import { KvError } from '../base/errors.ts'
import { decodeText } from '../base/text.ts'
import { TO_LAST_KEY } from '../mvcc/request.ts'
import { SPAN_FIELDS, prefixEnd } from './arguments.ts'
import { ownBytes } from './codec.ts'
import type { OutputKey } from './codec.ts'
import { keyAfter } from './key-span.ts'
import type { KeyRange } from './types/key-value.ts'

/** What was passed as options, read once. */
export type Given = Record<string, unknown>

export class KeyPrefix {
  readonly #bytes: Uint8Array
  /** The prefix as text; undefined where it is none. */
  readonly #text: string | undefined
  /** The least key that there can be. */
  readonly #first: Uint8Array
  /** Undefined: there is none, the namespace goes to the last key. */
  readonly #end: Uint8Array | undefined
  /** Every key of the namespace. */
  readonly #every: KeyRange

  /** Throws a TypeError that begins with `name` for what is neither text nor bytes. */
  constructor(prefix: unknown, name: string) {
    this.#bytes = ownBytes(prefix, name)
    this.#text = decodeText(this.#bytes)
    this.#first = keyAfter(this.#bytes)
    const end = prefixEnd(this.#bytes)
    this.#end = end === TO_LAST_KEY ? undefined : end
    this.#every = this.#from(this.#first)
  }

  /** The key beneath. */
  under(key: unknown): unknown {
    return isKey(key) && key.length > 0 ? this.#join(key) : key
  }

  /** The range of keys beneath. Where no keys are named: every key, or `given` as it is. */
  underSpan(given: Given, namesNone: 'every' | 'refused'): Given {
    const named = SPAN_FIELDS.filter((field) => given[field] !== undefined)
    const [first, second] = named
    if (first === undefined) return namesNone === 'every' ? { ...given, ...this.#every } : given
    if (first === 'start' && second === 'end' && named.length === 2) return this.#between(given)
    const bound = given[first]
    if (second !== undefined || !isKey(bound)) return given
    switch (first) {
      case 'key':
        return { ...given, key: this.under(bound) }
      case 'prefix':
        if (bound.length > 0) return { ...given, prefix: this.#join(bound) }
        return { ...given, prefix: undefined, ...this.#every }
      case 'fromKey':
        return { ...given, fromKey: undefined, ...this.#from(this.#bound(bound)) }
      case 'start':
      case 'end':
        // One without the other.
        return given
    }
  }

  /** Whether a key beneath is one of the namespace. */
  has(key: OutputKey): boolean {
    if (typeof key !== 'string') return this.#begins(key)
    if (this.#text === undefined) return this.#begins(ownBytes(key, 'key'))
    return key.length > this.#text.length && key.startsWith(this.#text)
  }

  /**
   * The key of the namespace.
   * @throws {KvError} `KV_DECODE` where the prefix is no text, and the store gives text
   */
  strip(key: OutputKey): OutputKey {
    if (typeof key !== 'string') return copyBytes(key.subarray(this.#bytes.length))
    if (this.#text !== undefined) return key.slice(this.#text.length)
    const shown = JSON.stringify(key)
    throw new KvError(
      'KV_DECODE',
      `key ${shown}: the namespace cuts it inside a character; encoding 'bytes' can read it`,
    )
  }

  #begins(key: Uint8Array): boolean {
    const { length } = this.#bytes
    return key.length > length && compareBytes(key.subarray(0, length), this.#bytes) === 0
  }

  #between(given: Given): Given {
    const { start, end } = given
    if (!isKey(start) || !isKey(end)) return given
    // From the first key up to the least one that can be: no key, here and beneath.
    const isNone = start.length === 0 && isLeast(end)
    if (isNone) return given
    return {
      ...given,
      start: this.#bound(start),
      end: end.length === 0 ? this.#bytes : this.#join(end),
    }
  }

  #from(start: string | Uint8Array): KeyRange {
    return this.#end === undefined ? { fromKey: start } : { start, end: this.#end }
  }

  #bound(key: string | Uint8Array): string | Uint8Array {
    return key.length === 0 ? this.#first : this.#join(key)
  }

  #join(key: string | Uint8Array): string | Uint8Array {
    if (typeof key !== 'string') return Buffer.concat([this.#bytes, key])
    if (this.#text !== undefined) return this.#text + key
    return Buffer.concat([this.#bytes, Buffer.from(key)])
  }
}

function isKey(input: unknown): input is string | Uint8Array {
  return input instanceof Uint8Array || (typeof input === 'string' && input.isWellFormed())
}

/** Whether it is the key that is a zero byte, below which there is only the empty one. */
function isLeast(key: string | Uint8Array): boolean {
  return key.length === 1 && (key === '\0' || key[0] === 0)
}

/**
 * The options object of a call, copied, so that getters run once; undefined where the store would
 * not take it for one.
 */
export function givenOf(input: unknown): Given | undefined {
  if (typeof input !== 'object' || input === null) return undefined
  if (Array.isArray(input) || ArrayBuffer.isView(input)) return undefined
  return { ...input }
}
