/**
 * Files made by our engine with every feature of the format: bbolt reads what was written, finds
 * nothing wrong, and empties the file again.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openEngine } from '../../engine/index.ts'
import { digestOf } from './content.ts'
import type { Edit, Transaction } from './edits.ts'
import { applyToEngine, applyToModel, scriptOf } from './edits.ts'
import { contentOf, expectReadByBbolt, expectReadByUs, findingsOf } from './engine-file.ts'
import { isWithoutGo } from './go-build.ts'
import { bbolt } from './go-program.ts'
import { BucketModel } from './model.ts'
import { withTempDirectory } from './temp-directory.ts'

/** Edits that make `model`, in the order of its keys. */
function editsOf(model: BucketModel): Edit[] {
  const edits: Edit[] = []
  const stack: { readonly bucket: BucketModel; readonly path: readonly string[] }[] = [
    { bucket: model, path: [] },
  ]
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { bucket, path } = top
    if (path.length > 0 && bucket.sequence !== 0n) {
      edits.push({ op: 'setSequence', path, sequence: bucket.sequence.toString() })
    }
    for (const key of bucket.keys()) {
      const entry = bucket.entries.get(key)
      if (typeof entry === 'string') edits.push({ op: 'put', path, key, value: entry })
      else if (entry !== undefined) {
        edits.push({ op: 'createBucket', path: [...path, key] })
        stack.push({ bucket: entry, path: [...path, key] })
      }
    }
  }
  return edits
}

/** Splits edits into transactions of so many. */
function inTransactions(edits: readonly Edit[], size: number): Transaction[] {
  const transactions: Transaction[] = []
  for (let at = 0; at < edits.length; at += size) {
    transactions.push({ edits: edits.slice(at, at + size), end: 'commit' })
  }
  return transactions
}

/** Every key in random-looking order: what one transaction after the other puts lies apart. */
function scattered(edits: readonly Edit[]): Edit[] {
  const buckets = edits.filter(({ op }) => op === 'createBucket')
  const others = edits.filter(({ op }) => op !== 'createBucket')
  const step = 7919
  const order = others.map((edit, i) => ({ edit, rank: (i * step) % others.length }))
  return [...buckets, ...order.toSorted((a, b) => a.rank - b.rank).map(({ edit }) => edit)]
}

/** Deletes everything: keys first, then buckets from the inside out. */
function deletions(edits: readonly Edit[]): Edit[] {
  const keys = edits.flatMap((edit): Edit[] =>
    edit.op === 'put' ? [{ op: 'delete', path: edit.path, key: edit.key }] : [],
  )
  const buckets = edits.flatMap((edit): Edit[] =>
    edit.op === 'createBucket' ? [{ op: 'deleteBucket', path: edit.path }] : [],
  )
  return [...keys, ...buckets.toReversed()]
}

const KINDS = [
  'rich',
  'inline-boundary',
  'sequences',
  'overflow',
  'long-keys',
  'empty-values',
  'deep',
  'full-pages',
  'many-elements',
  'generations',
]

const CASES = KINDS.flatMap((kind) =>
  [1024, 4096, 65536]
    // Long values and deep trees are as long and as deep in smaller pages.
    .filter((pageSize) => pageSize < 65536 || (kind !== 'overflow' && kind !== 'deep'))
    .map((pageSize, i) => ({ kind, pageSize, freelist: i === 1 ? 'scan' : 'sync' }) as const),
)

describe.skipIf(isWithoutGo)('files made by our engine', () => {
  test.each(CASES)('$kind, pages of $pageSize bytes, freelist: $freelist', async (setup) => {
    await withTempDirectory(async (directory) => {
      const { kind, pageSize, freelist } = setup
      const theirs = join(directory, 'theirs')
      await bbolt.make(kind, theirs, ['-page-size', String(pageSize)])
      const content = await contentOf(theirs)
      const edits = editsOf(content)
      for (const [name, order] of Object.entries({ sorted: edits, scattered: scattered(edits) })) {
        const path = join(directory, name)
        const engine = await openEngine(path, { pageSizeBytes: pageSize, freelist })
        await applyToEngine(engine, inTransactions(order, Math.ceil(order.length / 3)))
        expect(findingsOf(engine.check())).toEqual([])
        await engine.close()
        await expectReadByBbolt(path, content)
        await expectReadByUs(path, content)

        // bbolt deletes every key and bucket that we wrote.
        const gone = inTransactions(deletions(edits), Math.ceil(edits.length / 2))
        await bbolt.expect(['apply', path, '-'], scriptOf(gone))
        await expectReadByBbolt(path, new BucketModel())
        await expectReadByUs(path, new BucketModel())
      }
    })
  })

  test('our engine deletes every key and bucket that bbolt wrote', async () => {
    await withTempDirectory(async (directory) => {
      for (const kind of ['rich', 'deep', 'sparse-pages', 'generations']) {
        const path = join(directory, kind)
        await bbolt.make(kind, path, ['-page-size', '1024'])
        const edits = deletions(editsOf(await contentOf(path)))
        const engine = await openEngine(path)
        await applyToEngine(engine, inTransactions(edits, Math.ceil(edits.length / 4)))
        expect(findingsOf(engine.check())).toEqual([])
        await engine.close()
        await expectReadByBbolt(path, new BucketModel())
      }
    })
  })

  test.each(['sync', 'scan'] as const)(
    'bbolt reads what was written on the generation before the newest, freelist: %s',
    async (freelist) => {
      await withTempDirectory(async (directory) => {
        const path = join(directory, 'db')
        const model = new BucketModel()
        const commit = (n: number): Transaction => ({
          edits: [
            ...(n === 0 ? [{ op: 'createBucket', path: ['aaaaaa'] } as const] : []),
            ...Array.from({ length: 60 }, (_, i): Edit => {
              const key = `${n}${String(i % (20 + n)).padStart(5, '0')}`
              return { op: 'put', path: ['aaaaaa'], key, value: 'cc'.repeat(20 * n + i) }
            }),
          ],
          end: 'commit',
        })
        const options = { pageSizeBytes: 1024, freelist }
        const engine = await openEngine(path, options)
        await applyToEngine(engine, [0, 1, 2, 3, 4].map(commit))
        await engine.close()
        applyToModel(model, [0, 1, 2, 3].map(commit))

        const again = await openEngine(path, { ...options, generation: 'previous' })
        expect(again.view((tx) => digestOf(tx))).toBe(digestOf(model))
        await applyToEngine(again, [commit(5)])
        applyToModel(model, [commit(5)])
        expect(findingsOf(again.check())).toEqual([])
        await again.close()
        await expectReadByBbolt(path, model)
        await expectReadByUs(path, model)
      })
    },
  )
})
