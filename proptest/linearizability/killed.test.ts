/**
 * A store in a process of its own on a real disk, asked by many at once and killed while it
 * answers, again and again: what they were told is what calls made one after the other would have
 * been told.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { open } from '../../store/open.ts'
import { nextTurn } from '../../store/pause.ts'
import type { ChildProgram } from '../child-program.ts'
import { buildChildProgram } from '../child-program.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { Record, crowd } from './clients.ts'
import { KilledStore } from './killed-store.ts'
import { ask } from './store-calls.ts'
import { explain, mustBeLinearizable } from './verdict.ts'

const RUNS = effort({ smoke: 4, ci: 40, soak: 2000 })

let place: string
let program: ChildProgram
/** What the runs have met. */
const met = { unknownSeen: 0, unknownLost: 0 }

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'revbolt-linearizable-'))
  program = await buildChildProgram(new URL('./served-child.ts', import.meta.url))
})

afterAll(() => {
  rmSync(place, { recursive: true, force: true })
  program[Symbol.dispose]()
})

async function oneLife(directory: string, record: Record, random: Random): Promise<void> {
  const checkpointBytes = random.pick([500, 3000, 1e6])
  const store = new KilledStore(program.path, [directory, String(checkpointBytes)])
  // In the middle of opening, too.
  const timer = random.chance(0.2) ? setTimeout(() => void store.kill(), 80) : undefined
  let answersLeft = random.pick([3, 10, 40])
  if (await store.ready) {
    await crowd({
      record,
      random,
      clients: random.between(2, 6),
      calls: random.between(4, 12),
      ask: async (call) => {
        const answer = await store.ask(call)
        answersLeft--
        if (answersLeft === 0) void store.kill()
        return answer
      },
      pause: nextTurn,
    })
  }
  clearTimeout(timer)
  await store.kill()
  record.endLife()
}

async function oneRun(directory: string, random: Random): Promise<void> {
  const record = new Record()
  for (let lives = random.between(1, 3); lives > 0; lives--) {
    await oneLife(directory, record, random.fork())
  }
  await using store = await open(directory, { lockTimeoutMs: 10_000 })
  for (const call of record.last()) {
    await record.make(call, async (one) => await ask(store, one, nextTurn))
  }
  mustBeLinearizable(record.operations, met)
}

test(`histories of a killed store are linearizable, ${RUNS} runs, seed ${seed}`, async () => {
  const first = seed >>> 0
  for (let done = 0; !isEnough(done, RUNS, met); done++) {
    try {
      await oneRun(join(place, String(done)), new Random(first + done))
    } catch (error) {
      throw new Error(`run of seed ${first + done}: ${explain(error)}`, { cause: error })
    }
  }
  expect(unmet(met)).toEqual([])
})
