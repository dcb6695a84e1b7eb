/**
 * Leases: keys that go away unless someone keeps renewing.
 *
 * A lease that expires or is revoked deletes all its keys in one revision. It may live longer than
 * promised (a restart, a busy machine), never shorter. Ids are signed 64-bit, hence bigint.
 */
import type { ResultJson } from './key-value.ts'

/** A lease by its id, or anything that carries it. 0n: no lease. */
export type LeaseReference = bigint | { readonly id: bigint }

/** What `grant` takes. */
export interface GrantOptions {
  /**
   * How long the lease lives without renewal, in seconds: an integer, raised to at least 2, at most
   * 9,000,000,000.
   */
  readonly ttlSeconds: number
  /** The id to use, any signed 64-bit value but 0n. Default: a random positive one. */
  readonly id?: bigint | undefined
  readonly signal?: AbortSignal | undefined
}

/** A lease as granted. Data only: it stays on the store whatever becomes of this object. */
export interface Lease {
  readonly id: bigint
  /** The granted time to live in seconds, which may be more than was asked for. */
  readonly ttlSeconds: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}

/** A lease as it stands now. */
export interface LeaseInfo<K = string> extends Lease {
  /** Whole seconds left, rounded down. */
  readonly remainingSeconds: number
  /** The attached keys in key order; empty unless asked for. */
  readonly keys: readonly K[]
}

/** What `lease` takes. */
export interface LeaseInfoOptions {
  /** Lists the attached keys. Default false. */
  readonly keys?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Renews a lease in the background, thrice in its time to live, until it is disposed of. */
export interface KeepAlive {
  readonly id: bigint
  /** Aborts when the lease is gone or can no longer be known to live; its reason tells which. */
  readonly lost: AbortSignal
  /** Stops renewing; the lease itself stays until it expires or is revoked. Idempotent. */
  [Symbol.asyncDispose](): Promise<void>
}

/** What `revoke` resolves with: the lease is gone, and its keys with it, in one revision. */
export interface RevokeResult {
  /** The store's revision after the call: a new one if the lease had keys. */
  readonly revision: number
  /** The same fields for JSON: see `ResultJson`. */
  toJSON(): ResultJson
}
