/** What whoever answers a call knows of it, and where the answers go. */

import type { Metadata } from './metadata.ts'

/** Who is at the other end. */
export interface Peer {
  /** An address and a port; empty on a local socket. */
  readonly address: string
  /** The common name of the certificate that it has shown and that was found good. */
  readonly certificateName: string | undefined
}

export interface Call {
  readonly metadata: Metadata
  readonly peer: Peer
  /**
   * Aborted when nobody waits for the answer any more: the caller gave up or is gone, its time is
   * over, or the server stops. The reason is an `RpcError`.
   */
  readonly signal: AbortSignal
}

export interface Output<Res> {
  /**
   * Sends messages, all in one write. Returns a promise where the other end is slow to read: who
   * waits for it before the next message holds no more than one of them in memory. It resolves,
   * too, when the call is over; what is written then is dropped.
   */
  write(...messages: readonly Res[]): Promise<void> | undefined
}
