/**
 * One call, on the stream that it came by: headers, frames with messages, and at the end the
 * status.
 *
 * It ends once, with whatever comes first: the answer, an error, the end of its time, the caller
 * gone, the server closed. What its handler does after that is dropped.
 */

import { constants } from 'node:http2'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Clock } from '../base/clock.ts'
import { DecodeError } from '../proto/wire.ts'
import type { Call, Output, Peer } from './call.ts'
import { FrameReader, framesOf } from './frames.ts'
import { Metadata } from './metadata.ts'
import type { Route, Router } from './router.ts'
import { RpcError, STATUS, encodeStatusText } from './status.ts'
import { readTimeout } from './timeout.ts'

export interface StreamSetup {
  readonly router: Router
  readonly clock: Clock
  /** The longest message that is taken. */
  readonly maxReceiveBytes: number
  readonly peer: Peer
  /** Told of what a handler threw that was no `RpcError`: a bug, or an error nobody translated. */
  readonly onError: (error: unknown, path: string) => void
  readonly ended: () => void
}

const CONTENT_TYPE = 'application/grpc'
const HEADERS = { ':status': 200, 'content-type': CONTENT_TYPE } as const
const OK_TRAILERS = { 'grpc-status': '0' } as const

export class ServerStream implements Call, Output<unknown> {
  readonly metadata: Metadata
  readonly peer: Peer
  readonly #stream: ServerHttp2Stream
  readonly #path: string
  readonly #setup: StreamSetup
  readonly #reader: FrameReader
  #route: Route | undefined
  #abort: AbortController | undefined
  #reason: RpcError | undefined
  #isEnded = false
  #hasHeaders = false
  #cancelTimer: (() => void) | undefined

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, setup: StreamSetup) {
    this.metadata = new Metadata(headers)
    this.peer = setup.peer
    this.#stream = stream
    this.#path = String(headers[':path'])
    this.#setup = setup
    this.#reader = new FrameReader(setup.maxReceiveBytes)
    stream.on('error', () => {})
    stream.once('aborted', () => this.#gone())
    stream.once('close', () => {
      this.#gone()
      setup.ended()
    })
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController()
    if (this.#reason !== undefined) this.#abort.abort(this.#reason)
    return this.#abort.signal
  }

  /** Takes the call up. Never throws. */
  begin(method: string | undefined): void {
    const type = this.metadata.text('content-type') ?? ''
    if (method !== 'POST' || !/^application\/grpc($|[;+])/.test(type)) {
      this.#isEnded = true
      this.#stream.respond({ ':status': method === 'POST' ? 415 : 405 }, { endStream: true })
      return
    }
    try {
      const route = this.#setup.router.find(this.#path)
      this.#route = route
      this.#setTimer()
      if (route.handler.kind === 'bidiStream') {
        const { answer } = route.handler
        void this.#follow(answer(this.#requests(route), this, this))
      } else {
        this.#takeOne(route)
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Ends the call from outside. */
  stop(reason: RpcError): void {
    if (!this.#isEnded) this.#fail(reason)
  }

  write(...messages: readonly unknown[]): Promise<void> | undefined {
    const stream = this.#stream
    const codec = this.#route?.response
    if (this.#isEnded || codec === undefined || stream.destroyed) return undefined
    this.#sendHeaders()
    const frames = framesOf(messages.map((message) => codec.encode(message)))
    if (stream.write(frames)) return undefined
    return new Promise((resolve) => {
      const done = (): void => {
        stream.off('drain', done)
        stream.off('close', done)
        resolve()
      }
      stream.once('drain', done)
      stream.once('close', done)
    })
  }

  #setTimer(): void {
    const timeoutMs = readTimeout(this.metadata.text('grpc-timeout'))
    if (timeoutMs === undefined) return
    this.#cancelTimer = this.#setup.clock.setTimer(
      timeoutMs,
      () => this.stop(new RpcError(STATUS.DEADLINE_EXCEEDED, 'context deadline exceeded')),
      { keepsAlive: false },
    )
  }

  /** Of a call with one request: it is there when the stream has ended. */
  #takeOne(route: Route): void {
    const reader = this.#reader
    const stream = this.#stream
    let found: Uint8Array | undefined
    stream.on('data', (chunk: Buffer) => {
      if (this.#isEnded) return
      try {
        reader.push(chunk)
        for (let next = reader.next(); next !== undefined; next = reader.next()) {
          if (found !== undefined) throw protocolError('more than one message')
          found = next
        }
      } catch (error) {
        this.#fail(error)
      }
    })
    stream.once('end', () => {
      if (this.#isEnded) return
      try {
        if (!reader.isBetween) throw protocolError('the stream ends within a message')
        if (found === undefined) throw protocolError('no message')
        this.#answer(route, decode(route, found))
      } catch (error) {
        this.#fail(error)
      }
    })
  }

  #answer(route: Route, request: unknown): void {
    const { handler } = route
    if (handler.kind === 'serverStream') {
      void this.#follow(handler.answer(request, this, this))
      return
    }
    if (handler.kind !== 'unary') return
    const answer = handler.answer(request, this)
    if (!(answer instanceof Promise)) return this.#respond(answer)
    answer.then(
      (response) => this.#respond(response),
      (error: unknown) => this.#fail(error),
    )
  }

  async *#requests(route: Route): AsyncGenerator<unknown, void, void> {
    const reader = this.#reader
    // A reader that stops early lets the call go on.
    for await (const chunk of this.#stream.iterator({ destroyOnReturn: false })) {
      reader.push(chunk as Buffer)
      for (let next = reader.next(); next !== undefined; next = reader.next()) {
        yield decode(route, next)
      }
    }
    if (!reader.isBetween) throw protocolError('the stream ends within a message')
  }

  async #follow(work: Promise<void>): Promise<void> {
    try {
      await work
      if (this.#isEnded) return
      this.#sendHeaders()
      this.#end()
      this.#stream.end()
    } catch (error) {
      this.#fail(error)
    }
  }

  #respond(response: unknown): void {
    const codec = this.#route?.response
    if (this.#isEnded || codec === undefined) return
    try {
      const frames = framesOf([codec.encode(response)])
      this.#sendHeaders()
      this.#end()
      this.#stream.end(frames)
    } catch (error) {
      this.#fail(error)
    }
  }

  #sendHeaders(): void {
    const stream = this.#stream
    if (this.#hasHeaders || stream.destroyed) return
    this.#hasHeaders = true
    stream.respond(HEADERS, { waitForTrailers: true })
    stream.once('wantTrailers', () => stream.sendTrailers(this.#trailers()))
  }

  #trailers(): Readonly<Record<string, string>> {
    return this.#reason === undefined ? OK_TRAILERS : trailersOf(this.#reason)
  }

  #fail(error: unknown): void {
    if (this.#isEnded) return
    const reason = this.#rpcErrorOf(error)
    this.#reason = reason
    this.#end()
    this.#abort?.abort(reason)
    const stream = this.#stream
    if (stream.destroyed) return
    if (this.#hasHeaders) {
      stream.end()
      return
    }
    stream.respond({ ...HEADERS, ...trailersOf(reason) }, { endStream: true })
    if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR)
  }

  #rpcErrorOf(error: unknown): RpcError {
    if (error instanceof RpcError) return error
    if (error instanceof DecodeError) {
      return new RpcError(STATUS.INTERNAL, `grpc: failed to unmarshal: ${error.message}`)
    }
    // Reading on fails when the caller is gone.
    if (this.#stream.destroyed) return cancelled()
    this.#setup.onError(error, this.#path)
    return new RpcError(STATUS.UNKNOWN, 'internal error', { cause: error })
  }

  #end(): void {
    this.#isEnded = true
    this.#cancelTimer?.()
    // What the caller still sends is of no use; but unread it would keep the stream open.
    this.#stream.resume()
  }

  /** The caller is not there any more. */
  #gone(): void {
    if (this.#isEnded) return
    this.#reason = cancelled()
    this.#end()
    this.#abort?.abort(this.#reason)
  }
}

function trailersOf({ code, message }: RpcError): Readonly<Record<string, string>> {
  const status = { 'grpc-status': String(code) }
  return message === '' ? status : { ...status, 'grpc-message': encodeStatusText(message) }
}

function decode(route: Route, bytes: Uint8Array): unknown {
  return route.request.decode(bytes)
}

function cancelled(): RpcError {
  return new RpcError(STATUS.CANCELLED, 'context canceled')
}

function protocolError(what: string): RpcError {
  return new RpcError(STATUS.INTERNAL, `grpc: ${what}`)
}
