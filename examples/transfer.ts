/**
 * Money between accounts, many transfers at a time. A function of `transact` runs again when what
 * it read has changed meanwhile, so nothing is lost and nothing made. Run it with
 * `npx tsx examples/transfer.ts`.
 */
import { open } from 'revbolt'

const db = await open(':memory:', { encoding: 'json' })

/** Resolves with what is left; throws, with nothing written, where there is not enough. */
async function transfer(from: string, to: string, amount: number): Promise<number> {
  const { value } = await db.transact(
    async (t) => {
      const [source, target] = await Promise.all([t.get(`account/${from}`), t.get(`account/${to}`)])
      const left = Number(source?.value ?? 0) - amount
      if (left < 0) throw new RangeError(`${from} has not enough for ${amount}`)
      t.put(`account/${from}`, left)
      t.put(`account/${to}`, Number(target?.value ?? 0) + amount)
      return left
    },
    { attemptsMax: 100 },
  )
  return value
}

await db.put('account/ann', 100)
await db.put('account/bob', 100)

const transfers = Array.from({ length: 20 }, async (_, i) => {
  if (i % 2 === 0) await transfer('ann', 'bob', 7)
  else await transfer('bob', 'cid', 3)
})
await Promise.all(transfers)

const { kvs } = await db.range({ prefix: 'account/' })
for (const { key, value, version } of kvs) {
  console.log(`${key}: ${Number(value)}, written ${version} times`)
}
const refused: unknown = await transfer('ann', 'bob', 1000).catch((error: unknown) => error)
console.log(refused instanceof RangeError ? refused.message : 'a thousand went through')
await db.close()

// Prints:
//   account/ann: 30, written 11 times
//   account/bob: 140, written 21 times
//   account/cid: 30, written 10 times
//   ann has not enough for 1000
