/**
 * Settings that a running program follows: read once, then watched from that revision on, so that
 * no change is missed in between. Run it with `npx tsx examples/config-reload.ts`.
 */
import { type Store, open } from 'revbolt'

type Settings = Map<string, unknown>

/** Calls `changed` with the settings as they are, and after each change, until the store closes. */
async function follow(
  db: Pick<Store<unknown>, 'range' | 'watch'>,
  prefix: string,
  changed: (settings: Settings) => void,
): Promise<void> {
  const { kvs, revision } = await db.range({ prefix, limit: Infinity })
  const settings: Settings = new Map(kvs.map((kv) => [kv.key.slice(prefix.length), kv.value]))
  changed(settings)
  for await (const { events } of db.watch({ prefix, startRevision: revision + 1 })) {
    for (const event of events) {
      if (event.type === 'put') settings.set(event.kv.key.slice(prefix.length), event.kv.value)
      else settings.delete(event.key.slice(prefix.length))
      changed(settings)
    }
  }
}

// ':memory:' leaves nothing behind; the path of a directory keeps it all.
const db = await open(':memory:', { encoding: 'json' })
await db.put('config/theme', 'dark')
await db.put('config/limits', { users: 10 })

const following = follow(db, 'config/', (settings) => {
  console.log(JSON.stringify(Object.fromEntries(settings)))
})

await db.put('config/theme', 'light')
await db.put('other/thing', 'not ours')
await db.put('config/limits', { users: 20 })
await db.delete('config/theme')

await db.close()
await following

// Prints:
//   {"limits":{"users":10},"theme":"dark"}
//   {"limits":{"users":10},"theme":"light"}
//   {"limits":{"users":20},"theme":"light"}
//   {"limits":{"users":20}}
