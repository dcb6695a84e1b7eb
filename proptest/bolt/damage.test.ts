/** Files damaged at random: every command of `revbolt bolt` explains them, or reads them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { effort, seed } from '../effort.ts'
import { layoutsOf } from '../faults/damage.ts'
import type { Sample } from '../faults/sample.ts'
import { SAMPLE_PAGE_SIZE, makeSample } from '../faults/sample.ts'
import { boltIn, jsonLines } from './run-bolt.ts'

let directory = ''
let sample: Sample

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  sample = await makeSample('sync')
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

describe('whatever the damage', () => {
  const COMMANDS = [
    ['info'],
    ['check'],
    ['pages'],
    ['inspect'],
    ['page', '3'],
    ['dump', '3'],
    ['buckets'],
    ['keys', 'deep'],
    ['get', 'overflow', 'long'],
    ['stats'],
    ['info', '--json'],
    ['check', '--json'],
    ['check', '--generation', 'previous'],
    ['pages', '--json'],
    ['page', '3', '--json'],
    ['page', '6', '--page-size', '2048'],
    ['inspect', '--json'],
    ['keys', 'nested', '--values', '--lenient'],
    ['compact', 'out'],
    ['copy', 'out', '--no-lock'],
  ]

  /** Changes bytes, most of them near the beginnings of pages, or cuts the file. */
  function harm(random: Random): Uint8Array {
    let bytes = new Uint8Array(sample.bytes)
    const used = Math.max(...layoutsOf(bytes, SAMPLE_PAGE_SIZE).map(({ end }) => end))
    for (let changes = random.between(1, 6); changes > 0; changes--) {
      const pgid = random.below(Math.floor(used / SAMPLE_PAGE_SIZE))
      const within = random.below(3) === 0 ? random.below(SAMPLE_PAGE_SIZE) : random.below(96)
      bytes[pgid * SAMPLE_PAGE_SIZE + within] = random.below(256)
    }
    if (random.below(4) === 0) bytes = bytes.slice(0, random.below(bytes.length))
    return bytes
  }

  test('every command ends with a documented exit code, no bug and no stack trace', async () => {
    const rounds = effort({ smoke: 60, ci: 120, soak: 1500 })
    for (let round = 0; round < rounds; round++) {
      const random = new Random((seed + round) >>> 0)
      await writeFile(join(directory, 'harmed'), harm(random))
      for (const command of COMMANDS) {
        const [name = '', ...rest] = command
        const ran = await boltIn(directory, [name, 'harmed', ...rest])
        const where = `seed ${seed} + ${round}: ${command.join(' ')}`
        expect([0, 1, 3], `${where}\n${ran.stderr}`).toContain(ran.code)
        expect(ran.stdout + ran.stderr, where).not.toMatch(/^ {4}at |internal error/m)
        if (command.includes('--json')) jsonLines(ran)
        await rm(join(directory, 'out'), { force: true })
      }
    }
  }, 3_600_000)
})
