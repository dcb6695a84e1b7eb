/** The command as a process: exit codes, pipes, signals. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEngine } from '../engine/index.ts'
import { VERSION } from '../index.ts'
import { findHome } from './source.ts'

let directory = ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  const engine = await openEngine(join(directory, 'db'))
  engine.update((tx) => {
    const bucket = tx.createBucket('b')
    for (let i = 0; i < 50_000; i++) bucket.put(`a key of some length ${i}`, 'v')
  })
  await engine.close()
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * @param input standard input; null leaves it open
 * @param output a descriptor for standard output, in place of a pipe
 */
async function revbolt(
  args: readonly string[],
  onOutput: (child: ChildProcess) => void = () => {},
  input: string | Uint8Array | null = '',
  output: number | 'pipe' = 'pipe',
): Promise<Ended> {
  const program = join(findHome(), 'cli', 'revbolt.ts')
  const tsx = import.meta.resolve('tsx')
  const env = { ...process.env, FORCE_COLOR: '', REVBOLT_DATA: '' }
  const command = ['--import', tsx, program, ...args]
  const stdio = ['pipe' as const, output, 'pipe' as const]
  const child = spawn(process.execPath, command, { cwd: directory, env, stdio })
  if (input !== null) child.stdin?.end(input)
  const ended = { stdout: '', stderr: '' }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text
    onOutput(child)
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text
  })
  await once(child, 'close')
  return { code: child.exitCode, ...ended }
}

describe('revbolt', () => {
  test('shows its help and its version, and exits with 0', async () => {
    expect(await revbolt(['--help'])).toMatchObject({ code: 0, stderr: '' })
    expect(await revbolt(['--version'])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' })
  })

  test('an unknown command: exit code 2, and the nearest', async () => {
    const { code, stderr } = await revbolt(['blot'])
    expect(code).toBe(2)
    expect(stderr).toBe('revbolt: there is no command blot; did you mean bolt?\n')
  })

  test('exits with what bolt exits with', async () => {
    expect((await revbolt(['bolt', 'check', 'db'])).code).toBe(0)
    expect((await revbolt(['bolt', 'get', 'db', 'b', 'k'])).code).toBe(1)
    expect((await revbolt(['bolt', 'info', 'nothing'])).code).toBe(3)
  })

  test('a value from standard input comes back byte for byte', async () => {
    const value = Uint8Array.from({ length: 256 }, (_, index) => index)
    const put = await revbolt(['put', 'k'], undefined, value)
    expect(put).toEqual({ code: 0, stdout: 'revision 2\n', stderr: 'made a new store in data\n' })
    const hex = await revbolt(['get', '6b', '--hex', '--print-value-only'])
    expect(hex).toEqual({ code: 0, stdout: `${Buffer.from(value).toString('hex')}\n`, stderr: '' })
  })

  test('a watch owns the store until it is stopped, and says so to others', async () => {
    let other: Promise<Ended> | undefined
    const watching = revbolt(
      ['watch', '--rev', '2'],
      (child) => {
        // It has begun: there is an event.
        other ??= revbolt(['get', 'k']).finally(() => child.kill('SIGINT'))
      },
      null,
    )
    const { code, stdout, stderr } = await watching
    expect({ code, stderr }).toEqual({ code: 130, stderr: 'revbolt: stopped\n' })
    expect(stdout).toMatch(/^ {16}2 {2}PUT {5}k {2}0x000102/)
    const refused = await other
    expect(refused).toMatchObject({ code: 3, stdout: '' })
    expect(refused?.stderr).toMatch(
      /^revbolt: data is in use: it is locked by process \d+ \(KV_LOCKED\)\n {2}→ /,
    )
  })

  test('prints all of a long output into a pipe', async () => {
    const { code, stdout } = await revbolt(['bolt', 'keys', 'db', 'b'])
    expect(code).toBe(0)
    expect(stdout.split('\n')).toHaveLength(50_001)
  })

  test('stops when nobody reads on', async () => {
    const ended = await revbolt(['bolt', 'keys', 'db', 'b'], (child) => child.stdout?.destroy())
    expect(ended).toMatchObject({ code: 141, stderr: '' })
  })

  test.skipIf(!existsSync('/dev/full'))('says that its output can’t be written', async () => {
    const full = openSync('/dev/full', 'w')
    try {
      const words = [['bolt', 'keys', 'db', 'b'], ['--version']]
      for (const args of words) {
        const ended = await revbolt(args, undefined, '', full)
        expect(ended.code).toBe(3)
        expect(ended.stderr).toMatch(/^revbolt: standard output can’t be written: ENOSPC/)
      }
    } finally {
      closeSync(full)
    }
  })

  test('stops at a signal', async () => {
    let isTold = false
    const { code, stderr, stdout } = await revbolt(['bolt', 'keys', 'db', 'b'], (child) => {
      if (isTold) return
      isTold = true
      child.kill('SIGINT')
    })
    expect(stdout.length).toBeGreaterThan(0)
    expect({ code, stderr }).toEqual({ code: 130, stderr: 'revbolt: stopped\n' })
  })
})
