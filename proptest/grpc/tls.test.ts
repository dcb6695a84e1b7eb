/** With TLS: both protocols on one port, and certificates of clients. */

import { readFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { fileURLToPath } from 'node:url'
import { Client, credentials } from '@grpc/grpc-js'
import type { ServiceError } from '@grpc/grpc-js'
import { describe, expect, test } from 'vitest'
import { STATUS } from '../../grpc/status.ts'
import { ECHO, ask, event, serve } from './echo.ts'

const read = (name: string): Buffer =>
  readFileSync(fileURLToPath(new URL(`../../testdata/tls/${name}`, import.meta.url)))

const CA = read('ca.pem')
const SERVER = { cert: read('server.pem'), key: read('server.key') }
const CLIENT = { cert: read('client.pem'), key: read('client.key') }

async function asked(port: number, withCertificate: boolean): Promise<Buffer | ServiceError> {
  const { key, cert } = CLIENT
  const ssl = withCertificate ? credentials.createSsl(CA, key, cert) : credentials.createSsl(CA)
  const client = new Client(`localhost:${port}`, ssl)
  try {
    return await ask(client, ECHO.metadata, 'peer', { deadline: 20_000 })
  } finally {
    client.close()
  }
}

describe('with TLS', () => {
  test('gRPC and HTTP/1.1 share a port', async () => {
    await using running = await serve({
      tls: SERVER,
      onHttp1: (_, response) => response.end('plain'),
    })
    expect(String(await asked(running.port, false))).toMatch(/ undefined$/)
    const request = httpsRequest({ port: running.port, host: 'localhost', ca: CA })
    request.end()
    const [response] = (await event(request, 'response')) as readonly [AsyncIterable<Buffer>]
    let body = ''
    for await (const chunk of response) body += chunk.toString()
    expect(body).toBe('plain')
  })

  test('a client’s certificate tells its name, and without one it is not let in', async () => {
    const tls = { ...SERVER, ca: CA, requestCert: true, rejectUnauthorized: true }
    await using running = await serve({ tls })
    expect(String(await asked(running.port, true))).toMatch(/ client$/)
    expect(await asked(running.port, false)).toMatchObject({ code: STATUS.UNAVAILABLE })
    expect(String(await asked(running.port, true))).toMatch(/ client$/)
  })

  test('a certificate that nobody vouches for has no name', async () => {
    const tls = { ...SERVER, requestCert: true, rejectUnauthorized: false }
    await using running = await serve({ tls })
    expect(String(await asked(running.port, true))).toMatch(/ undefined$/)
  })

  test('who speaks no TLS, or nothing, is sent away', async () => {
    await using running = await serve({ tls: SERVER, limits: { handshakeMs: 1500 } })
    const others = ['', 'GET / HTTP/1.1\r\n\r\n'].map(async (begin) => {
      const socket = connectTcp(running.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.resume()
      socket.write(begin)
      await event(socket, 'close')
    })
    expect(String(await asked(running.port, false))).toMatch(/ undefined$/)
    await Promise.all(others)
  })
})
