/** A store in another process, and the end of it by SIGKILL. */

import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Answer, Question } from './served-child.ts'
import type { StoreAnswer, StoreCall } from './store-calls.ts'

export class KilledStore {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  readonly #waiting = new Map<number, (answer: StoreAnswer | undefined) => void>()
  #asked = 0
  #ready: (isReady: boolean) => void = () => {}
  /** Whether it was opened before it was killed. */
  readonly ready: Promise<boolean>

  constructor(program: string, args: readonly string[]) {
    this.#child = fork(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#ended = once(this.#child, 'close')
    this.ready = new Promise((resolve) => {
      this.#ready = resolve
    })
    this.#child.on('message', (message) => this.#take(message))
    // The channel closes after its last message was taken.
    this.#child.once('disconnect', () => this.#giveUp())
  }

  /** Undefined where it was killed before it answered. */
  async ask(call: StoreCall): Promise<StoreAnswer | undefined> {
    if (!this.#child.connected) return undefined
    const id = ++this.#asked
    const answer = new Promise<StoreAnswer | undefined>((resolve) => {
      this.#waiting.set(id, resolve)
    })
    const question: Question = { id, call }
    // What can't be sent any more is not answered either: #giveUp comes.
    this.#child.send(question, () => {})
    return await answer
  }

  /** Resolves when it is gone, with everybody answered who will be. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
    if (this.#child.signalCode !== 'SIGKILL') throw new Error('the store ended by itself')
    this.#giveUp()
  }

  #take(message: unknown): void {
    if (message === 'ready') return this.#ready(true)
    const { id, answer } = message as Answer
    this.#waiting.get(id)?.(answer)
    this.#waiting.delete(id)
  }

  #giveUp(): void {
    this.#ready(false)
    for (const resolve of this.#waiting.values()) resolve(undefined)
    this.#waiting.clear()
  }
}
