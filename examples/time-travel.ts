/**
 * Every revision of every key is there, until it is compacted: read the past, follow what became of
 * it, and bring back what was deleted. Run it with `npx tsx examples/time-travel.ts`.
 */
import { isKvError, open } from 'revbolt'

const db = await open(':memory:')

const { revision: first } = await db.put('page/home', 'Hello')
await db.put('page/about', 'Us')
await db.put('page/home', 'Hello, world')
const { revision: last } = await db.delete({ prefix: 'page/' })

console.log('now:', (await db.get('page/home'))?.value)
console.log(`at revision ${first}:`, (await db.get('page/home', { revision: first }))?.value)
for await (const { key, value } of db.scan({ prefix: 'page/', revision: last - 1 })) {
  console.log(`before it was deleted: ${key} = ${value}`)
}

console.log('what became of the home page:')
for await (const { events, revision } of db.watch({ key: 'page/home', startRevision: first })) {
  for (const event of events) {
    if (event.type === 'put') console.log(`  ${event.kv.modRevision}: ${event.kv.value}`)
    else console.log(`  ${event.modRevision}: deleted`)
  }
  if (revision >= last) break
}

const lost = await db.get('page/home', { revision: last - 1 })
if (lost !== undefined) await db.put('page/home', lost.value)
console.log('brought back:', (await db.get('page/home'))?.value)

await db.compact(last)
const gone: unknown = await db
  .get('page/home', { revision: first })
  .catch((error: unknown) => error)
console.log(isKvError(gone, 'KV_COMPACTED') ? gone.message : 'the past is still there')
await db.close()

// Prints:
//   now: undefined
//   at revision 2: Hello
//   before it was deleted: page/about = Us
//   before it was deleted: page/home = Hello, world
//   what became of the home page:
//     2: Hello
//     4: Hello, world
//     5: deleted
//   brought back: Hello, world
//   revision 2 has been compacted; the oldest readable revision is 5
