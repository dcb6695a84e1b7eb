/**
 * Files that are wrong in one place where bbolt's own check sees nothing and a later write of
 * bbolt's does damage: our check must see it, and so must the strict look of the Go program.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openEngine } from '../../engine/index.ts'
import { findingsOf } from './engine-file.ts'
import { isWithoutGo } from './go-build.ts'
import { bbolt } from './go-program.ts'
import { RawFile } from './raw-file.ts'
import type { RawPage } from './raw-file.ts'
import { withTempDirectory } from './temp-directory.ts'

interface Doctoring {
  readonly what: string
  /** Changes one thing in the file. */
  readonly change: (file: RawFile) => void
  /** The code of our finding. */
  readonly code: string
  /** What the strict look at the pages says. */
  readonly strict: RegExp
}

function pageWhere(file: RawFile, isWanted: (page: RawPage) => boolean): RawPage {
  const page = file.pages().find(isWanted)
  if (page === undefined) throw new Error('the file has no such page')
  return page
}

const DOCTORINGS: readonly Doctoring[] = [
  {
    what: 'a separator that is one smaller than its child’s first key',
    change: (file) => {
      const { id } = pageWhere(file, (page) => page.isBranch && page.elements.length > 2)
      file.lowerKey(id, 1)
    },
    code: 'separator',
    strict: /^pages: .*separator 1 is/,
  },
  {
    what: 'a first separator that is one smaller than its child’s first key',
    change: (file) => {
      const { id } = pageWhere(file, (page) => page.isBranch && page.isRoot)
      file.lowerKey(id, 0)
    },
    code: 'separator',
    strict: /^pages: .*separator 0 is/,
  },
  {
    what: 'a branch with one child',
    change: (file) => {
      const { id } = pageWhere(file, (page) => page.isBranch)
      file.keepFirst(id, 1)
    },
    code: 'branch-children',
    strict: /^pages: .*a branch with 1 children/,
  },
  {
    what: 'an empty leaf below a branch',
    change: (file) => {
      const { id } = pageWhere(file, (page) => !page.isBranch && !page.isRoot)
      file.keepFirst(id, 0)
    },
    code: 'empty-leaf',
    strict: /^pages: .*an empty leaf that is not a root/,
  },
]

/** Makes a sound file without a freelist, so that pages which nothing leads to count as free. */
type Maker = (path: string) => Promise<void>

const MAKERS: { readonly [name: string]: Maker } = {
  bbolt: (path) => bbolt.make('no-freelist', path, ['-page-size', '1024']),
  'our engine': async (path) => {
    const engine = await openEngine(path, { pageSizeBytes: 1024, freelist: 'scan' })
    engine.update((tx) => {
      const bucket = tx.createBucket('bucket')
      // Two levels of branches.
      for (let i = 0; i < 900; i++)
        bucket.put(`key-${String(i).padStart(6, '0')}`, Buffer.alloc(90))
    })
    await engine.close()
  },
}

const CASES = Object.entries(MAKERS).flatMap(([by, make]) =>
  DOCTORINGS.map((doctoring) => ({ by, make, ...doctoring })),
)

describe.skipIf(isWithoutGo)('doctored files', () => {
  test.each(CASES)(
    'our check finds $what, which bbolt’s does not, in a file by $by',
    async ({ make, change, code, strict }) => {
      await withTempDirectory(async (directory) => {
        const path = join(directory, 'db')
        await make(path)
        expect((await bbolt.check(path)).findings).toEqual([])
        const file = RawFile.read(path)
        change(file)
        file.dropOlderMeta()
        file.write(path)

        const { findings } = await bbolt.check(path)
        expect(findings.filter((finding) => finding.startsWith('check: '))).toEqual([])
        expect(findings.filter((finding) => strict.test(finding))).toHaveLength(1)

        const engine = await openEngine(path, { readOnly: true })
        const report = engine.check()
        await engine.close()
        expect(report.isClean).toBe(false)
        expect(
          findingsOf(report).filter((finding) => finding.startsWith(`${code}: `)),
        ).toHaveLength(1)
      })
    },
  )

  test('what our check warns of comes true: bbolt’s next put behind such a separator ruins the file', async () => {
    await withTempDirectory(async (directory) => {
      const path = join(directory, 'db')
      await bbolt.make('sparse-pages', path, ['-page-size', '1024'])
      const file = RawFile.read(path)
      const leaf = (page: RawPage): boolean => !page.isBranch && !page.isRoot
      const { id } = pageWhere(file, (page) => {
        const child = page.elements[1]?.child
        return page.isBranch && child !== undefined && leaf(file.page(child, false))
      })
      file.lowerKey(id, 1)
      const child = file.page(file.page(id, false).elements[1]?.child ?? 0, false)
      const first = child.elements[0]
      if (first === undefined) throw new Error('the child is empty')
      const key = file.bytes.toString('hex', first.key, first.key + first.keySize)
      file.write(path)

      const script = [
        { op: 'begin' },
        { op: 'put', path: [Buffer.from('sparse').toString('hex')], key, value: '00' },
        { op: 'commit' },
      ]
      await bbolt.expect(
        ['apply', path, '-'],
        script.map((line) => JSON.stringify(line)).join('\n'),
      )
      const { findings } = await bbolt.check(path)
      expect(findings.join('\n')).toMatch(/^(check|pages): .*(reachable freed|is in use)/m)
    })
  })
})
