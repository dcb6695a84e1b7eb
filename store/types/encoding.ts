/**
 * What goes in as a key or a value, and what comes out.
 *
 * In: text or bytes, copied before the call returns, so the caller may reuse its buffer at once.
 * Out: decided by the store's encoding, or by the call's own `encoding`, never by content. What
 * comes out is the caller's: nothing else holds or changes it.
 *
 *   encoding   key          value        on disk
 *   utf8       string       string       UTF-8
 *   bytes      Uint8Array   Uint8Array   as given
 *   json       string       unknown      JSON.stringify, as UTF-8
 *   msgpack    string       unknown      MessagePack: docs/encodings.md
 *
 * A value that its encoding can't write is a TypeError.
 * Stored bytes that the encoding can't read are `KV_DECODE`, naming the key; the data is untouched
 * and can be read with `encoding: 'bytes'`.
 */

/** Text (written as UTF-8) or bytes. Text with a lone surrogate is a TypeError. */
export type BytesInput = string | Uint8Array

/** What keys and values come out as, by the name of the encoding. */
export interface Encodings {
  readonly utf8: { readonly key: string; readonly value: string }
  readonly bytes: { readonly key: Uint8Array; readonly value: Uint8Array }
  readonly json: { readonly key: string; readonly value: unknown }
  readonly msgpack: { readonly key: string; readonly value: unknown }
}

/** The name of an encoding: see `Encodings`. */
export type Encoding = keyof Encodings

/**
 * What a store of values `V` takes as a value: text or bytes where it gives back text or bytes,
 * else `V` itself, encoded before the call returns.
 */
export type ValueInput<V> = [V] extends [string | Uint8Array] ? BytesInput : V

/** The value type of one call: the store's `V`, unless the call names its own encoding. */
export type ValueFor<V, E extends Encoding> = [E] extends [never] ? V : Encodings[E]['value']

/** The key type of one call: the store's `K`, unless the call names its own encoding. */
export type KeyFor<K, E extends Encoding> = [E] extends [never] ? K : Encodings[E]['key']
