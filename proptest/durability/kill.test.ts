/**
 * Real processes on a real disk, killed with SIGKILL while they write: what a child said was
 * acknowledged is there, whatever it was doing, opening and checkpoints included.
 */

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { openEngine } from '../../engine/index.ts'
import { open } from '../../store/open.ts'
import type { ChildProgram } from '../child-program.ts'
import { buildChildProgram } from '../child-program.ts'
import { effort, seed } from '../effort.ts'

let place: string
let program: ChildProgram

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'revbolt-kill-'))
  program = await buildChildProgram(new URL('./kill-child.ts', import.meta.url))
})

afterAll(() => {
  rmSync(place, { recursive: true, force: true })
  program[Symbol.dispose]()
})

/** What the children have said so far. */
class Told {
  revision = 0
  readonly counts: Map<string, number> = new Map()
  lineCount = 0

  note(line: string): void {
    this.lineCount++
    const [word, first, second] = line.split(' ')
    if (word === 'open') this.revision = Math.max(this.revision, Number(first))
    else if (word === 'done') this.counts.set(`writer ${first}`, Number(second))
    else throw new Error(`a child said: ${line}`)
  }
}

/** Starts a child, listens, and kills it after so many lines or milliseconds. */
async function killOne(directory: string, told: Told, random: Random): Promise<void> {
  const child: ChildProcess = spawn(
    process.execPath,
    [program.path, directory, `${random.u32()}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const { stdout } = child
  if (stdout === null) throw new Error('a child has an output')
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (_, signal) => {
      if (signal === 'SIGKILL') resolve()
      else reject(new Error('the child ended by itself'))
    })
  })
  const kill = (): boolean => child.kill('SIGKILL')
  let left = random.pick([1, 2, 30, 200, 1000])
  // Also in the middle of opening.
  const timer = setTimeout(kill, random.chance(0.3) ? random.between(40, 250) : 5000)
  for await (const line of createInterface({ input: stdout })) {
    told.note(line)
    left--
    if (left === 0) kill()
  }
  await ended
  clearTimeout(timer)
}

test('what a killed process was told is there', async () => {
  const directory = join(place, 'data')
  const told = new Told()
  const random = new Random(seed >>> 0)
  const kills = effort({ smoke: 8, ci: 250, soak: 2000 })
  for (let kill = 0; kill < kills; kill++) {
    await killOne(directory, told, random)
    if (random.chance(0.5)) continue
    const store = await open(directory)
    const { revision } = await store.status()
    expect(revision).toBeGreaterThanOrEqual(told.revision)
    for (const [key, count] of told.counts) {
      const found = await store.get(key)
      expect(Number(found?.value.split(' ', 1)[0]), key).toBeGreaterThanOrEqual(count)
      // Whole, too: each put is the next version.
      expect(found?.version).toBe(Number(found?.value.split(' ', 1)[0]))
    }
    told.revision = revision
    await store.close()
    const engine = await openEngine(join(directory, 'db'), { readOnly: true })
    expect(engine.check().findings).toEqual([])
    await engine.close()
  }
  expect(told.lineCount).toBeGreaterThan(kills)
})
