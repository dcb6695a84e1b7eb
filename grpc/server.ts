/**
 * A gRPC server on a port of its own, with whatever else is asked of it by HTTP/1.1.
 *
 * Nothing that a client does ends the process or keeps another client waiting: messages, headers,
 * streams and connections are limited, what is not read is not held, and who does not answer a ping
 * is sent away.
 */

import type { RequestListener } from 'node:http'
import type { ServerHttp2Session } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { PeerCertificate, TLSSocket, TlsOptions } from 'node:tls'
import { systemClock } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import type { Peer } from './call.ts'
import { Port } from './port.ts'
import type { ListenPlace } from './port.ts'
import type { Router } from './router.ts'
import { ServerStream } from './server-stream.ts'
import { RpcError, STATUS } from './status.ts'

export interface GrpcLimits {
  /** The longest message that is taken, in bytes. Default 2 MiB. */
  readonly maxReceiveBytes?: number | undefined
  /** Calls at the same time on one connection. Default 2^32 - 1. */
  readonly maxConcurrentStreams?: number | undefined
  /** Bytes of a call's headers. Default 16 KiB. */
  readonly maxHeaderBytes?: number | undefined
  /** Connections at the same time. Default 65,536. */
  readonly maxConnections?: number | undefined
  /** How long a connection may take to begin, in ms. Default 10,000. */
  readonly handshakeMs?: number | undefined
  /** A connection is asked for a sign of life so often, in ms. Default two hours. */
  readonly keepAliveIntervalMs?: number | undefined
  /** How long that may take, in ms. Default 20,000. */
  readonly keepAliveTimeoutMs?: number | undefined
}

export interface GrpcServerOptions {
  readonly router: Router
  readonly limits?: GrpcLimits | undefined
  /** With TLS where it is there: see `PortSetup`. */
  readonly tls?: TlsOptions | undefined
  /** Answers what comes by HTTP/1.1. Default: 404. */
  readonly onHttp1?: RequestListener | undefined
  /** Told of errors that handlers threw and nobody translated. */
  readonly onError?: ((error: unknown, path: string) => void) | undefined
  readonly clock?: Clock | undefined
}

const WINDOW_BYTES = 1024 * 1024
const STOPPED = 'server stopped'

export class GrpcServer {
  readonly #options: GrpcServerOptions
  readonly #clock: Clock
  readonly #port: Port
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #calls = new Set<ServerStream>()
  #whenIdle: (() => void) | undefined
  #closed: Promise<void> | undefined

  constructor(options: GrpcServerOptions) {
    const { limits = {}, tls, clock = systemClock } = options
    this.#options = options
    this.#clock = clock
    this.#port = new Port({
      tls,
      settings: {
        enablePush: false,
        initialWindowSize: WINDOW_BYTES,
        maxConcurrentStreams: limits.maxConcurrentStreams ?? 2 ** 32 - 1,
        maxHeaderListSize: limits.maxHeaderBytes ?? 16 * 1024,
      },
      handshakeMs: limits.handshakeMs ?? 10_000,
      maxConnections: limits.maxConnections ?? 65_536,
      clock,
      onSession: (session) => this.#serve(session),
      onHttp1: options.onHttp1 ?? notFound,
    })
  }

  /** Resolves when it listens. */
  async listen(place: ListenPlace): Promise<void> {
    await this.#port.listen(place)
  }

  /** Where it listens; undefined on a local socket, and before. */
  get address(): AddressInfo | undefined {
    return this.#port.address
  }

  /** Calls under way. */
  get callCount(): number {
    return this.#calls.size
  }

  /** Connections, of either protocol. */
  get connectionCount(): number {
    return this.#port.connectionCount
  }

  /**
   * Takes no more calls, tells those under way by their signals, waits for them for up to `graceMs`
   * and ends what is left. Idempotent.
   */
  close({ graceMs = 5000 }: { readonly graceMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#close(graceMs)
    return this.#closed
  }

  async #close(graceMs: number): Promise<void> {
    this.#port.stopListening()
    for (const session of this.#sessions) session.close()
    for (const call of this.#calls) call.stop(new RpcError(STATUS.UNAVAILABLE, STOPPED))
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.setTimer(graceMs, resolve)
      this.#whenIdle = () => {
        cancel()
        resolve()
      }
      this.#noteIdle()
    })
    this.#port.destroy()
  }

  #noteIdle(): void {
    if (this.#calls.size === 0 && this.#sessions.size === 0) this.#whenIdle?.()
  }

  #serve(session: ServerHttp2Session): void {
    const { router, limits = {}, onError = () => {} } = this.#options
    this.#sessions.add(session)
    const peer = peerOf(session.socket)
    const stopPings = this.#keepAlive(session)
    session.once('close', () => {
      stopPings()
      this.#sessions.delete(session)
      this.#noteIdle()
    })
    session.on('stream', (stream, headers) => {
      const call = new ServerStream(stream, headers, {
        router,
        clock: this.#clock,
        maxReceiveBytes: limits.maxReceiveBytes ?? 2 * 1024 * 1024,
        peer,
        onError,
        ended: () => {
          this.#calls.delete(call)
          this.#noteIdle()
        },
      })
      this.#calls.add(call)
      if (this.#closed !== undefined) call.stop(new RpcError(STATUS.UNAVAILABLE, STOPPED))
      else call.begin(headers[':method'])
    })
  }

  #keepAlive(session: ServerHttp2Session): () => void {
    const { keepAliveIntervalMs = 7_200_000, keepAliveTimeoutMs = 20_000 } =
      this.#options.limits ?? {}
    let cancel = (): void => {}
    const wait = (delayMs: number, then: () => void): void => {
      cancel = this.#clock.setTimer(delayMs, then, { keepsAlive: false })
    }
    const ask = (): void => {
      if (session.destroyed) return
      wait(keepAliveTimeoutMs, () => session.destroy())
      session.ping(() => {
        cancel()
        if (!session.destroyed) wait(keepAliveIntervalMs, ask)
      })
    }
    wait(keepAliveIntervalMs, ask)
    return () => cancel()
  }
}

function peerOf(socket: Socket | TLSSocket): Peer {
  const { remoteAddress, remotePort } = socket
  const address = remoteAddress === undefined ? '' : `${remoteAddress}:${remotePort}`
  // A session's socket answers for what it has, not whether it has it.
  const { authorized, getPeerCertificate } = socket as Partial<TLSSocket>
  if (authorized !== true || getPeerCertificate === undefined) {
    return { address, certificateName: undefined }
  }
  const { subject } = (socket as TLSSocket).getPeerCertificate() as Partial<PeerCertificate>
  const name: unknown = subject?.CN
  // Of several names none is the one.
  return { address, certificateName: typeof name === 'string' ? name : undefined }
}

const notFound: RequestListener = (_, response) => {
  response.writeHead(404)
  response.end()
}
