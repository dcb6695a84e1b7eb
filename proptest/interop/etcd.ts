/**
 * A real etcd on this machine, started for one test, and its client.
 *
 * Where it is missing, suites are skipped and a line says so; with REVBOLT_REQUIRE_ETCD=1 they fail
 * instead.
 */

import { execFile, spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'

const runFile = promisify(execFile)

const START_ATTEMPTS = 1000
const START_PAUSE_MS = 10
const CALL_TIMEOUT_MS = 10_000
/** Of what it says, the end is kept. */
const SAID_MAX = 4000
const PORT_MIN = 10_000
const PORT_END = 32_000
const PORT_ATTEMPTS = 100
/** How often it is tried with other ports. */
const LAUNCHES_MAX = 5

function isMissing(program: string): boolean {
  return spawnSync(program, ['--help'], { stdio: 'ignore' }).error !== undefined
}

const missing = ['etcd', 'etcdctl'].filter(isMissing)

/** Whether suites that ask etcd are to be skipped: `describe.skipIf(isWithoutEtcd)`. */
export const isWithoutEtcd: boolean =
  missing.length > 0 && process.env['REVBOLT_REQUIRE_ETCD'] !== '1'

if (isWithoutEtcd) {
  process.stderr.write(`tests that ask etcd itself are skipped: no ${missing.join(', ')}\n`)
}

/** What talks to the running etcd. */
export interface Etcd {
  /** Runs etcdctl; resolves to what it printed. */
  ctl(...args: readonly string[]): Promise<string>
}

/** Runs etcdctl, for what it does without a server. */
export async function runEtcdctl(...args: readonly string[]): Promise<void> {
  const env = { ...process.env, ETCDCTL_API: '3' }
  await runFile('etcdctl', [...args], { env, timeout: CALL_TIMEOUT_MS })
}

/** Runs etcdctl against the server at `url`. */
export function etcdctlOf(url: string): Etcd['ctl'] {
  return async (...args) => {
    const env = { ...process.env, ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: url }
    return (await runFile('etcdctl', [...args], { env, timeout: CALL_TIMEOUT_MS })).stdout
  }
}

/**
 * A port that nobody listens on, below those that the system gives to connections: one of those is
 * somebody's again before etcd has come up.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const server = createServer()
    try {
      server.listen(randomInt(PORT_MIN, PORT_END), '127.0.0.1')
      await once(server, 'listening')
    } catch (error) {
      if (attempt === PORT_ATTEMPTS) throw error
      continue
    }
    const address = server.address()
    server.close()
    await once(server, 'close')
    if (typeof address !== 'object' || address === null) throw new Error('etcd: no port')
    return address.port
  }
}

/** A running etcd. */
export interface EtcdServer extends Etcd {
  /** Where its clients call it. */
  readonly url: string
  /** Ends it, as an operator would; its data stays. Idempotent. */
  stop(): Promise<void>
}

/**
 * Starts an etcd of one member, whose data lies in `directory`, and waits until it answers. It
 * elects itself sooner than by default, with the same least time to live of a lease: 2 seconds.
 */
export async function startEtcd(
  directory: string,
  more: readonly string[] = [],
): Promise<EtcdServer> {
  for (let launch = 1; ; launch++) {
    try {
      return await launchEtcd(directory, more)
    } catch (error) {
      const isPortTaken = error instanceof Error && error.message.includes('address already in use')
      if (!isPortTaken || launch === LAUNCHES_MAX) throw error
    }
  }
}

async function launchEtcd(directory: string, more: readonly string[]): Promise<EtcdServer> {
  const url = `http://127.0.0.1:${await freePort()}`
  const peer = `http://127.0.0.1:${await freePort()}`
  const child = spawn(
    'etcd',
    [
      ...['--data-dir', directory, '--name', 'one'],
      ...['--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', `one=${peer}`],
      ...['--heartbeat-interval', '70', '--election-timeout', '700'],
      ...more,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const ended = once(child, 'close')
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-SAID_MAX)
  })
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
  }
  const ctl = etcdctlOf(url)
  try {
    await untilAnswering(url, () => child.exitCode)
  } catch (error) {
    await stop()
    throw new Error(`etcd: ${said}`, { cause: error })
  }
  return { url, ctl, stop }
}

/** Runs `work` with a new etcd, whose data lies in `directory`, and stops it. */
export async function withEtcd(
  directory: string,
  work: (etcd: EtcdServer) => Promise<void>,
  more: readonly string[] = [],
): Promise<void> {
  const server = await startEtcd(directory, more)
  try {
    await work(server)
  } finally {
    await server.stop()
  }
}

/** Waits until it has elected itself: only then it answers a linearizable read. */
export async function untilAnswering(url: string, exitCode: () => number | null): Promise<void> {
  const body = JSON.stringify({ key: 'AA==' })
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await fetch(`${url}/v3/kv/range`, { method: 'POST', body })
      await answer.text()
      if (answer.ok) return
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error
    }
    if (exitCode() !== null) throw new Error(`etcd ended with ${exitCode()} while it started`)
    if (attempt === START_ATTEMPTS) throw new Error('etcd has not come up')
    await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS))
  }
}

/** Where etcd keeps its database. */
export function databaseOf(directory: string): string {
  return join(directory, 'member', 'snap', 'db')
}
