/**
 * A queue of jobs that outlives the process: pushed durably, taken once each, the most urgent
 * first. Run it with `npx tsx examples/job-queue.ts`.
 */
import { open } from 'revbolt'
import { queue } from 'revbolt/recipes'

interface Job {
  readonly task: string
  readonly size: number
}

const db = await open(':memory:', { encoding: 'json' })
const jobs = queue(db, 'jobs')

const stopping = new AbortController()

/** Does jobs as they come, until it is told to stop. */
async function work(): Promise<number> {
  let done = 0
  try {
    for (;;) {
      const { value } = await jobs.take({ signal: stopping.signal })
      const job = value as Job
      console.log(`${job.task} of ${job.size}`)
      done++
      if (job.task === 'clean up') stopping.abort()
    }
  } catch (error) {
    if (!stopping.signal.aborted) throw error
  }
  return done
}

await jobs.push({ task: 'resize', size: 3 }, { priority: 5 })
await jobs.push({ task: 'resize', size: 4 }, { priority: 5 })
await jobs.push({ task: 'send mail', size: 1 })
console.log('waiting:', await jobs.size())

const working = work()
await jobs.push({ task: 'clean up', size: 0 }, { priority: 9 })
console.log('done:', await working)
console.log('waiting:', await jobs.size())
await db.close()

// Prints:
//   waiting: 3
//   send mail of 1
//   resize of 3
//   resize of 4
//   clean up of 0
//   done: 4
//   waiting: 0
