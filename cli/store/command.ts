/** What a command on a store is: it reads its arguments first, and opens the store only then. */
import type { Readable } from 'node:stream'
import type { BuiltLocalStore } from '../../index.ts'
import type { Call, CommandForm, Setting } from '../bolt/command.ts'
import type { Environment } from '../screen.ts'

export type Db = BuiltLocalStore<Uint8Array, Uint8Array>

/** Standard input. */
export type Input = Readable & { readonly isTTY?: boolean }

export interface StoreSetting extends Setting {
  /** Opens standard input; undefined where commands themselves come from it. */
  readonly input: (() => Input) | undefined
  readonly environment: Environment
  /** The time of day. */
  readonly today: () => Date
}

/**
 * What a command needs of the data directory: to read what is there, to write to what is there, or
 * to make a store where there is none.
 */
export type Access = 'read' | 'write' | 'create'

/** What is left to do when the store is open. Returns the exit code. */
export type Work = (db: Db) => Promise<number>

export interface StoreCommand extends CommandForm {
  readonly access: Access | ((call: Call) => Access)
  /** The store's directory, where an argument names it. */
  readonly directory?: (call: Call) => string | undefined
  /** In place of opening the store first: for what looks at something else before. */
  readonly run?: (call: Call, setting: StoreSetting) => Promise<number>
  /** Reads arguments and standard input. What is wrong with them is told before the store opens. */
  prepare(call: Call, setting: StoreSetting): Work | Promise<Work>
}
