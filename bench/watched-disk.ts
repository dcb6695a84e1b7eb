/**
 * A disk around another: tells when the data file is written, and may take longer over syncs.
 *
 * A slow sync is one of a disk with other work: the calls that don't block wait by a timer, those
 * that do block the thread.
 */

import { setTimeout as delay } from 'node:timers/promises'
import type {
  Disk,
  DiskFile,
  DiskFileOptions,
  FileIdentity,
  LockOptions,
  SyncKind,
} from '../disk/disk.ts'

export interface Watch {
  /** How much longer each sync takes, in ms. May change. */
  syncMs: number
  /** How many syncs took longer, directories' and those of durable writes included. */
  slowedSyncs: number
  /** How many of these blocked the thread. */
  blockedSyncs: number
  /** Told of each change of a file and each sync of it, when it begins and when it has ended. */
  onChange: (path: string) => void
}

const never = new Int32Array(new SharedArrayBuffer(4))

function waitBlocking(watch: Watch): void {
  if (watch.syncMs === 0) return
  watch.slowedSyncs += 1
  watch.blockedSyncs += 1
  Atomics.wait(never, 0, 0, watch.syncMs)
}

async function waitAsync(watch: Watch): Promise<void> {
  if (watch.syncMs === 0) return
  watch.slowedSyncs += 1
  await delay(watch.syncMs)
}

class WatchedFile implements DiskFile {
  readonly inner: DiskFile
  readonly #watch: Watch
  /** Durable writes of a file end in their order, so the waits must, too. */
  #durableTail: Promise<void> = Promise.resolve()

  constructor(inner: DiskFile, watch: Watch) {
    this.inner = inner
    this.#watch = watch
  }

  get path(): string {
    return this.inner.path
  }

  get writable(): boolean {
    return this.inner.writable
  }

  read(target: Uint8Array, position: number): number {
    return this.inner.read(target, position)
  }

  readAsync(target: Uint8Array, position: number): Promise<number> {
    return this.inner.readAsync(target, position)
  }

  write(source: Uint8Array, position: number): void {
    this.#changed()
    this.inner.write(source, position)
    this.#changed()
  }

  async writeAsync(source: Uint8Array, position: number): Promise<void> {
    this.#changed()
    await this.inner.writeAsync(source, position)
    this.#changed()
  }

  /** The disk does one sync after another, so each wait begins where the one before ended. */
  writeDurablyAsync(source: Uint8Array, position: number): Promise<void> {
    const written = this.inner.writeDurablyAsync(source, position)
    if (this.#watch.syncMs === 0) return written
    const before = this.#durableTail
    const done = (async () => {
      await written
      await before
      await waitAsync(this.#watch)
    })()
    this.#durableTail = done.catch(() => undefined)
    return done
  }

  size(): number {
    return this.inner.size()
  }

  truncate(sizeBytes: number): void {
    this.#changed()
    this.inner.truncate(sizeBytes)
    this.#changed()
  }

  allocate(position: number, sizeBytes: number): void {
    this.#changed()
    this.inner.allocate(position, sizeBytes)
    this.#changed()
  }

  beginWriteback(): void {
    this.inner.beginWriteback()
  }

  sync(kind: SyncKind): void {
    this.#changed()
    this.inner.sync(kind)
    waitBlocking(this.#watch)
    this.#changed()
  }

  async syncAsync(kind: SyncKind): Promise<void> {
    this.#changed()
    await this.inner.syncAsync(kind)
    await waitAsync(this.#watch)
    this.#changed()
  }

  identity(): FileIdentity {
    return this.inner.identity()
  }

  close(): void {
    this.inner.close()
  }

  #changed(): void {
    this.#watch.onChange(this.inner.path)
  }
}

export class WatchedDisk implements Disk {
  readonly #inner: Disk
  readonly #watch: Watch

  constructor(inner: Disk, watch: Watch) {
    this.#inner = inner
    this.#watch = watch
  }

  open(path: string, options: DiskFileOptions): DiskFile {
    return new WatchedFile(this.#inner.open(path, options), this.#watch)
  }

  exists(path: string): boolean {
    return this.#inner.exists(path)
  }

  identityOf(path: string): FileIdentity | undefined {
    return this.#inner.identityOf(path)
  }

  list(directory: string): string[] {
    return this.#inner.list(directory)
  }

  makeDirectory(path: string): void {
    this.#inner.makeDirectory(path)
  }

  rename(source: string, target: string): void {
    this.#inner.rename(source, target)
  }

  remove(path: string): void {
    this.#inner.remove(path)
  }

  removeDirectory(path: string): void {
    this.#inner.removeDirectory(path)
  }

  syncDirectory(path: string): void {
    this.#inner.syncDirectory(path)
    waitBlocking(this.#watch)
  }

  async syncDirectoryAsync(path: string): Promise<void> {
    await this.#inner.syncDirectoryAsync(path)
    await waitAsync(this.#watch)
  }

  /** The other disk knows its own files only. */
  lock(file: DiskFile, options: LockOptions): Promise<void> {
    return this.#inner.lock(file instanceof WatchedFile ? file.inner : file, options)
  }

  join(...parts: string[]): string {
    return this.#inner.join(...parts)
  }

  directoryOf(path: string): string {
    return this.#inner.directoryOf(path)
  }

  resolve(path: string): string {
    return this.#inner.resolve(path)
  }
}
