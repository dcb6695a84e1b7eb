/**
 * Prepares the segment to come: zero-filled under a temporary name and synced, so that a write to
 * it changes bytes only and can't run out of space.
 *
 * One file is ready at a time, or being filled in the background, slowly unless somebody waits for
 * it: the disk is for others meanwhile. A full disk is remembered: who
 * asks then is refused at once, and another try begins in the background.
 */

import { AssertionError, assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import type { Disk, DiskFile } from '../disk/disk.ts'
import { isTemporaryName, temporaryName } from './format.ts'
import type { Prepared } from './segment.ts'

/**
 * What is written and synced at a time, and how long the disk is others' then. A sync that comes
 * in between waits for what is being written: see docs/decisions/0007.
 */
const STEP: Uint8Array = new Uint8Array(256 * 1024)
const PAUSE_MS = 2

export class Preparation {
  readonly #disk: Disk
  readonly #directory: string
  readonly #clock: Clock
  #ready: Prepared | undefined
  #running: Promise<void> | undefined
  #failure: unknown
  #count = 0
  #isHurried = false
  #endPause: (() => void) | undefined
  #isClosed = false

  constructor(disk: Disk, directory: string, clock: Clock) {
    this.#disk = disk
    this.#directory = directory
    this.#clock = clock
  }

  /** Length of the file that is ready; 0 where none is. */
  get readySizeBytes(): number {
    return this.#ready?.sizeBytes ?? 0
  }

  get isRunning(): boolean {
    return this.#running !== undefined
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Why the last try failed; undefined after one that didn't. */
  get failure(): unknown {
    return this.#failure
  }

  /** Begins to fill a file in the background, unless one is being filled or is ready. */
  start(sizeBytes: number): void {
    if (this.#running !== undefined || this.readySizeBytes >= sizeBytes || this.#isClosed) return
    this.#isHurried = false
    this.#running = this.#fill(sizeBytes).finally(() => {
      this.#running = undefined
    })
  }

  /** What is being filled is needed soon: without pauses from now on. */
  hurry(): void {
    this.#isHurried = true
    this.#endPause?.()
  }

  /** Hurries; resolves when nothing is being filled. Never rejects: see `failure`. */
  async settled(): Promise<void> {
    this.hurry()
    await this.#running
  }

  /** Hands the ready file over, or one made now. Rejects with what the disk said. */
  async take(sizeBytes: number): Promise<Prepared> {
    let isTried = false
    for (;;) {
      const ready = this.takeReady(sizeBytes)
      if (ready !== undefined) return ready
      if (this.#running === undefined) {
        if (isTried) throw this.#failure
        this.start(sizeBytes)
        isTried = true
      }
      await this.settled()
    }
  }

  takeReady(sizeBytes: number): Prepared | undefined {
    const ready = this.#ready
    if (ready === undefined || ready.sizeBytes < sizeBytes) return undefined
    this.#ready = undefined
    return ready
  }

  /** As `take`, blocking. */
  takeSync(sizeBytes: number): Prepared {
    return this.takeReady(sizeBytes) ?? this.#make(sizeBytes)
  }

  /** Makes sure that a file of the size is ready, blocking. */
  makeReady(sizeBytes: number): void {
    if (this.readySizeBytes < sizeBytes) this.giveBack(this.#make(sizeBytes))
  }

  /** Keeps a file for later, the longer one where there are two. */
  giveBack(prepared: Prepared): void {
    const other = this.#ready
    const isLonger = !this.#isClosed && prepared.sizeBytes > this.readySizeBytes
    if (isLonger) this.#ready = prepared
    const extra = isLonger ? other : prepared
    if (extra !== undefined) this.#discard(extra.file)
  }

  /** Removes what is ready, once nothing is being filled. */
  async drop(): Promise<void> {
    await this.settled()
    if (this.#ready !== undefined) this.#discard(this.#ready.file)
    this.#ready = undefined
  }

  /** Ends what is being filled and removes what is ready. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.drop()
  }

  #create(): DiskFile {
    const path = this.#disk.join(this.#directory, temporaryName(this.#count++))
    return this.#disk.open(path, { mode: 'createNew' })
  }

  #make(sizeBytes: number): Prepared {
    let file: DiskFile | undefined
    try {
      file = this.#create()
      file.allocate(0, sizeBytes)
      file.sync('full')
      this.#failure = undefined
      return { file, sizeBytes }
    } catch (error) {
      this.#failure = error
      if (file !== undefined) this.#discard(file)
      throw error
    }
  }

  async #fill(sizeBytes: number): Promise<void> {
    let file: DiskFile | undefined
    try {
      file = this.#create()
      for (let done = 0; done < sizeBytes && !this.#isClosed; done += STEP.length) {
        await file.writeAsync(STEP.subarray(0, Math.min(STEP.length, sizeBytes - done)), done)
        await file.syncAsync('data')
        if (done + STEP.length < sizeBytes) await this.#pause()
      }
      await file.syncAsync('full')
      this.#failure = undefined
      this.giveBack({ file, sizeBytes: this.#isClosed ? 0 : sizeBytes })
    } catch (error) {
      this.#failure = error
      assert(error !== undefined, 'a failure has a reason')
      if (file !== undefined) this.#discard(file)
    }
  }

  async #pause(): Promise<void> {
    if (this.#isHurried) return
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.setTimer(PAUSE_MS, resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
    this.#endPause = undefined
  }

  #discard(file: DiskFile): void {
    file.close()
    removeQuietly(this.#disk, file.path)
  }
}

/** Removes what earlier processes prepared and didn't use. */
export function removeTemporaries(disk: Disk, directory: string): void {
  for (const name of disk.list(directory)) {
    if (isTemporaryName(name)) removeQuietly(disk, disk.join(directory, name))
  }
}

/** A file that is left over costs room and nothing else; the next opening removes it. */
function removeQuietly(disk: Disk, path: string): void {
  try {
    disk.remove(path)
  } catch (error) {
    if (error instanceof AssertionError) throw error
  }
}
