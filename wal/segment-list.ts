/**
 * The segments of a log that are in place, oldest first, and their end.
 *
 * A segment holds the groups from its first txid up to the one before the next segment's first. A
 * segment may begin with the same txid as the one before it, which then holds nothing: recovery
 * wrote its frames again.
 */

import type { Disk } from '../disk/disk.ts'

export interface SegmentPlace {
  readonly sequence: number
  readonly firstTxid: number
  readonly path: string
}

export class SegmentList {
  readonly #disk: Disk
  readonly #directory: string
  #places: readonly SegmentPlace[]
  #dropping: Promise<unknown> = Promise.resolve()

  constructor(disk: Disk, directory: string, places: readonly SegmentPlace[]) {
    this.#disk = disk
    this.#directory = directory
    this.#places = places
  }

  get places(): readonly SegmentPlace[] {
    return this.#places
  }

  add(place: SegmentPlace): void {
    this.#places = [...this.#places, place]
  }

  /** One after the other. See `Log.dropBefore`. */
  async dropBefore(txid: number, archive: string | undefined): Promise<readonly string[]> {
    const dropped = this.#dropping.then(() => this.#drop(txid, archive))
    this.#dropping = dropped.catch(() => {})
    return await dropped
  }

  async #drop(txid: number, archive: string | undefined): Promise<readonly string[]> {
    const paths: string[] = []
    if (archive !== undefined && !this.#disk.exists(archive)) {
      this.#disk.makeDirectory(archive)
      // Its own name is durable before a segment has no other.
      await this.#disk.syncDirectoryAsync(this.#disk.directoryOf(archive))
    }
    // Oldest first: what a power cut leaves has no hole that matters, see recovery.
    for (;;) {
      const [oldest, next] = this.#places
      if (oldest === undefined || next === undefined || next.firstTxid > txid) break
      if (archive === undefined) this.#disk.remove(oldest.path)
      else this.#disk.rename(oldest.path, this.#archived(oldest.path, archive))
      this.#places = this.#places.slice(1)
      paths.push(oldest.path)
    }
    if (paths.length === 0) return paths
    if (archive !== undefined) await this.#disk.syncDirectoryAsync(archive)
    await this.#disk.syncDirectoryAsync(this.#directory)
    return paths
  }

  #archived(path: string, archive: string): string {
    const name = path.slice(this.#disk.directoryOf(path).length)
    return this.#disk.join(archive, name)
  }
}
