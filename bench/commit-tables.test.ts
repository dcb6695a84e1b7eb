import { describe, expect, test } from 'vitest'
import { makeCommitRecord } from './commit-record.ts'
import { formatCommitRecord } from './commit-tables.ts'
import type { LatencySample } from './latency-protocol.ts'

const OCCASION = {
  startedAt: '2026-01-01T00:00:00.000Z',
  commit: 'unknown',
  machine: { cpu: 'one', cores: 2, memoryBytes: 1, kernel: 'Linux', fileSystem: 'ext4' },
  versions: {},
}

function sample(name: LatencySample['name'], us: number, rest: object = {}): LatencySample {
  const latency = { count: us === 0 ? 0 : 100, p50Us: us, p99Us: us, maxUs: us }
  return { name, latency, loop: { p99Ms: us / 1000, maxMs: us / 1000 }, ...rest }
}

function limitsOf(...samples: readonly LatencySample[]): string[] {
  const latency = { ...OCCASION, rounds: 1, samples }
  const text = formatCommitRecord(makeCommitRecord({ latency }))
  return text.split('\n').filter((line) => /\| < \d/.test(line))
}

describe('limits of latency', () => {
  test('are met or missed where they were measured', () => {
    const lines = limitsOf(
      sample('quiet', 1000),
      sample('hashes', 4000),
      sample('slow', 9000, { slowedSyncs: 5 }),
      sample('checkpoint', 60_000, { checkpoints: 1 }),
    )
    expect(lines.map((line) => line.split('|').slice(2, 5))).toEqual([
      [' 9.0 ms ', ' < 10 ms ', ' met '],
      [' 4.0 ', ' < 3 ', ' **missed** '],
      [' 60.0 ms ', ' < 50 ms ', ' **missed** '],
      [' 60.0 ms ', ' < 50 ms ', ' **missed** '],
    ])
  })

  test('are not met by a run without slow syncs or checkpoints', () => {
    const lines = limitsOf(
      sample('slow', 1000, { slowedSyncs: 0 }),
      sample('checkpoint', 0, { checkpoints: 0 }),
    )
    expect(lines).toHaveLength(4)
    for (const line of lines) expect(line).toContain('**not measured**')
  })
})
