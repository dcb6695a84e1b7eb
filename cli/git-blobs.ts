/**
 * File contents from one `git cat-file --batch`: asked for ahead, read in the same order. What
 * has been asked for and not read waits in git and in the pipe between, not in our memory.
 */
import type { GitProcess } from './git-process.ts'
import { GitError, startGit, withGitError } from './git-process.ts'

const LF = 0x0a

/** A file's content; undefined where it is larger than the limit or not in this clone. */
export interface Blob {
  readonly content: Uint8Array | undefined
  /** Undefined: the object is not in this clone. */
  readonly sizeBytes: number | undefined
}

export interface BlobLimits {
  /** Larger ones are passed over. */
  readonly sizeBytesMax: number
  /** Whether objects may be missing, as in a partial clone. Elsewhere a missing one is damage. */
  readonly mayMiss: boolean
}

export class BlobReader {
  readonly #git: GitProcess
  readonly #limits: BlobLimits
  #waiting = 0

  constructor(directory: string, limits: BlobLimits) {
    this.#git = startGit(directory, ['cat-file', '--batch'])
    this.#limits = limits
  }

  /** How many were asked for and not read yet. */
  get waiting(): number {
    return this.#waiting
  }

  ask(oids: readonly string[]): void {
    if (oids.length === 0) return
    this.#waiting += oids.length
    this.#git.input.write(`${oids.join('\n')}\n`)
  }

  /** The next one, in the order asked for. */
  async read(): Promise<Blob> {
    this.#waiting--
    return await withGitError(this.#git, () => this.#read())
  }

  async #read(): Promise<Blob> {
    const { output } = this.#git
    const line = await output.until(LF)
    if (line === undefined) {
      await this.#git.ended
      throw new GitError('git: file contents broke off')
    }
    const [oid, kind, size] = Buffer.from(line).toString().split(' ')
    if (kind === 'missing') {
      if (this.#limits.mayMiss) return { content: undefined, sizeBytes: undefined }
      throw new GitError(`git: object ${oid} is missing or damaged`)
    }
    const sizeBytes = Number(size)
    if (kind !== 'blob' || !Number.isSafeInteger(sizeBytes)) {
      throw new GitError(`git: object ${oid} is a ${kind}, not a file`)
    }
    const isKept = sizeBytes <= this.#limits.sizeBytesMax
    const content = isKept ? await output.exactly(sizeBytes) : undefined
    await output.skip(isKept ? 1 : sizeBytes + 1)
    return { content, sizeBytes }
  }

  stop(): void {
    this.#git.stop()
  }
}
