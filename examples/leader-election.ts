/**
 * One leader at a time. Two nodes campaign; the second one waits, and takes over when the first
 * one steps down, or dies. Run it with `npx tsx examples/leader-election.ts`.
 */
import { open, put } from 'revbolt'
import { election } from 'revbolt/recipes'

const db = await open(':memory:')
const scheduler = election(db, 'scheduler')

/** Leads once: does its work, and steps down. */
async function lead(node: string): Promise<void> {
  await using leading = await scheduler.campaign(node, { ttlSeconds: 10 })
  console.log(`${node} leads`)
  // The guard refuses the write of one who leads no more, however late it comes.
  const { succeeded } = await db.txn({
    compare: [leading.guard],
    success: [put('last-run', node)],
  })
  console.log(`${node} ${succeeded ? 'has written' : 'was too late'}`)
}

const first = lead('node 1')
const second = lead('node 2')
await first
await second

console.log('the last run was by', (await db.get('last-run'))?.value)
console.log('now', (await scheduler.leader()) === undefined ? 'nobody' : 'somebody', 'leads')
await db.close()

// Prints:
//   node 1 leads
//   node 1 has written
//   node 2 leads
//   node 2 has written
//   the last run was by node 2
//   now nobody leads
