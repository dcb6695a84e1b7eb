/** Which method a call is of, and who answers it. */

import type { Codec } from '../proto/codec.ts'
import type { Method } from '../proto/method.ts'
import type { Call, Output } from './call.ts'
import { RpcError, STATUS } from './status.ts'

/** Answers one request with one response. What it throws ends the call. */
export type UnaryHandler<Req, Res> = (request: Req, call: Call) => Res | Promise<Res>

/** Answers one request with any number of responses; the call ends when it resolves. */
export type ServerStreamHandler<Req, Res> = (
  request: Req,
  call: Call,
  output: Output<Res>,
) => Promise<void>

/** Takes requests as they come and answers as it likes; the call ends when it resolves. */
export type BidiStreamHandler<Req, Res> = (
  requests: AsyncIterable<Req>,
  call: Call,
  output: Output<Res>,
) => Promise<void>

/** A method with who answers it, its types put aside: `request` and `response` belong together. */
export interface Route {
  readonly request: Codec<unknown>
  readonly response: Codec<unknown>
  readonly handler:
    | { readonly kind: 'unary'; readonly answer: UnaryHandler<unknown, unknown> }
    | { readonly kind: 'serverStream'; readonly answer: ServerStreamHandler<unknown, unknown> }
    | { readonly kind: 'bidiStream'; readonly answer: BidiStreamHandler<unknown, unknown> }
}

export class Router {
  readonly #routes = new Map<string, Route>()
  readonly #services = new Set<string>()

  unary<Req, Res>(method: Method<Req, Res>, answer: UnaryHandler<Req, Res>): void {
    this.#add(method, { kind: 'unary', answer: answer as UnaryHandler<unknown, unknown> })
  }

  serverStream<Req, Res>(method: Method<Req, Res>, answer: ServerStreamHandler<Req, Res>): void {
    const erased = answer as ServerStreamHandler<unknown, unknown>
    this.#add(method, { kind: 'serverStream', answer: erased })
  }

  bidiStream<Req, Res>(method: Method<Req, Res>, answer: BidiStreamHandler<Req, Res>): void {
    const erased = answer as BidiStreamHandler<unknown, unknown>
    this.#add(method, { kind: 'bidiStream', answer: erased })
  }

  /** @throws {RpcError} `UNIMPLEMENTED`, with Go's words */
  find(path: string): Route {
    const route = this.#routes.get(path)
    if (route !== undefined) return route
    const [service, method] = split(path)
    const what = this.#services.has(service)
      ? `unknown method ${method} for service ${service}`
      : `unknown service ${service}`
    throw new RpcError(STATUS.UNIMPLEMENTED, what)
  }

  #add<Req, Res>(method: Method<Req, Res>, handler: Route['handler']): void {
    const { path, kind, request, response } = method
    if (kind !== handler.kind) throw new TypeError(`${path} is a ${kind} method`)
    if (this.#routes.has(path)) throw new TypeError(`${path} is answered already`)
    this.#services.add(split(path)[0])
    this.#routes.set(path, { request, response, handler })
  }
}

function split(path: string): readonly [service: string, method: string] {
  const slash = path.lastIndexOf('/')
  return [path.slice(1, Math.max(1, slash)), path.slice(slash + 1)]
}
