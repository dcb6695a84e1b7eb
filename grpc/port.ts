/**
 * One port for HTTP/2 and HTTP/1.1, on TCP or a local socket, with TLS or without.
 *
 * With TLS the two ends agree on one by ALPN. Without, the first bytes tell: an HTTP/2 client that
 * knows what it talks to begins with `PRI * HTTP/2.0`, which no request of HTTP/1.1 does. Who sends
 * nothing, or goes on with half a handshake, is sent away after a while.
 */

import { once } from 'node:events'
import { createServer as createHttp1Server } from 'node:http'
import type { RequestListener, Server as Http1Server } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { Http2Server, ServerHttp2Session, Settings } from 'node:http2'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { TLSSocket, TlsOptions } from 'node:tls'
import type { Clock } from '../base/clock.ts'

/** What an HTTP/2 client begins with, as far as it tells it from HTTP/1.1. */
const PREFACE_BEGIN = Buffer.from('PRI ')
/** Memory that a session may take for what it has not sent. */
const SESSION_MEMORY_MB = 64
/** What a session may be sent ahead of what was read of it. */
const SESSION_WINDOW_BYTES = 4 * 1024 * 1024

/** Where a server listens. */
export type ListenPlace =
  | { readonly host: string; readonly port: number }
  | { readonly path: string }

export interface PortSetup {
  /** With TLS where it is there. `requestCert` asks for certificates, `ca` says whose are good. */
  readonly tls?: TlsOptions | undefined
  readonly settings: Settings
  /** How long a connection may take to say what it speaks, in ms. */
  readonly handshakeMs: number
  /** Connections beyond are refused. */
  readonly maxConnections: number
  readonly clock: Clock
  readonly onSession: (session: ServerHttp2Session) => void
  readonly onHttp1: RequestListener
}

export class Port {
  readonly #setup: PortSetup
  readonly #http1: Http1Server
  readonly #http2: Http2Server
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(setup: PortSetup) {
    this.#setup = setup
    this.#http1 = createHttp1Server(setup.onHttp1)
    this.#http2 = createHttp2Server({
      settings: setup.settings,
      maxSessionMemory: SESSION_MEMORY_MB,
    })
    this.#http2.on('session', (session) => {
      session.on('error', () => {})
      session.setLocalWindowSize(SESSION_WINDOW_BYTES)
      setup.onSession(session)
    })
    this.#http2.on('sessionError', () => {})
    this.#http1.on('clientError', (_, socket) => socket.destroy())
    this.#server = this.#listener()
    this.#server.maxConnections = setup.maxConnections
  }

  /** Resolves when it listens. Rejects where it can't: `EADDRINUSE` and its like. */
  async listen(place: ListenPlace): Promise<void> {
    this.#server.listen(place)
    await once(this.#server, 'listening')
  }

  /** Where it listens; undefined on a local socket. */
  get address(): AddressInfo | undefined {
    const address = this.#server.address()
    return typeof address === 'object' && address !== null ? address : undefined
  }

  get connectionCount(): number {
    return this.#sockets.size
  }

  /** Takes no more connections. Those that are there stay. */
  stopListening(): void {
    this.#server.close()
    this.#http1.closeIdleConnections()
  }

  /** Ends all that is left. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #listener(): Server {
    const { tls } = this.#setup
    if (tls === undefined) {
      return createTcpServer({ noDelay: true }, (socket) => this.#sniff(this.#welcome(socket)))
    }
    const handshakeTimeout = this.#setup.handshakeMs
    const options = { ...tls, handshakeTimeout, ALPNProtocols: ['h2', 'http/1.1'] }
    const server = createTlsServer(options, (socket) => this.#serveTls(socket))
    server.on('connection', (socket: Socket) => {
      socket.setNoDelay(true)
      this.#welcome(socket)
    })
    server.on('tlsClientError', (_, socket) => socket.destroy())
    return server
  }

  #welcome(socket: Socket): Socket {
    this.#sockets.add(socket)
    // It closes, whatever the error was.
    socket.on('error', () => {})
    socket.once('close', () => this.#sockets.delete(socket))
    return socket
  }

  #serveTls(socket: TLSSocket): void {
    socket.on('error', () => {})
    if (socket.alpnProtocol === 'h2') this.#http2.emit('connection', socket)
    else this.#http1.emit('connection', socket)
  }

  #sniff(socket: Socket): void {
    const { clock, handshakeMs } = this.#setup
    const cancel = clock.setTimer(handshakeMs, () => socket.destroy(), { keepsAlive: false })
    socket.once('close', cancel)
    let begin = Buffer.alloc(0)
    const look = (): void => {
      const more = socket.read() as Buffer | null
      if (more === null) return
      begin = Buffer.concat([begin, more])
      const length = Math.min(begin.length, PREFACE_BEGIN.length)
      const isHttp2 = begin.subarray(0, length).equals(PREFACE_BEGIN.subarray(0, length))
      // Too little to tell, and more will come.
      if (isHttp2 && length < PREFACE_BEGIN.length) return
      socket.off('readable', look)
      socket.unshift(begin)
      cancel()
      ;(isHttp2 ? this.#http2 : this.#http1).emit('connection', socket)
    }
    socket.on('readable', look)
  }
}
