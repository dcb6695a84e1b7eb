/**
 * Services that are found as long as they live: each puts its address under a lease and keeps it
 * alive. When a process dies nobody renews its lease, and its keys go. `registry` of
 * 'revbolt/recipes' does all of this; here it is by hand. Run it with
 * `npx tsx examples/service-registry.ts`.
 */
import { type Lease, open } from 'revbolt'

const db = await open(':memory:')

/** Announces a service until the result is disposed of. */
async function announce(name: string, address: string): Promise<AsyncDisposable & Lease> {
  const lease = await db.grant({ ttlSeconds: 10 })
  await db.put(`services/${name}`, address, { lease })
  const alive = db.keepAlive(lease)
  alive.lost.addEventListener('abort', () => console.log(`${name} is not announced any more`))
  return {
    ...lease,
    [Symbol.asyncDispose]: async () => {
      await alive[Symbol.asyncDispose]()
      await db.revoke(lease)
    },
  }
}

/** What happened to services from a revision on, until the store is closed. */
async function history(startRevision: number): Promise<string[]> {
  const lines: string[] = []
  for await (const { events } of db.watch({ prefix: 'services/', startRevision, previous: true })) {
    for (const event of events) {
      if (event.type === 'put') lines.push(`${event.kv.key} came up at ${event.kv.value}`)
      else lines.push(`${event.key} went down, was at ${event.previous?.value}`)
    }
  }
  return lines
}

async function list(): Promise<void> {
  const { kvs } = await db.range({ prefix: 'services/' })
  console.log('there is', kvs.map((kv) => `${kv.key} at ${kv.value}`).join(', '))
}

const { revision } = await db.status()
const happened = history(revision + 1)

const api = await announce('api', '10.0.0.7:80')
{
  await using mail = await announce('mail', '10.0.0.8:25')
  const info = await db.lease(mail, { keys: true })
  console.log('mail keeps', info?.keys.join(), 'up for', mail.ttlSeconds, 'seconds at a time')
  await list()
}
await list()

await api[Symbol.asyncDispose]()
await db.close()
for (const line of await happened) console.log(line)

// Prints:
//   mail keeps services/mail up for 10 seconds at a time
//   there is services/api at 10.0.0.7:80, services/mail at 10.0.0.8:25
//   there is services/api at 10.0.0.7:80
//   services/api came up at 10.0.0.7:80
//   services/mail came up at 10.0.0.8:25
//   services/mail went down, was at 10.0.0.8:25
//   services/api went down, was at 10.0.0.7:80
