/** Canaries of gRPC's transport. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

const CALLS = 'proptest/grpc/grpc-js.test.ts'
const ABUSE = 'proptest/grpc/abuse.test.ts'
const STREAM = 'grpc/server-stream.ts'

export const GRPC_CANARIES: readonly Canary[] = [
  {
    name: 'a message a byte longer than the limit taken',
    file: 'grpc/frames.ts',
    find: 'if (size > this.#maxBytes) {',
    replace: 'if (size > this.#maxBytes + 1) {',
    test: CALLS,
    testName: 'a message may be as long as the limit, and not a byte longer',
  },
  {
    name: 'a message in several chunks without what came first',
    file: 'grpc/frames.ts',
    find: '    const message = Buffer.concat(this.#parts, this.#size)\n',
    replace: '    const message = Buffer.concat(this.#parts.slice(1), this.#size)\n',
    test: 'proptest/grpc/frames.test.ts',
    testName: 'any messages in any chunks',
  },
  {
    name: 'a call of which half a message came answered',
    file: STREAM,
    find: "        if (!reader.isBetween) throw protocolError('the stream ends",
    replace: "        if (found === null) throw protocolError('the stream ends",
    test: ABUSE,
    testName: 'with half a prefix ends with a status',
  },
  {
    name: 'a slow reader that nobody waits for',
    file: STREAM,
    find: '    if (stream.write(frames)) return undefined\n',
    replace: '    stream.write(frames)\n    if (frames.length > 0) return undefined\n',
    test: CALLS,
    testName: 'a reader that is slow is waited for, and others are served meanwhile',
  },
  {
    name: 'a deadline that the server does not keep',
    file: STREAM,
    find: '    if (timeoutMs === undefined) return\n',
    replace: '    if (timeoutMs === undefined || timeoutMs > 0) return\n',
    test: ABUSE,
    testName: 'with a time that is none, or is over',
  },
  {
    name: 'a handler that is not told that its caller is gone',
    file: STREAM,
    find: '    this.#reason = cancelled()\n    this.#end()\n    this.#abort?.abort(this.#reason)\n',
    replace: '    this.#reason = cancelled()\n    this.#end()\n',
    test: CALLS,
    testName: 'a caller that gives up is told to the handler',
  },
  {
    name: 'a call kept open by what its caller goes on to send',
    file: STREAM,
    find: '    this.#stream.resume()\n  }',
    replace: '  }',
    test: ABUSE,
    testName: 'that goes on after the answer is dropped',
  },
  {
    name: 'the words of a bug told to callers',
    file: STREAM,
    find: "'internal error', { cause: error })",
    replace: 'String(error), { cause: error })',
    test: CALLS,
    testName: 'a bug of a handler is told to the server, and its words to nobody else',
  },
  {
    name: 'a connection that says nothing kept for ever',
    file: 'grpc/port.ts',
    find: '() => socket.destroy(), { keepsAlive: false })',
    replace: '() => {}, { keepsAlive: false })',
    test: ABUSE,
    testName: 'that says nothing, or half of it, is closed',
  },
  {
    name: 'a name taken from a certificate that nobody vouches for',
    file: 'grpc/server.ts',
    find: 'if (authorized !== true || getPeerCertificate === undefined) {',
    replace: 'if (getPeerCertificate === undefined) {',
    test: 'proptest/grpc/tls.test.ts',
    testName: 'a certificate that nobody vouches for has no name',
  },
]
