/**
 * The commands of docs/graduating-to-etcd.md, run as they stand there but for the ports: a store's
 * history goes into one node of etcd, into a cluster of three, and back.
 */

import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { open } from '../../index.ts'
import type { StoreOf } from '../behaviour/backend.ts'
import { snapshotIn } from '../bolt/run-bolt.ts'
import { etcdctlOf, freePort, isWithoutEtcd, untilAnswering } from '../interop/etcd.ts'
import { withTempDirectory } from '../interop/temp-directory.ts'
import { answersOf } from './alike.ts'
import { connect } from './gateway-store.ts'

const runFile = promisify(execFile)
const GUIDE = readFileSync('docs/graduating-to-etcd.md', 'utf8')

interface Server {
  readonly child: ChildProcess
  readonly ended: Promise<unknown>
  readonly url: string
}

class Reader {
  readonly directory: string
  readonly #ports = new Map<string, number>()
  readonly #servers: Server[] = []

  constructor(directory: string) {
    this.directory = directory
  }

  /** Runs the commands of one block, with ports that are free. Returns the servers it started. */
  async run(block: string): Promise<readonly Server[]> {
    const started: Server[] = []
    for (const line of block.split('\n')) {
      const words = (await this.#withFreePorts(line)).split(' ')
      const [program = '', ...args] = words
      if (program === 'etcd') started.push(this.#start(args))
      else await this.#call(program, args)
    }
    for (const { url, child } of started) await untilAnswering(url, () => child.exitCode)
    return started
  }

  async stop(servers: readonly Server[] = this.#servers): Promise<void> {
    for (const { child } of servers) child.kill('SIGTERM')
    await Promise.all(servers.map(({ ended }) => ended))
  }

  async #withFreePorts(line: string): Promise<string> {
    let free = line
    for (const [, port = ''] of line.matchAll(/127\.0\.0\.1:(\d+)/g)) {
      if (!this.#ports.has(port)) this.#ports.set(port, await freePort())
      free = free.replaceAll(`127.0.0.1:${port}`, `127.0.0.1:=${this.#ports.get(port)}`)
    }
    return free.replaceAll(':=', ':')
  }

  async #call(program: string, args: readonly string[]): Promise<void> {
    const { directory } = this
    const [family, ...rest] = args
    if (program === 'revbolt' && family === 'snapshot') {
      const { code, stderr } = await snapshotIn(directory, rest)
      if (code !== 0 || stderr !== '') throw new Error(`${args.join(' ')}: ${code}, ${stderr}`)
      return
    }
    if (program !== 'etcdctl') throw new Error(`the guide runs ${program}`)
    const env = { ...process.env, ETCDCTL_API: '3' }
    await runFile(program, args, { cwd: directory, env, timeout: 60_000 })
  }

  #start(args: readonly string[]): Server {
    const child = spawn('etcd', args, { cwd: this.directory, stdio: 'ignore' })
    const url = args[args.indexOf('--listen-client-urls') + 1] ?? ''
    const server = { child, ended: once(child, 'close'), url }
    this.#servers.push(server)
    return server
  }
}

async function fill(store: StoreOf<'bytes'>): Promise<void> {
  await store.grant({ id: 7n, ttlSeconds: 5000 })
  for (let i = 0; i < 30; i++) await store.put(`key ${i % 7}`, `value ${i}`, { lease: 7n })
  await store.delete('key 3')
  await store.compact(10)
}

describe.skipIf(isWithoutEtcd)('docs/graduating-to-etcd.md', () => {
  test('takes a history into one node, into a cluster of three, and back', async () => {
    await withTempDirectory(async (directory) => {
      const blocks = [...GUIDE.matchAll(/```sh\n([\s\S]*?)\n```/g)].map(([, text = '']) => text)
      const [save, oneNode, restoreThree, startThree, back, ...more] = blocks as [
        string,
        string,
        string,
        string,
        string,
      ]
      expect(more).toEqual([])
      const ours = await open(join(directory, 'data'), { encoding: 'bytes' })
      await fill(ours)
      const wanted = await answersOf(ours, 10)
      const { hash } = await ours.hashKV()
      await ours.close()
      const guide = new Reader(directory)
      try {
        await guide.run(save)
        const single = await guide.run(oneNode)
        await mustAnswer(single, { wanted, hash })
        await guide.stop(single)
        await guide.run(restoreThree)
        const three = await guide.run(startThree)
        expect(three.length).toBe(3)
        await mustAnswer(three, { wanted, hash })
        await guide.run(back)
      } finally {
        await guide.stop()
      }
      const again = await open(join(directory, 'data-again'), { encoding: 'bytes' })
      expect(await answersOf(again, 10)).toEqual(wanted)
      expect((await again.hashKV()).hash).toBe(hash)
      await again.close()
    })
  })
})

interface Wanted {
  readonly wanted: readonly string[]
  readonly hash: number
}

async function mustAnswer(servers: readonly Server[], { wanted, hash }: Wanted): Promise<void> {
  for (const { url } of servers) {
    const store = connect({ url, ctl: etcdctlOf(url), stop: () => Promise.resolve() }, 'bytes')
    expect(await answersOf(store, 10)).toEqual(wanted)
    expect((await store.hashKV()).hash).toBe(hash)
    await store.close()
  }
}
