/**
 * The files and directories of a disk in memory, by path. Paths are absolute, in POSIX form; `.`
 * and `..` are resolved, there are no links.
 */

import { posix as paths } from 'node:path'
import { assert } from '../base/assert.ts'
import { InjectedError } from './fault-plan.ts'
import { MemoryInode } from './memory-inode.ts'
import { MemoryDirectory, NameChanges, applyEdit } from './memory-names.ts'
import type { MemoryNode, NameEdit } from './memory-names.ts'
import type { PowerLoss } from './power-loss.ts'

/** Where a name stands, whether or not it is taken. */
export interface Place {
  readonly directory: MemoryDirectory
  readonly name: string
  readonly node: MemoryNode | undefined
}

const ROOT_ID = 1

export class MemoryTree {
  readonly root: MemoryDirectory
  readonly changes: NameChanges
  /** Whether it keeps what is live, and nothing of what was before: then it can't be copied. */
  readonly isPlain: boolean
  #lastId: number

  constructor(
    root: MemoryDirectory = new MemoryDirectory(ROOT_ID),
    lastId: number = ROOT_ID,
    isPlain: boolean = false,
  ) {
    this.root = root
    this.#lastId = lastId
    this.isPlain = isPlain
    this.changes = new NameChanges(isPlain)
  }

  /** A new file, without a name. */
  newFile(): MemoryInode {
    return new MemoryInode(this.nextId(), this.isPlain)
  }

  /** A number for a new file or directory, never given out before. */
  nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }

  find(path: string): MemoryNode | undefined {
    let node: MemoryNode | undefined = this.root
    for (const name of resolvePath(path).names) {
      if (node?.kind !== 'directory') return undefined
      node = node.live.get(name)
    }
    return node
  }

  /** Throws ENOENT or ENOTDIR where the directory it would stand in is not one. */
  place(path: string): Place {
    const { names } = resolvePath(path)
    const name = names.at(-1)
    if (name === undefined) throw new InjectedError('EBUSY', 'the root directory can’t be changed')
    const directory = this.#directoryAt(names, names.length - 1)
    return { directory, name, node: directory.live.get(name) }
  }

  /** Throws ENOENT or ENOTDIR where there is none. */
  directory(path: string): MemoryDirectory {
    const { names } = resolvePath(path)
    return this.#directoryAt(names, names.length)
  }

  /** Whether the node is, or is below, the directory. */
  isWithin(node: MemoryNode, directory: MemoryNode): boolean {
    if (node === directory) return true
    if (directory.kind === 'file') return false
    return [...directory.live.values()].some((child) => this.isWithin(node, child))
  }

  /** The file at `path`, made durable with its directories where missing. */
  makeDurable(path: string): MemoryInode {
    let directory = this.root
    const { names } = resolvePath(path)
    const last = names.at(-1)
    if (last === undefined) throw new InjectedError('EISDIR', 'the root is a directory')
    for (const name of names.slice(0, -1)) {
      const child = directory.live.get(name) ?? new MemoryDirectory(this.nextId())
      if (child.kind === 'file') throw new InjectedError('ENOTDIR', 'not a directory')
      directory.live.set(name, child)
      directory.durable.set(name, child)
      directory = child
    }
    const inode = directory.live.get(last) ?? this.newFile()
    if (inode.kind === 'directory') throw new InjectedError('EISDIR', 'it is a directory')
    if (!directory.live.has(last)) inode.nameCount += 1
    directory.live.set(last, inode)
    directory.durable.set(last, inode)
    return inode
  }

  /** The same files, names and unsynced changes, with no handle open. */
  clone(): MemoryTree {
    assert(!this.isPlain, 'a plain disk is not copied')
    const copies = new Map<MemoryNode, MemoryNode>()
    const copyOf = <T extends MemoryNode>(node: T): MemoryNode => {
      const known = copies.get(node)
      if (known !== undefined) return known
      if (node.kind === 'file') {
        const copy = node.clone()
        copies.set(node, copy)
        return copy
      }
      return copyDirectory(node)
    }
    const copyDirectory = (directory: MemoryDirectory): MemoryDirectory => {
      const known = copies.get(directory)
      if (known?.kind === 'directory') return known
      const copy = new MemoryDirectory(directory.id)
      copies.set(directory, copy)
      for (const [name, node] of directory.live) copy.live.set(name, copyOf(node))
      for (const [name, node] of directory.durable) copy.durable.set(name, copyOf(node))
      return copy
    }
    const tree = new MemoryTree(copyDirectory(this.root), this.#lastId)
    for (const { sequence, edits, unsynced } of this.changes.list) {
      const copyEdit = ({ directory, name, to }: NameEdit): NameEdit => ({
        directory: copyDirectory(directory),
        name,
        to: to === undefined ? undefined : copyOf(to),
      })
      tree.changes.add({
        sequence,
        edits: edits.map(copyEdit),
        unsynced: new Set([...unsynced].map(copyDirectory)),
      })
    }
    countNames(tree.root)
    return tree
  }

  /** What a power loss leaves, all of it durable. */
  afterPowerLoss(loss: PowerLoss): MemoryTree {
    assert(!this.isPlain, 'a plain disk does not know what would be left')
    const names = new Map<MemoryDirectory, Map<string, MemoryNode>>()
    const namesIn = (directory: MemoryDirectory): Map<string, MemoryNode> => {
      let found = names.get(directory)
      if (found === undefined) names.set(directory, (found = new Map(directory.durable)))
      return found
    }
    for (const { edits } of loss.keptNames(this.changes.list)) {
      for (const edit of edits) applyEdit(namesIn(edit.directory), edit)
    }
    const rebuild = (directory: MemoryDirectory): MemoryDirectory => {
      const copy = new MemoryDirectory(directory.id)
      for (const [name, node] of namesIn(directory)) {
        const found = node.kind === 'file' ? loss.file(node) : rebuild(node)
        copy.live.set(name, found)
        copy.durable.set(name, found)
      }
      return copy
    }
    const tree = new MemoryTree(rebuild(this.root), this.#lastId)
    countNames(tree.root)
    return tree
  }

  /** The directory that the first `depth` names lead to. */
  #directoryAt(names: readonly string[], depth: number): MemoryDirectory {
    let node: MemoryNode | undefined = this.root
    for (const name of names.slice(0, depth)) {
      node = node.live.get(name)
      if (node === undefined) throw new InjectedError('ENOENT', 'no such directory')
      if (node.kind !== 'directory') throw new InjectedError('ENOTDIR', 'not a directory')
    }
    return node
  }

  /** All files that have a name. */
  *files(directory: MemoryDirectory = this.root): Generator<MemoryInode> {
    for (const node of directory.live.values()) {
      if (node.kind === 'file') yield node
      else yield* this.files(node)
    }
  }
}

function countNames(directory: MemoryDirectory): void {
  for (const node of directory.live.values()) {
    if (node.kind === 'file') node.nameCount += 1
    else countNames(node)
  }
}

export interface ResolvedPath {
  /** Absolute, without `.` and `..`. */
  readonly path: string
  readonly names: readonly string[]
}

/**
 * Paths met before, as resolved: the same few are asked for at every operation, on thousands of
 * disks.
 */
const resolved = new Map<string, ResolvedPath>()
const RESOLVED_MAX = 1024

export function resolvePath(given: string): ResolvedPath {
  const known = resolved.get(given)
  if (known !== undefined) return known
  const path = paths.resolve('/', given)
  const found = { path, names: path.split('/').filter((name) => name !== '') }
  if (resolved.size >= RESOLVED_MAX) resolved.clear()
  resolved.set(given, found)
  return found
}
