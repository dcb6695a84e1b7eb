/** Programs that a user of the package might write, and what they must print. */

/**
 * What both doors are for, in one breath; the two module systems differ in the first lines only.
 */
const BODY = `
async function main() {
  const db = await open('data')
  const { revision } = await db.put('greeting', 'hello')
  await db.put('greeting', 'good evening')
  const now = await db.get('greeting')
  const then = await db.get('greeting', { revision })
  await db.close()
  const file = await openEngine('plain.db')
  file.update((tx) => tx.createBucket('b').put('k', 'v'))
  const value = file.view((tx) => Buffer.from(tx.bucket('b').get('k')).toString())
  const refused = await openEngine('plain.db').catch((error) => error)
  await file.close()
  const code = isKvError(refused, 'KV_LOCKED') ? refused.code : String(refused)
  console.log([then.value, now.value, value, code].join(', '))
}
main()
`

export const EXPECTED = 'hello, good evening, v, KV_LOCKED\n'

export const ESM: string = `
import { isKvError, open } from 'revbolt'
import { openEngine } from 'revbolt/engine'
${BODY}`

export const COMMON_JS: string = `
const { isKvError, open } = require('revbolt')
const { openEngine } = require('revbolt/engine')
${BODY}`

/** Makes `backup.db`, which holds what an etcd's file does: the buckets of a store, and no log. */
export const BACKUP: string = `
import { open } from 'revbolt'
import { openEngine } from 'revbolt/engine'

const db = await open('source')
for (const key of ['a', 'b', 'c']) await db.put(key, '1')
await db.close()
const source = await openEngine('source/db', { readOnly: true })
const target = await openEngine('backup.db')
source.view((from) => target.update((to) => {
  for (const name of from.bucketNames()) {
    const bucket = to.createBucket(name)
    const cursor = from.bucket(name).cursor()
    for (let at = cursor.first(); at; at = cursor.next()) bucket.put(at.key, at.value)
  }
}))
await source.close()
await target.close()
`

/** As strict as TypeScript gets: types must be right, and complete without being skipped. */
export const TYPESCRIPT: string = `
import { type ErrorCode, KvError, isKvError, open } from 'revbolt'
import { openEngine } from 'revbolt/engine'

export async function main(): Promise<string> {
  const db = await open('data')
  const { revision } = await db.put('greeting', 'hello')
  const then = await db.get('greeting', { revision })
  const text: string = then?.value ?? ''
  await db.close()
  const file = await openEngine('plain.db', { readOnly: true })
  const value = file.view((tx) => tx.bucket('b')?.get('k'))
  const bytes: Uint8Array | undefined = value
  await file.close()
  const error: unknown = new KvError('KV_CLOSED', 'closed')
  const code: ErrorCode | undefined = isKvError(error) ? error.code : undefined
  return [text, bytes?.length, code].join()
}
`
