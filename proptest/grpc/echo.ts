/** A service whose methods show what gRPC itself does, and servers and clients of it. */

import { once } from 'node:events'
import type { EventEmitter } from 'node:events'
import type { ClientOptions, ServiceError } from '@grpc/grpc-js'
import { Client, credentials } from '@grpc/grpc-js'
import { GrpcServer } from '../../grpc/server.ts'
import type { GrpcServerOptions } from '../../grpc/server.ts'
import { Router } from '../../grpc/router.ts'
import { RpcError } from '../../grpc/status.ts'
import type { Call } from '../../grpc/call.ts'
import type { Codec } from '../../proto/codec.ts'
import type { Method, MethodKind } from '../../proto/method.ts'

/** Messages are bytes. */
const BYTES: Codec<Uint8Array> = {
  name: 'test.Bytes',
  encode: (message) => message,
  decode: (bytes) => bytes,
}

function method(name: string, kind: MethodKind): EchoMethod {
  return { path: `/test.Echo/${name}`, kind, request: BYTES, response: BYTES }
}

type EchoMethod = Method<Uint8Array, Uint8Array>
type EchoName = 'one' | 'fail' | 'wait' | 'metadata' | 'many' | 'each' | 'flood'

export const ECHO: Readonly<Record<EchoName, EchoMethod>> = {
  one: method('One', 'unary'),
  fail: method('Fail', 'unary'),
  wait: method('Wait', 'unary'),
  metadata: method('Metadata', 'unary'),
  many: method('Many', 'serverStream'),
  each: method('Each', 'bidiStream'),
  flood: method('Flood', 'serverStream'),
}

/** What calls of `Wait` and `Flood` have met. */
export interface Met {
  readonly ended: string[]
  written: number
  waited: number
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()

export function echoRouter(met: Met = { ended: [], written: 0, waited: 0 }): Router {
  const router = new Router()
  router.unary(ECHO.one, (request) => request)
  router.unary(ECHO.fail, (request): Uint8Array => {
    const [code = '', ...words] = text(request).split(' ')
    if (code === 'bug') throw new Error('a secret')
    throw new RpcError(Number(code), words.join(' '))
  })
  router.unary(ECHO.wait, async (_, call) => {
    await untilAborted(call)
    met.ended.push(call.signal.reason instanceof RpcError ? call.signal.reason.message : '?')
    return Buffer.from('too late')
  })
  router.unary(ECHO.metadata, (request, { metadata, peer }) => {
    const name = text(request)
    if (name === 'peer') return Buffer.from(`${peer.address} ${peer.certificateName}`)
    const found = name.endsWith('-bin') ? metadata.bytes(name) : metadata.text(name)
    return Buffer.from(found ?? 'none')
  })
  router.serverStream(ECHO.many, async (request, _, output) => {
    const count = Number(text(request))
    for (let i = 0; i < count; i += 2) {
      const both = [Buffer.from(`${i}`), Buffer.from(`${i + 1}`)].slice(0, count - i)
      await output.write(...both)
    }
  })
  router.bidiStream(ECHO.each, async (requests, _, output) => {
    for await (const request of requests) {
      if (text(request) === 'enough') break
      await output.write(request)
    }
  })
  router.serverStream(ECHO.flood, async (_, call, output) => {
    const message = new Uint8Array(64 * 1024)
    while (!call.signal.aborted && met.written < 1e9) {
      const slow = output.write(message)
      met.written += message.length
      if (slow === undefined) continue
      met.waited++
      await slow
    }
    met.ended.push('flood')
  })
  return router
}

async function untilAborted({ signal }: Call): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

export interface Running extends AsyncDisposable {
  readonly server: GrpcServer
  /** Where it listens, for clients. */
  readonly target: string
  readonly port: number
  client(options?: ClientOptions): Client
}

export async function serve(
  options: Omit<GrpcServerOptions, 'router'> & { readonly router?: Router } = {},
): Promise<Running> {
  const server = new GrpcServer({ router: echoRouter(), ...options })
  await server.listen({ host: '127.0.0.1', port: 0 })
  const port = server.address?.port ?? 0
  const target = `127.0.0.1:${port}`
  const clients: Client[] = []
  return {
    server,
    target,
    port,
    client: (clientOptions = {}) => {
      const client = new Client(target, credentials.createInsecure(), clientOptions)
      clients.push(client)
      return client
    },
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) client.close()
      await server.close({ graceMs: 50 })
    },
  }
}

export const same = (bytes: Buffer): Buffer => bytes

/** The answer, or the error, with what was told of it. */
export async function ask(
  client: Client,
  { path }: EchoMethod,
  request: Uint8Array | string,
  options: { readonly deadline?: number } = {},
): Promise<Buffer | ServiceError> {
  const { deadline } = options
  return await new Promise((resolve) => {
    const callOptions = deadline === undefined ? {} : { deadline: Date.now() + deadline }
    client.makeUnaryRequest(path, same, same, Buffer.from(request), callOptions, (error, value) => {
      resolve(error ?? value ?? Buffer.from('nothing'))
    })
  })
}

/** What has not come after this long, in ms, never will. */
const NEVER_MS = 20_000

/** Resolves when it is so; rejects where it never is. */
export async function until(isSo: () => boolean): Promise<void> {
  const signal = AbortSignal.timeout(NEVER_MS)
  while (!isSo()) {
    signal.throwIfAborted()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Resolves with the event; rejects where it never comes. */
export async function event(emitter: EventEmitter, name: string): Promise<readonly unknown[]> {
  return (await once(emitter, name, { signal: AbortSignal.timeout(NEVER_MS) })) as unknown[]
}
