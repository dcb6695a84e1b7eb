/** `revbolt diff` and `revbolt snapshot diff`: what they print, and how they end. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { open } from '../../index.ts'
import type { Ran } from '../../proptest/bolt/run-bolt.ts'
import { jsonLines, snapshotIn, storeIn } from '../../proptest/bolt/run-bolt.ts'

let directory = ''

const run = (...args: readonly string[]): Promise<Ran> => storeIn(directory, args)
const snapshot = (...args: readonly string[]): Promise<Ran> => snapshotIn(directory, args)

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
  await using store = await open(join(directory, 'data'), { encoding: 'bytes' })
  await store.put('lang', 'en') // 2
  await store.put('list', 'one\ntwo\n')
  await store.put('theme', 'dark') // 4
  await store.backup(join(directory, 'monday.db'))
  await store.put('theme', 'light')
  await store.put('list', 'one\n2\n') // 6
  await store.delete('lang')
  await store.put('raw', Buffer.from([0xff])) // 8
  await store.put('raw', Buffer.from([0xff]))
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

const TEXT = `- lang  was en
~ list  +1 -1 lines
    - two
    + 2
+ raw  0xff
~ theme  dark → light
`

test('a line for each key, and how many there are', async () => {
  const ran = await run('diff', '--from', '4')
  expect(ran).toEqual({ code: 0, stdout: TEXT, stderr: '1 added, 2 changed, 1 removed\n' })
  expect(await snapshot('diff', 'monday.db', 'data')).toEqual(ran)
  const some = await run('diff', '--from', '4', 'l', '--prefix', '--keys-only')
  expect(some).toMatchObject({ code: 0, stdout: '- lang\n~ list\n' })
  const one = await snapshot('diff', 'monday.db', 'data', 'raw', '--hex')
  expect(one).toMatchObject({ code: 2 })
  const hex = await snapshot('diff', 'monday.db', 'data', '726177', '--hex')
  expect(hex).toMatchObject({ code: 0, stdout: '+ 726177  ff\n' })
})

test('between two revisions, in either direction, or what the last ones did', async () => {
  expect(await run('diff', '--from', '2', '--to', '4')).toMatchObject({
    stdout: '+ list  "one\\ntwo\\n"\n+ theme  dark\n',
  })
  expect(await run('diff', '--from', '4', '--to', '2', '--keys-only')).toMatchObject({
    stdout: '- list\n- theme\n',
  })
  expect(await run('diff', '--last', '1')).toMatchObject({ stdout: '~ raw  0xff  (the same)\n' })
  expect(await run('diff', '--last', '2', '--to', '7', '--keys-only')).toMatchObject({
    stdout: '- lang\n~ list\n',
  })
  expect(await run('diff', '--count-only')).toMatchObject({ stdout: '3 added\n' })
  const older = await snapshot('diff', 'data', 'data', '--before-rev', '4', '--after-rev', '5')
  expect(older).toMatchObject({ code: 0, stdout: '~ theme  dark → light\n' })
})

test('nothing differs, and the exit code where it was asked for', async () => {
  const same = await run('diff', '--last', '1', '--by-value', '--exit-code')
  expect(same).toEqual({ code: 0, stdout: '', stderr: 'nothing differs\n' })
  expect(await run('diff', '--last', '1', '--exit-code')).toMatchObject({ code: 1 })
  expect(await run('diff', '--last', '1')).toMatchObject({ code: 0 })
})

test('JSON: an object for each key, or the counts', async () => {
  const lines = jsonLines(await run('diff', '--from', '4', '--json'))
  expect(lines).toMatchObject([
    { kind: 'removed', key: { text: 'lang' }, before: { value: { text: 'en' } } },
    { kind: 'changed', key: { text: 'list' } },
    { kind: 'added', key: { text: 'raw' }, after: { value: { hex: 'ff' }, version: '2' } },
    { kind: 'changed', before: { modRevision: '4' }, after: { modRevision: '5' } },
  ])
  const counts = await snapshot('diff', 'monday.db', 'data', '--json', '--count-only')
  expect(jsonLines(counts)).toEqual([{ added: '1', changed: '2', removed: '1' }])
})

test('what is wrong is told', async () => {
  expect(await run('diff', '--from', '2', '--last', '2')).toMatchObject({ code: 2 })
  expect(await run('diff', '--from', 'x')).toMatchObject({ code: 2 })
  const far = await run('diff', '--from', '99')
  expect(far).toMatchObject({ code: 1, stderr: expect.stringContaining('KV_FUTURE_REVISION') })
  const none = await snapshot('diff', 'monday.db', 'nothing')
  expect(none).toMatchObject({ code: 3, stderr: expect.stringContaining('KV_NOT_FOUND') })
  await using store = await open(join(directory, 'data'))
  await store.status()
  const taken = await snapshot('diff', 'monday.db', 'data')
  expect(taken).toMatchObject({ code: 3, stderr: expect.stringContaining('KV_LOCKED') })
})
