/** A command that can't go on: what is the matter, and what a person can do next. */

export class Failure extends Error {
  override readonly name: string = 'Failure'
  readonly exitCode: number
  /** The code of the error underneath, where there is one. */
  readonly code: string | undefined
  /** What to do next, a line each. */
  readonly hints: readonly string[]

  constructor(
    exitCode: number,
    message: string,
    options: { readonly hints?: readonly string[]; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.exitCode = exitCode
    this.hints = options.hints ?? []
    const { cause } = options
    const hasCode = cause instanceof Error && 'code' in cause && typeof cause.code === 'string'
    this.code = hasCode ? String(cause.code) : undefined
  }
}

/** The code of an operating error, told without loading what throws it; undefined for others. */
export function operatingCode(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) return
  return error.code.startsWith('KV_') ? error.code : undefined
}
