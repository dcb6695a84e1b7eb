/** docs/etcd-bugs.md and the tests and canaries that it names: none without the others. */

import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { ETCD_BUG_CANARIES } from '../canaries/etcd-bug-canaries.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDER = `${ROOT}/proptest/etcd-bugs`
const COLUMNS = 5

const page = readFileSync(`${ROOT}/docs/etcd-bugs.md`, 'utf8')
const files = readdirSync(FOLDER).filter((name) => name.endsWith('.test.ts'))
const sources = new Map(
  files.map((name) => [
    name.slice(0, -'.test.ts'.length),
    readFileSync(`${FOLDER}/${name}`, 'utf8'),
  ]),
)

interface Row {
  readonly numbers: readonly string[]
  readonly tests: readonly string[]
  readonly canaries: readonly string[]
}

function numbersIn(text: string): string[] {
  return [...text.matchAll(/#(\d+)/g)].map(([, number = '']) => number)
}

/** The rows of the bugs that can exist here. */
const rows = page.split('\n').flatMap((line): Row[] => {
  const cells = line.split('|').slice(1, -1)
  const [bug = '', , , test = '', canaries = ''] = cells.map((cell) => cell.trim())
  if (cells.length !== COLUMNS || !bug.includes('#')) return []
  const tests = [...test.matchAll(/`(\w+)`/g)].map(([, name = '']) => name)
  return [{ numbers: numbersIn(bug), tests, canaries: canaries.split('; ') }]
})

test('each bug of the page has a test of its number, where the page says', () => {
  expect(rows.length).toBeGreaterThan(20)
  for (const { numbers, tests } of rows) {
    expect(tests).toHaveLength(1)
    const titles = tests.flatMap((name) => [...(sources.get(name) ?? '').matchAll(/^test\(.*/gm)])
    const named = new Set(titles.flatMap(([title]) => numbersIn(title)))
    expect(numbers.filter((number) => !named.has(number))).toEqual([])
  }
})

test('each test of a bug is on the page, and each canary, and the other way round', () => {
  const known = new Set(rows.flatMap(({ numbers }) => numbers))
  for (const source of sources.values()) {
    for (const [title] of source.matchAll(/^test\(.*/gm)) {
      expect(numbersIn(title).filter((number) => !known.has(number))).toEqual([])
    }
  }
  const inPage = rows.flatMap(({ numbers, canaries }) =>
    canaries.map((name) => ({ name, first: numbers })),
  )
  const inCode = ETCD_BUG_CANARIES.map(({ name }) => name.replace(/^\w+ #\d+: /, ''))
  expect(inPage.map(({ name }) => name).sort()).toEqual(inCode.sort())
  for (const { name } of ETCD_BUG_CANARIES) {
    const row = inPage.find((each) => name.endsWith(`: ${each.name}`))
    expect(row?.first, name).toContain(numbersIn(name)[0])
  }
})
