/**
 * Directories in memory: the names as programs see them, as they would be found after a power loss,
 * and the changes not yet synced.
 *
 * A change (a new name, a rename, a removal) is all or nothing: after a power loss a renamed file
 * has its old name or its new one. It is durable when every directory it touches has been synced
 * since. Of the other changes any may be kept or lost, save that one is kept only with the earlier
 * ones that touch a name of its own: a directory's entry is overwritten in place, so its later
 * state includes the earlier.
 */

import type { MemoryInode } from './memory-inode.ts'

export type MemoryNode = MemoryInode | MemoryDirectory

export class MemoryDirectory {
  readonly kind = 'directory'
  readonly id: number
  readonly live: Map<string, MemoryNode> = new Map()
  readonly durable: Map<string, MemoryNode> = new Map()

  constructor(id: number) {
    this.id = id
  }
}

/**
 * One name's part in a change: `to` is what the name stands for afterwards, undefined for nothing.
 */
export interface NameEdit {
  readonly directory: MemoryDirectory
  readonly name: string
  readonly to: MemoryNode | undefined
}

export interface NameChange {
  readonly sequence: number
  readonly edits: readonly NameEdit[]
  /** The directories that have not been synced since. */
  readonly unsynced: Set<MemoryDirectory>
}

/** The changes not yet durable, oldest first. */
export class NameChanges {
  readonly #isPlain: boolean
  #changes: NameChange[] = []

  /** `isPlain`: names change, and it is not noted how. */
  constructor(isPlain: boolean) {
    this.#isPlain = isPlain
  }

  get list(): readonly NameChange[] {
    return this.#changes
  }

  /** Applies the edits to the live names and notes them as one change. */
  apply(edits: readonly NameEdit[], sequence: number): void {
    for (const edit of edits) applyEdit(edit.directory.live, edit)
    if (this.#isPlain) return
    const unsynced = new Set(edits.map((edit) => edit.directory))
    this.#changes.push({ sequence, edits, unsynced })
  }

  /** Notes a change as it stands, when copying. */
  add(change: NameChange): void {
    this.#changes.push(change)
  }

  syncDirectory(directory: MemoryDirectory): void {
    for (const change of this.#changes) change.unsynced.delete(directory)
    this.#settle((change) => change.unsynced.size === 0)
  }

  /**
   * Makes the names of one file durable: what a file sync does where directories can't be synced.
   */
  syncNamesOf(node: MemoryNode): void {
    this.#settle((change) => change.edits.some((edit) => edit.to === node))
  }

  /** Makes certain the changes that `isDurable` picks, and the earlier ones on the same names. */
  #settle(isDurable: (change: NameChange) => boolean): void {
    const settled = new Set<NameChange>()
    const names = new Set<string>()
    for (const change of this.#changes.toReversed()) {
      const keys = change.edits.map(nameKey)
      if (!isDurable(change) && !keys.some((key) => names.has(key))) continue
      settled.add(change)
      for (const key of keys) names.add(key)
    }
    if (settled.size === 0) return
    const left: NameChange[] = []
    for (const change of this.#changes) {
      if (!settled.has(change)) left.push(change)
      else for (const edit of change.edits) applyEdit(edit.directory.durable, edit)
    }
    this.#changes = left
  }
}

export function applyEdit(names: Map<string, MemoryNode>, edit: NameEdit): void {
  if (edit.to === undefined) names.delete(edit.name)
  else names.set(edit.name, edit.to)
}

/** A name as one string: two edits are on the same name if and only if these are equal. */
export function nameKey(edit: NameEdit): string {
  return `${edit.directory.id}/${edit.name}`
}
