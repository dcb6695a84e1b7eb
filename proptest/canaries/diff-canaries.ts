/** Canaries of comparisons. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

const REVISIONS = {
  file: 'mvcc/key-diff.ts',
  test: 'proptest/diff/revisions.test.ts',
  testName: 'diff tells what the states of two revisions differ in',
} as const

const FILES = {
  file: 'mvcc/key-diff.ts',
  test: 'proptest/diff/files.test.ts',
  testName: 'files compared tell what their states differ in',
} as const

export const DIFF_CANARIES: readonly Canary[] = [
  {
    name: 'a key that is there no more left out of a comparison',
    find: 'if (was === undefined && is === undefined) continue',
    replace: 'if (is === undefined) continue',
    ...REVISIONS,
  },
  {
    name: 'a key that a transaction wrote at the same sub revision taken for the same',
    find: 'was.modMain === is.modMain && was.modSub === is.modSub',
    replace: 'was.modSub === is.modSub',
    ...REVISIONS,
  },
  {
    name: 'a key deleted and made again with its value told where values are compared',
    find: '    if (this.#byValue) return true\n',
    replace: '    if (this.#byValue && before.version <= after.version) return true\n',
    ...REVISIONS,
  },
  {
    name: 'the same revision of two stores taken for the same row',
    find: 'if (!this.#isOneStore || was',
    replace: 'if (was',
    ...FILES,
  },
  {
    name: 'keys behind the last one of the other side left out',
    find: 'return hasBefore || hasAfter',
    replace: 'return hasBefore && hasAfter',
    ...FILES,
  },
  {
    name: 'a comparison that goes on at a revision that is compacted',
    file: 'mvcc/read-txn.ts',
    find: '    for (const { revision } of [diff.before, diff.after]) {\n',
    replace: '    for (const { revision } of [diff.after]) {\n',
    test: 'proptest/diff/revisions.test.ts',
    testName: 'a compaction past a revision ends a comparison',
  },
]
