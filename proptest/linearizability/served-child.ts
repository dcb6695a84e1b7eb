/**
 * A store in a process of its own, asked by its parent's messages until it is killed.
 *
 *   node served-child.mjs DIRECTORY CHECKPOINT_BYTES
 *
 * It says `ready` when the store is open; then each `Question` gets an `Answer`.
 */

import { open } from '../../store/open.ts'
import { nextTurn } from '../../store/pause.ts'
import type { StoreAnswer, StoreCall } from './store-calls.ts'
import { ask } from './store-calls.ts'

export interface Question {
  readonly id: number
  readonly call: StoreCall
}

export interface Answer {
  readonly id: number
  /** Absent: nobody knows. */
  readonly answer?: StoreAnswer
}

const [directory = '', checkpointBytes = ''] = process.argv.slice(2)
const store = await open(directory, {
  lockTimeoutMs: 10_000,
  checkpointBytes: Number(checkpointBytes),
})

process.on('message', ({ id, call }: Question) => {
  void ask(store, call, nextTurn).then((answer) => process.send?.({ id, answer }))
})
process.send?.('ready')
