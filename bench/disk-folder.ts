/** A folder on a real disk for files that a run makes and removes. */

import { closeSync, fsyncSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileSystemOf } from './machine.ts'

const IN_MEMORY = new Set(['tmpfs', 'ramfs', 'devtmpfs'])

/** What is wrong with the place. */
export class FolderError extends Error {}

export class DiskFolder implements Disposable {
  readonly path: string

  /**
   * Makes a folder of its own in `parent`, by default the system's temporary one.
   * @throws {FolderError} where that lies in memory: a sync costs nothing there
   */
  constructor(parent: string | undefined) {
    const within = resolve(parent ?? tmpdir())
    mkdirSync(within, { recursive: true })
    const fileSystem = fileSystemOf(within)
    if (IN_MEMORY.has(fileSystem)) {
      throw new FolderError(
        `${within} lies in memory (${fileSystem}), where syncs cost nothing: ` +
          `name a directory on a disk by --directory`,
      )
    }
    this.path = mkdtempSync(join(within, 'revbolt-commits-'))
  }

  /** An empty folder in it; removed first where it is there. */
  fresh(name: string): string {
    const path = join(this.path, name)
    rmSync(path, { recursive: true, force: true })
    mkdirSync(path)
    return path
  }

  /** Removes a folder in it and has the disk done with that, so that the next run isn't slowed. */
  remove(name: string): void {
    rmSync(join(this.path, name), { recursive: true, force: true })
    const fd = openSync(this.path, 'r')
    fsyncSync(fd)
    closeSync(fd)
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}
