/** The program as a process: exit codes, and that it stops when told to. */
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hasGit, makeRepository } from '../proptest/git-repository.ts'
import { findHome } from './source.ts'

let directory = ''

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** Data directories that a run left behind. */
async function leftovers(): Promise<readonly string[]> {
  return (await readdir(directory)).filter((name) => name.startsWith('revbolt-start-'))
}

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

async function start(
  args: readonly string[],
  onOutput: (text: string, child: ChildProcess) => void = () => {},
): Promise<Ended> {
  const home = findHome()
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(home, 'cli', 'start.ts'), ...args],
    {
      cwd: home,
      // Temporary directories of the run come where they can be counted.
      env: { ...process.env, INIT_CWD: directory, TMPDIR: directory },
    },
  )
  const ended = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ended.stdout += text
    onOutput(ended.stdout, child)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    ended.stderr += text
  })
  await once(child, 'close')
  return { code: child.exitCode, ...ended }
}

describe('npm start', () => {
  test('exits with 0 after --help, 2 after a wrong option, 1 after a failure', async () => {
    const help = await start(['--help'])
    expect(help).toMatchObject({ code: 0, stderr: '' })
    expect(help.stdout).toMatch(/^Usage: npm start/)
    const wrong = await start(['--colour'])
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toMatch(/^npm start: .*--colour/)
    const failed = await start(['nowhere'])
    expect(failed).toMatchObject({ code: 1, stdout: '' })
    expect(failed.stderr).toMatch(/^npm start: .*nowhere.*\n$/)
  })

  test.skipIf(!hasGit)('runs where it was called from, and exits with 0', async () => {
    const files = [['a', '1']] as const
    await makeRepository(join(directory, 'here'), [{ subject: 'one', date: 0, files }])
    const { code, stdout, stderr } = await start(['here'])
    expect(stderr).toBe('')
    expect(stdout).toContain('git history of here')
    expect(code).toBe(0)
    expect(await leftovers()).toEqual([])
  })

  test.skipIf(!hasGit)('stops when nobody reads on, and leaves nothing behind', async () => {
    const files = [['a', '1']] as const
    await makeRepository(join(directory, 'here'), [{ subject: 'one', date: 0, files }])
    const { code, stderr } = await start(['here'], (_text, child) => child.stdout?.destroy())
    expect({ code, stderr }).toEqual({ code: 141, stderr: '' })
    expect(await leftovers()).toEqual([])
  })

  test.skipIf(!hasGit)('stops at a signal, and leaves nothing behind', async () => {
    const commits = Array.from({ length: 4000 }, (_, index) => ({
      subject: `${index}`,
      date: index,
      files: [['a', `${index}`]] as const,
    }))
    await makeRepository(join(directory, 'long'), commits)
    let isTold = false
    const { code, stderr } = await start(['long'], (text, child) => {
      if (isTold || !text.includes('into')) return
      isTold = true
      child.kill('SIGINT')
    })
    expect(code).toBe(130)
    expect(stderr).toContain('stopped')
    expect(await leftovers()).toEqual([])
  })
})
