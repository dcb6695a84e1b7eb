/**
 * A segment that is written to: a file of fixed length, zero-filled before it is used.
 *
 * States
 *   planned   its header is settled, frames are encoded for it; no file yet
 *   attached  it has a zero-filled file under a temporary name
 *   entered   header durable, name in place, directory synced: frames may be written
 *
 * Each step may be done twice, once asynchronously and once by whoever can't wait, with the same
 * effect. For that there are two handles, since two syncs of one handle may hide a failure from
 * each other: the system reports a failed write once to each.
 */

import { assert } from '../base/assert.ts'
import type { Disk, DiskFile } from '../disk/disk.ts'
import type { SegmentHeader } from './format.ts'
import { encodeSegmentHeader, seedOf, segmentName } from './format.ts'

/** A zero-filled, synced file under a temporary name. */
export interface Prepared {
  readonly file: DiskFile
  readonly sizeBytes: number
}

/** Writes in the background and makes it durable: the only way frames get to the disk there. */
export async function writeDurably(
  file: DiskFile,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  await file.writeDurablyAsync(bytes, position)
}

export class Segment {
  readonly header: SegmentHeader
  /** Begins the checksums of its frames. */
  readonly seed: number
  readonly path: string
  readonly #disk: Disk
  readonly #directory: string
  readonly #headerBytes: Uint8Array
  #file: DiskFile | undefined
  #direct: DiskFile | undefined
  #isNamed = false
  #isEntered = false

  /** A planned segment. */
  constructor(disk: Disk, directory: string, header: SegmentHeader) {
    this.#disk = disk
    this.#directory = directory
    this.header = header
    this.#headerBytes = encodeSegmentHeader(header)
    this.seed = seedOf(this.#headerBytes)
    this.path = disk.join(directory, segmentName(header.sequence, header.firstTxid))
  }

  /** A segment whose file is in place. Takes over `file`. */
  static ofFile(disk: Disk, header: SegmentHeader, file: DiskFile): Segment {
    const segment = new Segment(disk, disk.directoryOf(file.path), header)
    segment.#file = file
    segment.#isNamed = true
    segment.#isEntered = true
    return segment
  }

  get sizeBytes(): number {
    return this.header.sizeBytes
  }

  get isAttached(): boolean {
    return this.#file !== undefined
  }

  get isEntered(): boolean {
    return this.#isEntered
  }

  /** The handle of the asynchronous path. */
  get file(): DiskFile {
    assert(this.#file !== undefined, 'the segment has no file yet')
    return this.#file
  }

  /** The handle of the synchronous path. */
  get direct(): DiskFile {
    const path = this.#isNamed ? this.path : this.file.path
    this.#direct ??= this.#disk.open(path, { mode: 'write' })
    return this.#direct
  }

  /** Takes over a prepared file, at least as long as planned; what is beyond stays unused. */
  attach(prepared: Prepared): void {
    assert(this.#file === undefined && prepared.sizeBytes >= this.sizeBytes, 'it does not fit')
    this.#file = prepared.file
  }

  /** Makes it usable. Ends early where `enterSync` was faster. */
  async enter(): Promise<void> {
    await writeDurably(this.file, this.#headerBytes, 0)
    if (this.#isEntered) return
    this.#giveName()
    await this.#disk.syncDirectoryAsync(this.#directory)
    this.#isEntered = true
  }

  enterSync(): void {
    if (this.#isEntered) return
    this.direct.write(this.#headerBytes, 0)
    this.direct.sync('data')
    this.#giveName()
    this.#disk.syncDirectory(this.#directory)
    this.#isEntered = true
  }

  close(): void {
    this.#file?.close()
    this.#direct?.close()
  }

  #giveName(): void {
    if (this.#isNamed) return
    this.#disk.rename(this.file.path, this.path)
    this.#isNamed = true
  }
}
