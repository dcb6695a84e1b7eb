/** Each difference to etcd that the documentation tells of, asked of both. */

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { open } from '../../index.ts'
import type { BuiltLocalStore } from '../../index.ts'
import { isWithoutEtcd, startEtcd } from '../interop/etcd.ts'
import type { EtcdServer } from '../interop/etcd.ts'
import type { Difference, Side } from './differences.ts'
import { DIFFERENCES } from './differences.ts'
import { connect } from './gateway-store.ts'

const PAGE = new URL('../../docs/etcd-differences.md', import.meta.url)

/** The first column of the page's table. */
async function documented(): Promise<readonly string[]> {
  const lines = (await readFile(PAGE, 'utf8')).split('\n')
  const rows = lines.filter((line) => line.startsWith('| ') && line.split('|').length > 5)
  return rows.slice(1).map((row) => row.split('|')[1]?.trim() ?? '')
}

interface Asked extends AsyncDisposable, Side {}

async function askHere(directory: string, { quotaBytes }: Difference): Promise<Asked> {
  const options = quotaBytes === undefined ? {} : { quotaBytes }
  const again = async (): Promise<BuiltLocalStore> => await open(directory, options)
  let store = await again()
  return {
    store,
    async restart() {
      await store.close()
      store = await again()
      return store
    },
    async [Symbol.asyncDispose]() {
      await store.close()
    },
  }
}

async function askEtcd(directory: string, { quotaBytes }: Difference): Promise<Asked> {
  const quota = quotaBytes === undefined ? [] : ['--quota-backend-bytes', String(quotaBytes)]
  const again = async (): Promise<EtcdServer> => await startEtcd(directory, quota)
  let server = await again()
  return {
    store: connect(server, 'utf8'),
    async restart() {
      await server.stop()
      server = await again()
      return connect(server, 'utf8')
    },
    async [Symbol.asyncDispose]() {
      await server.stop()
    },
  }
}

async function answerOf(
  difference: Difference,
  start: (directory: string, difference: Difference) => Promise<Asked>,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'revbolt-difference-'))
  try {
    await using side = await start(directory, difference)
    return await difference.ask(side)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

test('docs/etcd-differences.md has a row for each that is asked, and no other', async () => {
  expect(await documented()).toEqual(DIFFERENCES.map(({ name }) => name))
})

describe.each(DIFFERENCES)('$name', (difference) => {
  test('here', async () => {
    expect(await answerOf(difference, askHere)).toBe(difference.here)
  })

  test.skipIf(isWithoutEtcd)('in etcd', async () => {
    expect(await answerOf(difference, askEtcd)).toBe(difference.etcd)
  })
})
