/** What our engine and bbolt say of the same file, held against the model. */

import { expect } from 'vitest'
import type { CheckReport, EngineOptions } from '../../engine/index.ts'
import { openEngine } from '../../engine/index.ts'
import type { Source } from './content.ts'
import { digestOf, dumpOf, firstDifference, modelOf } from './content.ts'
import { bbolt } from './go-program.ts'
import type { BucketModel } from './model.ts'

/** Longer values are shown by their digest. */
const SHOWN_MAX = 64

/** The findings of a check report, a line each. */
export function findingsOf(report: CheckReport): string[] {
  return report.findings.map(
    ({ code, pgid, bucketPath, message }) => `${code}: page ${pgid} ${bucketPath}: ${message}`,
  )
}

/**
 * Fails where our engine, opening the file anew, does not read `content` or its check finds
 * anything.
 */
export async function expectReadByUs(
  path: string,
  content: Source,
  options: EngineOptions = {},
): Promise<void> {
  const engine = await openEngine(path, { readOnly: true, ...options })
  try {
    const digest = engine.view((tx) => digestOf(tx))
    if (digest !== digestOf(content)) {
      const dump = engine.view((tx) => dumpOf(tx, SHOWN_MAX))
      expect.unreachable(`our engine reads ${firstDifference(dumpOf(content, SHOWN_MAX), dump)}`)
    }
    expect(findingsOf(engine.check())).toEqual([])
  } finally {
    await engine.close()
  }
}

/** What our engine reads in a file. */
export async function contentOf(path: string, options: EngineOptions = {}): Promise<BucketModel> {
  const engine = await openEngine(path, { readOnly: true, ...options })
  try {
    return engine.view((tx) => modelOf(tx))
  } finally {
    await engine.close()
  }
}

/**
 * Fails where bbolt does not read `content`, or finds anything in the file. `flags` go to the
 * check.
 */
export async function expectReadByBbolt(
  path: string,
  content: Source,
  flags: readonly string[] = [],
): Promise<void> {
  const { findings, hash } = await bbolt.check(path, flags)
  expect(findings).toEqual([])
  if (hash !== digestOf(content)) {
    const dump = await bbolt.dump(path, SHOWN_MAX)
    expect.unreachable(`bbolt reads ${firstDifference(dumpOf(content, SHOWN_MAX), dump)}`)
  }
}
