/** Our server, asked by grpc-js: what every client that speaks gRPC may count on. */

import { Metadata } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { STATUS } from '../../grpc/status.ts'
import { effort, seed } from '../effort.ts'
import type { Met } from './echo.ts'
import { ECHO, ask, echoRouter, same, serve, until } from './echo.ts'

const RUNS = effort({ smoke: 40, ci: 500, soak: 20_000 })

function errorOf(answer: Buffer | ServiceError): ServiceError {
  if (answer instanceof Error) return answer
  throw new Error(`it was answered: ${answer.toString()}`)
}

describe('one request, one answer', () => {
  test(`any bytes come back, ${RUNS} runs, seed ${seed}`, async () => {
    await using running = await serve()
    const client = running.client()
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 50 }),
      fc.integer({ min: 1, max: 300_000 }).map((size) => new Uint8Array(size).fill(size)),
    )
    const property = fc.asyncProperty(fc.array(bytes, { maxLength: 8 }), async (requests) => {
      const answers = await Promise.all(
        requests.map(async (one) => await ask(client, ECHO.one, one)),
      )
      const isSame = (answer: Buffer | ServiceError, i: number): boolean =>
        Buffer.isBuffer(answer) && answer.equals(requests[i] ?? Buffer.alloc(0))
      expect(answers.every((answer, i) => isSame(answer, i))).toBe(true)
    })
    await fc.assert(property, { numRuns: RUNS, seed })
  })

  test('an error has its code and its text, whatever is in it', async () => {
    await using running = await serve()
    const client = running.client()
    for (const words of ['etcdserver: key not found', 'größer % als\n"1"', '']) {
      const error = errorOf(await ask(client, ECHO.fail, `${STATUS.NOT_FOUND} ${words}`))
      expect(error).toMatchObject({ code: STATUS.NOT_FOUND, details: words })
    }
  })

  test('a bug of a handler is told to the server, and its words to nobody else', async () => {
    const told: unknown[] = []
    await using running = await serve({ onError: (...all) => told.push(all) })
    const error = errorOf(await ask(running.client(), ECHO.fail, 'bug'))
    expect(error).toMatchObject({ code: STATUS.UNKNOWN, details: 'internal error' })
    expect(told).toEqual([[expect.objectContaining({ message: 'a secret' }), '/test.Echo/Fail']])
  })

  test('what nobody answers is unimplemented, in the words of Go', async () => {
    await using running = await serve()
    const client = running.client()
    const method = errorOf(await ask(client, { ...ECHO.one, path: '/test.Echo/None' }, ''))
    expect(method).toMatchObject({
      code: STATUS.UNIMPLEMENTED,
      details: 'unknown method None for service test.Echo',
    })
    const service = errorOf(await ask(client, { ...ECHO.one, path: '/test.None/One' }, ''))
    expect(service.details).toBe('unknown service test.None')
  })

  test('a message may be as long as the limit, and not a byte longer', async () => {
    await using running = await serve({ limits: { maxReceiveBytes: 100_000 } })
    const client = running.client()
    expect(await ask(client, ECHO.one, new Uint8Array(100_000))).toHaveLength(100_000)
    const error = errorOf(await ask(client, ECHO.one, new Uint8Array(100_001)))
    expect(error).toMatchObject({
      code: STATUS.RESOURCE_EXHAUSTED,
      details: 'grpc: received message larger than max (100001 vs. 100000)',
    })
    expect(await ask(client, ECHO.one, 'again')).toEqual(Buffer.from('again'))
  })

  test('metadata, as text and as bytes', async () => {
    await using running = await serve()
    const client = running.client()
    const metadata = new Metadata()
    metadata.set('token', 'abc')
    metadata.set('raw-bin', Buffer.from([0, 255, 1]))
    const got = async (name: string): Promise<Buffer | undefined> =>
      await new Promise((resolve, reject) => {
        const { path } = ECHO.metadata
        const request = Buffer.from(name)
        client.makeUnaryRequest(path, same, same, request, metadata, (error, value) => {
          if (error === null) resolve(value)
          else reject(error)
        })
      })
    expect((await got('token'))?.toString()).toBe('abc')
    expect(await got('raw-bin')).toEqual(Buffer.from([0, 255, 1]))
    expect((await got('none'))?.toString()).toBe('none')
    expect((await got('peer'))?.toString()).toMatch(/^127\.0\.0\.1:\d+ undefined$/)
  })
})

