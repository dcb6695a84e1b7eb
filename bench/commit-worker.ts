/**
 * Hosts one side of `npm run commits` for one run: reads a command on standard input, answers on
 * standard output, and ends. See commit-protocol.ts.
 */

import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type CommitAnswer, type CommitCommand, MARK_BEGIN, MARK_END } from './commit-protocol.ts'
import { makeCommitter } from './commit-sides.ts'
import type { Committer, Entry } from './committer.ts'
import { VALUE_SIZE, makeValues } from './dataset.ts'
import { Latencies } from './latency-summary.ts'

const KEY_SIZE = 16
/** Random bytes are made for so many keys at a time: one call for each would be measured, too. */
const KEYS_AHEAD = 4096

const values = makeValues()

class Entries {
  #keys = Buffer.alloc(0)
  #at = 0
  #count = 0

  next(): Entry {
    if (this.#at === this.#keys.length) {
      this.#keys = randomBytes(KEY_SIZE * KEYS_AHEAD)
      this.#at = 0
    }
    const key = this.#keys.subarray(this.#at, this.#at + KEY_SIZE)
    this.#at += KEY_SIZE
    this.#count += 1
    return { key, value: values[this.#count % values.length] ?? Buffer.alloc(VALUE_SIZE) }
  }

  take(count: number): Entry[] {
    return Array.from({ length: count }, () => this.next())
  }
}

/** When a run ends: at a time, or after so many commits. */
interface Bound {
  readonly untilMs: number
  readonly commits: number
}

class Run {
  readonly #committer: Committer
  readonly #entries: Entries
  readonly #bound: Bound
  readonly #latencies = new Latencies()
  #begun = 0

  constructor(committer: Committer, entries: Entries, bound: Bound) {
    this.#committer = committer
    this.#entries = entries
    this.#bound = bound
  }

  async run(callers: number): Promise<Latencies> {
    const { commitAll } = this.#committer
    if (callers === 1) await this.#callOne()
    else if (commitAll !== undefined) this.#callAll(callers, commitAll)
    else await Promise.all(Array.from({ length: callers }, () => this.#callOne()))
    return this.#latencies
  }

  #mayBegin(count: number): boolean {
    const { untilMs, commits } = this.#bound
    if (this.#begun >= commits || performance.now() >= untilMs) return false
    this.#begun += count
    return true
  }

  async #callOne(): Promise<void> {
    while (this.#mayBegin(1)) {
      const entry = this.#entries.next()
      const begun = performance.now()
      const durable = this.#committer.commit(entry)
      // What blocks is not made to wait for the event loop.
      if (durable !== undefined) await durable
      this.#latencies.note((performance.now() - begun) * 1000)
    }
  }

  #callAll(callers: number, commitAll: (entries: readonly Entry[]) => void): void {
    while (this.#mayBegin(callers)) {
      const entries = this.#entries.take(callers)
      const begun = performance.now()
      commitAll(entries)
      const us = (performance.now() - begun) * 1000
      for (let i = 0; i < callers; i++) this.#latencies.note(us)
    }
  }
}

async function measure(command: CommitCommand): Promise<CommitAnswer> {
  const committer = await makeCommitter(command)
  const entries = new Entries()
  await committer.fill(entries.take(command.keyCount))
  const warmUp = { untilMs: Infinity, commits: command.warmUp }
  await new Run(committer, entries, warmUp).run(command.callers)
  globalThis.gc?.()
  await delay(command.settleMs)
  existsSync(MARK_BEGIN)
  const start = performance.now()
  const untilMs = start + command.durationMs
  const run = new Run(committer, entries, { untilMs, commits: Infinity })
  const latencies = await run.run(command.callers)
  const ns = (performance.now() - start) * 1e6
  existsSync(MARK_END)
  await committer.close()
  return { ns, ...latencies.summarize() }
}

const command = JSON.parse(readFileSync(0, 'utf8')) as CommitCommand
let answer: CommitAnswer
try {
  answer = await measure(command)
} catch (error) {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  answer = { ns: 0, count: 0, p50Us: 0, p99Us: 0, maxUs: 0, error: message }
}
process.stdout.write(`${JSON.stringify(answer)}\n`)
