/** `revbolt bolt` on files that bbolt and etcd themselves made. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Json } from '../bolt/run-bolt.ts'
import { boltIn, jsonLines } from '../bolt/run-bolt.ts'
import { databaseOf, isWithoutEtcd, withEtcd } from './etcd.ts'
import { isWithoutGo } from './go-build.ts'
import { bbolt, textOf } from './go-program.ts'
import { withTempDirectory } from './temp-directory.ts'

const KINDS = ['rich', 'empty', 'one-key', 'sequences', 'no-freelist', 'long-keys', 'generations']
const COMMANDS = ['info', 'buckets', 'check', 'stats', 'pages', 'inspect']

describe.skipIf(isWithoutGo)('revbolt bolt on a file made by bbolt', () => {
  test.each(KINDS)('%s: every command reads it, and finds nothing wrong', async (kind) => {
    await withTempDirectory(async (directory) => {
      await bbolt.make(kind, join(directory, 'db'))
      for (const command of COMMANDS) {
        const text = await boltIn(directory, [command, 'db'])
        expect({ command, ...text }).toMatchObject({ code: 0, stderr: '' })
        expect((await boltIn(directory, [command, 'db', '--json'])).code).toBe(0)
      }
      const rows = jsonLines(await boltIn(directory, ['pages', 'db', '--json']))
      for (const row of rows.filter(({ type }) => type !== 'free')) {
        const page = await boltIn(directory, ['page', 'db', `${row['id']}`])
        expect({ row, ...page }).toMatchObject({ code: 0, stderr: '' })
      }
    })
  })

  test('keys and get print what bbolt reads', async () => {
    await withTempDirectory(async (directory) => {
      const path = join(directory, 'db')
      await bbolt.make('rich', path)
      const expected = (await bbolt.dump(path, 1 << 30)).filter((line) => 'key' in line)
      const found = []
      const seen = new Set<string>()
      for (const line of expected) {
        const names = line['path'] as readonly string[]
        if (seen.has(names.join('/'))) continue
        seen.add(names.join('/'))
        const hex = names.map((name) => `0x${name}`)
        const ran = await boltIn(directory, ['keys', 'db', ...hex, '--values', '--json'])
        for (const { key, value } of jsonLines(ran)) {
          if (value !== undefined) found.push({ path: names, key: key.hex, value: value.hex })
        }
      }
      const order = (a: unknown, b: unknown): number =>
        JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
      const told = expected.map((line) => ({
        path: line['path'],
        key: textOf(line, 'key'),
        value: textOf(line, 'value'),
      }))
      expect(found.length).toBeGreaterThan(0)
      expect(found.sort(order)).toEqual(told.sort(order))
    })
  })

  test('a file that bbolt did not seal is said to be its own', async () => {
    await withTempDirectory(async (directory) => {
      await bbolt.make('rich', join(directory, 'db'))
      const { stdout } = await boltIn(directory, ['info', 'db'])
      expect(stdout).toMatch(/written by +bbolt/)
    })
  })

  test('copies and compactions are files that bbolt finds nothing wrong in', async () => {
    await withTempDirectory(async (directory) => {
      const path = join(directory, 'db')
      await bbolt.make('rich', path)
      const hash = await bbolt.hash(path)
      for (const command of ['copy', 'compact']) {
        expect((await boltIn(directory, [command, 'db', command])).code).toBe(0)
        expect(await bbolt.check(join(directory, command))).toMatchObject({ findings: [], hash })
      }
    })
  })

  test('a file that bbolt writes to is refused, and read with --no-lock', async () => {
    await withTempDirectory(async (directory) => {
      const path = join(directory, 'db')
      await bbolt.make('rich', path)
      const held = await bbolt.lock(path)
      try {
        const refused = await boltIn(directory, ['buckets', 'db'])
        expect(refused.code).toBe(3)
        expect(refused.stderr).toMatch(/db is in use: it is locked by process \d+/)
        expect((await boltIn(directory, ['buckets', 'db', '--no-lock'])).code).toBe(0)
      } finally {
        await held.release()
      }
    })
  })

  test('a flipped bit in a key is found where bbolt left the page sealed by us', async () => {
    await withTempDirectory(async (directory) => {
      await bbolt.make('rich', join(directory, 'plain'))
      await boltIn(directory, ['compact', 'plain', 'db'])
      const rows = jsonLines(await boltIn(directory, ['pages', 'db', '--json', '--type', 'leaf']))
      const leaf = rows.findLast((row) => row['inuseBytes'] < row['pages'] * 4096 - 8)
      const bytes = readFileSync(join(directory, 'db'))
      const at = leaf?.['offset'] + leaf?.['inuseBytes'] - 1
      bytes[at] = (bytes[at] ?? 0) ^ 1
      writeFileSync(join(directory, 'db'), bytes)
      const { code, stdout } = await boltIn(directory, ['check', 'db'])
      expect(code).toBe(1)
      expect(stdout).toContain(`page-seal  page ${leaf?.['id']}, `)
    })
  })
})

describe.skipIf(isWithoutEtcd)('revbolt bolt on a file made by etcd', () => {
  test('revisions, tombstones, leases and what the bucket meta says', async () => {
    await withTempDirectory(async (directory) => {
      const data = join(directory, 'etcd')
      let lease = ''
      let status: Json
      await withEtcd(data, async ({ ctl }) => {
        for (let i = 1; i <= 40; i++) await ctl('put', `/app/key ${i % 9}`, `value ${i}`)
        await ctl('del', '/app/key 3')
        lease = /lease (\w+) granted/.exec(await ctl('lease', 'grant', '600'))?.[1] ?? ''
        await ctl('put', `--lease=${lease}`, '/app/leased', 'for a while')
        await ctl('compact', '20')
        status = JSON.parse(await ctl('endpoint', 'status', '--write-out=json'))
      })
      const path = relative(directory, databaseOf(data))
      const bolt = (...args: readonly string[]) => boltIn(directory, args)
      for (const command of COMMANDS) {
        expect({ command, ...(await bolt(command, path)) }).toMatchObject({ code: 0, stderr: '' })
      }

      const [info] = jsonLines(await bolt('info', path, '--json'))
      expect(info!['etcd']).toMatchObject({
        revision: status[0].Status.header.revision,
        compactedRevision: 20,
        tombstones: 1,
        leases: 1,
        isAuthEnabled: false,
        clusterVersion: '3.4.0',
      })
      expect(Number(info!['etcd'].consistentIndex)).toBeGreaterThan(40)
      expect((await bolt('info', path)).stdout).toContain('An etcd database, by its buckets')

      const { stdout } = await bolt('keys', path, 'key', '--values')
      expect(stdout).toMatch(/^\{41, 0\} {2}"\/app\/key 4" = "value 40" {2}create \d+ {2}mod 41 /m)
      expect(stdout).toContain('{42, 0} deleted  "/app/key 3"\n')
      expect(stdout).toMatch(
        new RegExp(`^\\{43, 0\\} {2}"/app/leased" = "for a while" .* lease ${lease}$`, 'm'),
      )
      const row = ['get', path, 'key', '43/0', '--key-format', 'revision']
      expect((await bolt(...row)).stdout).toContain('"for a while"')
      const [json] = jsonLines(await bolt(...row, '--json'))
      expect(json!['etcd']).toMatchObject({
        revision: { main: 43, sub: 0, isTombstone: false },
        kv: { key: { text: '/app/leased' }, modRevision: 43, version: 1 },
      })
      expect(BigInt.asUintN(64, BigInt(json!['etcd'].kv.lease)).toString(16)).toBe(
        lease.replace(/^0+/, ''),
      )
      const folder = await bolt('info', 'etcd')
      expect(folder.code).toBe(3)
      expect(folder.stderr).toContain(`its database is ${path}`)
    })
  })
})
