/**
 * etcd's JSON gateway: each call of its API as a POST of JSON. Bytes are base64 in it, 64-bit
 * numbers decimal strings, and what is zero, empty or false is left out.
 */

import type { ErrorCode } from '../../base/errors.ts'
import { KvError } from '../../base/errors.ts'
import { describeType } from '../../base/text.ts'

export type Json = Readonly<Record<string, unknown>>

/** How etcd begins what it says of an error, and the code that stands for it here. */
const CODES: readonly (readonly [string, ErrorCode])[] = [
  ['etcdserver: key is not provided', 'KV_KEY_EMPTY'],
  ['etcdserver: key not found', 'KV_KEY_NOT_FOUND'],
  ['etcdserver: too many operations in txn request', 'KV_TXN_TOO_MANY_OPS'],
  ['etcdserver: duplicate key given in txn request', 'KV_TXN_DUPLICATE_KEY'],
  ['etcdserver: mvcc: required revision has been compacted', 'KV_COMPACTED'],
  ['etcdserver: mvcc: required revision is a future revision', 'KV_FUTURE_REVISION'],
  ['etcdserver: mvcc: database space exceeded', 'KV_NO_SPACE'],
  ['etcdserver: requested lease not found', 'KV_LEASE_NOT_FOUND'],
  ['etcdserver: lease already exists', 'KV_LEASE_EXISTS'],
  ['etcdserver: request is too large', 'KV_REQUEST_TOO_LARGE'],
  ['etcdserver: too many requests', 'KV_BUSY'],
]

/** The error that stands for what etcd said. */
export function errorOf(said: string): Error {
  const code = CODES.find(([start]) => said.startsWith(start))?.[1]
  return code === undefined ? new Error(`etcd: ${said}`) : new KvError(code, said)
}

export class Gateway {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  /** @throws {KvError} for what etcd refuses */
  async call(path: string, body: Json, signal?: AbortSignal): Promise<Json> {
    const answer = await this.#post(path, body, signal)
    const text = await answer.text()
    return answered(answer, text)
  }

  /** The answers of a stream, as they come, until it ends or the signal is aborted. */
  async *stream(path: string, body: Json, signal: AbortSignal): AsyncGenerator<Json, void> {
    const answer = await this.#post(path, body, signal)
    if (answer.body === null || !answer.ok) {
      answered(answer, await answer.text())
      return
    }
    const decoder = new TextDecoder()
    let rest = ''
    for await (const chunk of answer.body) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const one = objectOf(JSON.parse(line))
        if (one['error'] !== undefined) throw errorOf(String(objectOf(one['error'])['message']))
        yield objectOf(one['result'])
      }
    }
  }

  async #post(path: string, body: Json, signal: AbortSignal | undefined): Promise<Response> {
    const request = { method: 'POST', body: JSON.stringify(body) }
    return await fetch(
      `${this.#url}${path}`,
      signal === undefined ? request : { ...request, signal },
    )
  }
}

function answered(answer: Response, text: string): Json {
  if (!answer.ok) {
    let said = text
    try {
      said = String(objectOf(JSON.parse(text))['message'])
    } catch {
      // Not every error is JSON: it is told as it came.
    }
    throw errorOf(said)
  }
  return objectOf(JSON.parse(text))
}

/** An object; what is left out is an empty one. */
export function objectOf(json: unknown): Json {
  if (json === undefined) return {}
  if (typeof json !== 'object' || json === null)
    throw new TypeError(`no object: ${describeType(json)}`)
  return { ...json }
}

export function listOf(json: Json, field: string): readonly Json[] {
  const list = json[field]
  if (list === undefined) return []
  if (!Array.isArray(list)) throw new TypeError(`${field}: ${describeType(list)} is no list`)
  return list.map((each) => objectOf(each))
}

function wordOf(json: Json, field: string, otherwise: string): string {
  const value = json[field]
  if (value === undefined) return otherwise
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  throw new TypeError(`${field}: ${describeType(value)} is no number or text`)
}

export function numberOf(json: Json, field: string): number {
  return Number(json[field] ?? 0)
}

export function bigintOf(json: Json, field: string): bigint {
  return BigInt(wordOf(json, field, '0'))
}

export function bytesOf(json: Json, field: string): Uint8Array {
  return new Uint8Array(Buffer.from(wordOf(json, field, ''), 'base64'))
}

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

/** The revision in an answer's header. */
export function revisionOf(answer: Json): number {
  return numberOf(objectOf(answer['header']), 'revision')
}
