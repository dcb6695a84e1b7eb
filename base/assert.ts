/**
 * Assertions for bugs of ours, always on, and the switch for the costly ones.
 *
 * `KV_VERIFY=all` in the environment turns on checks that cost as much as the work they guard, and
 * makes lent bytes be scribbled over when their transaction ends, so that a caller who keeps them
 * fails loudly. The test suites set it. This is the one file below `store/` that reads the
 * environment.
 */

/** A bug in revbolt itself. Never caught inside; never thrown for bad input or a bad disk. */
export class AssertionError extends Error {
  override readonly name: string = 'AssertionError'
}

/** Throws `AssertionError` when `condition` is false. A thunk is called only then. */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof message === 'string' ? message : message())
}

/** The `default:` of a switch over a closed union. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`)
}

/** Whether the costly assertions are on. */
export const verifying: boolean = process.env['KV_VERIFY'] === 'all'
