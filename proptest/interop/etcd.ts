/**
 * A real etcd on this machine, started for one test, and its client.
 *
 * Where it is missing, suites are skipped and a line says so; with REVBOLT_REQUIRE_ETCD=1 they fail
 * instead.
 */

import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'

const runFile = promisify(execFile)

const START_ATTEMPTS = 100
const START_PAUSE_MS = 100
const CALL_TIMEOUT_MS = 10_000

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

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('etcd: no port')
  return address.port
}

/** Runs `work` with a new etcd, whose data lies in `directory`, and stops it. */
export async function withEtcd(
  directory: string,
  work: (etcd: Etcd) => Promise<void>,
): Promise<void> {
  const client = `http://127.0.0.1:${await freePort()}`
  const peer = `http://127.0.0.1:${await freePort()}`
  const child = spawn(
    'etcd',
    [
      ...['--data-dir', directory, '--name', 'one'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', `one=${peer}`],
    ],
    { stdio: 'ignore' },
  )
  const ended = once(child, 'close')
  const etcd: Etcd = {
    ctl: async (...args) => {
      const env = { ...process.env, ETCDCTL_API: '3', ETCDCTL_ENDPOINTS: client }
      const options = { env, timeout: CALL_TIMEOUT_MS }
      return (await runFile('etcdctl', [...args], options)).stdout
    },
  }
  try {
    await untilHealthy(etcd)
    await work(etcd)
  } finally {
    child.kill('SIGTERM')
    await ended
  }
}

async function untilHealthy(etcd: Etcd): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await etcd.ctl('endpoint', 'health')
      return
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error
      await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS))
    }
  }
}

/** Where etcd keeps its database. */
export function databaseOf(directory: string): string {
  return join(directory, 'member', 'snap', 'db')
}