describe('the end of a call', () => {
  test('a deadline ends it on both sides', async () => {
    const met: Met = { ended: [], written: 0, waited: 0 }
    await using running = await serve({ router: echoRouter(met) })
    const error = errorOf(await ask(running.client(), ECHO.wait, '', { deadline: 30 }))
    expect(error.code).toBe(STATUS.DEADLINE_EXCEEDED)
    await until(() => met.ended.length === 1)
    // Whichever of the two noticed first.
    expect(['context deadline exceeded', 'context canceled']).toContain(met.ended[0])
  })

  test('a caller that gives up is told to the handler', async () => {
    const met: Met = { ended: [], written: 0, waited: 0 }
    await using running = await serve({ router: echoRouter(met) })
    const client = running.client()
    const { path } = ECHO.wait
    const call = client.makeUnaryRequest(path, same, same, Buffer.from(''), () => {})
    await until(() => running.server.callCount === 1)
    call.cancel()
    await until(() => met.ended.length === 1)
    expect(met.ended).toEqual(['context canceled'])
    await until(() => running.server.callCount === 0)
  })

  test('a server that closes tells callers, and handlers', async () => {
    const met: Met = { ended: [], written: 0, waited: 0 }
    await using running = await serve({ router: echoRouter(met) })
    const answer = ask(running.client(), ECHO.wait, '')
    await until(() => running.server.callCount === 1)
    await running.server.close({ graceMs: 1000 })
    expect(errorOf(await answer)).toMatchObject({
      code: STATUS.UNAVAILABLE,
      details: 'server stopped',
    })
    expect(met.ended).toEqual(['server stopped'])
    expect(running.server.connectionCount).toBe(0)
  })
})

describe('streams', () => {
  test('one request, many answers, in order', async () => {
    await using running = await serve()
    const { path } = ECHO.many
    const call = running.client().makeServerStreamRequest(path, same, same, Buffer.from('1001'))
    const got: string[] = []
    for await (const message of call) got.push((message as Buffer).toString())
    expect(got).toEqual(Array.from({ length: 1001 }, (_, i) => `${i}`))
  })

  test('both ways, until either end has enough', async () => {
    await using running = await serve()
    const client = running.client()
    const { path } = ECHO.each
    const call = client.makeBidiStreamRequest<Buffer, Buffer>(path, same, same)
    const answers = call[Symbol.asyncIterator]()
    for (const word of ['a', '', 'c'.repeat(70_000)]) {
      call.write(Buffer.from(word))
      expect((await answers.next()).value).toEqual(Buffer.from(word))
    }
    call.end()
    expect(await answers.next()).toMatchObject({ done: true })
    const other = client.makeBidiStreamRequest<Buffer, Buffer>(path, same, same)
    other.write(Buffer.from('x'))
    other.write(Buffer.from('enough'))
    const got: string[] = []
    for await (const message of other) got.push((message as Buffer).toString())
    expect(got).toEqual(['x'])
    await until(() => running.server.callCount === 0)
  })

  test('a reader that is slow is waited for, and others are served meanwhile', async () => {
    const met: Met = { ended: [], written: 0, waited: 0 }
    await using running = await serve({ router: echoRouter(met) })
    const client = running.client()
    const { path } = ECHO.flood
    const call = client.makeServerStreamRequest(path, same, same, Buffer.from(''))
    call.on('error', () => {})
    call.pause()
    await until(() => met.waited > 0)
    for (let i = 0; i < 50; i++) {
      expect(await ask(client, ECHO.one, `${i}`)).toEqual(Buffer.from(`${i}`))
    }
    // What the windows of both ends and their buffers hold.
    expect(met.written).toBeLessThan(16 * 1024 * 1024)
    call.cancel()
    await until(() => met.ended.length === 1)
  })
})
