/**
 * Text at the door: strict UTF-8 both ways, so that no two strings share bytes and none is changed
 * in silence.
 */

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The bytes of a `string | Uint8Array` argument: UTF-8 for a string, the argument itself for bytes.
 * Throws a TypeError that begins with `name` for anything else and for a lone surrogate.
 */
export function toBytes(value: unknown, name: string): Uint8Array {
  if (typeof value === 'string') {
    if (!value.isWellFormed()) {
      throw new TypeError(`${name}: the string has a lone surrogate, which UTF-8 can't carry`)
    }
    return Buffer.from(value, 'utf8')
  }
  if (value instanceof Uint8Array) return value
  throw new TypeError(`${name}: expected a string or a Uint8Array, got ${describeType(value)}`)
}

/** Decodes strict UTF-8; undefined where the bytes are not. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** What a value is, for the message of a TypeError. */
export function describeType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return value.constructor?.name ?? 'an object'
  return typeof value
}

/** Whether it is a promise, or may be taken for one. */
export function isThenable(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}
