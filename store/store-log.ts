/**
 * The user's logger, called so that it can't do harm: what it throws is dropped, and it is called
 * in a microtask of its own, never from within the store's work, so it may use the store.
 *
 * Facts are plain values and errors; there is never a stored value among them.
 */

import { describeType } from '../base/text.ts'
import type { Logger } from './types/open.ts'

const LEVELS = ['debug', 'info', 'warn', 'error'] as const
type Level = (typeof LEVELS)[number]

type Facts = Readonly<Record<string, unknown>>

export class StoreLog {
  readonly #logger: Logger | undefined
  readonly #path: string

  /** `path`: the store's, which stands in every message's facts. */
  constructor(logger: Logger | undefined, path: string) {
    this.#logger = logger
    this.#path = path
  }

  /** Whether anybody hears of a warning. */
  get takesWarnings(): boolean {
    return this.#logger?.warn !== undefined
  }

  debug(message: string, facts?: Facts): void {
    this.#tell('debug', message, facts)
  }

  info(message: string, facts?: Facts): void {
    this.#tell('info', message, facts)
  }

  warn(message: string, facts?: Facts): void {
    this.#tell('warn', message, facts)
  }

  error(message: string, facts?: Facts): void {
    this.#tell('error', message, facts)
  }

  #tell(level: Level, message: string, facts: Facts = {}): void {
    const logger = this.#logger
    if (logger?.[level] === undefined) return
    const all = { path: this.#path, ...facts }
    queueMicrotask(() => void call(logger, level, { message, facts: all }))
  }
}

/** A logger may be asynchronous, whatever its type says. */
async function call(
  logger: Logger,
  level: Level,
  { message, facts }: { readonly message: string; readonly facts: Facts },
): Promise<void> {
  try {
    // As a method: loggers need their `this`.
    await (logger[level]?.(message, facts) as unknown)
  } catch {
    // Nobody is left who could be told.
  }
}

/** Reads the option `logger`. */
export function readLogger(value: unknown): Logger | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`logger: expected an object, got ${describeType(value)}`)
  }
  const logger: Partial<Record<Level, unknown>> = value
  for (const level of LEVELS) {
    const method = logger[level]
    if (method === undefined || typeof method === 'function') continue
    throw new TypeError(`logger.${level}: expected a function, got ${describeType(method)}`)
  }
  return value
}
