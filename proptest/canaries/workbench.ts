/**
 * A copy of the project to break: sources and tests, with the installed packages linked. What a
 * canary changes there never touches the project itself.
 */
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import type { Canary } from './registry.ts'

const LEFT_OUT = new Set(['node_modules', 'dist', 'coverage', 'data', '.git', '.cache'])

/** A canary that can't be tried: its text is gone, or its test isn't there. */
export class CanaryError extends Error {
  override readonly name: string = 'CanaryError'
}

export class Workbench {
  readonly path: string

  /** Copies the project under `root` to a new folder; `remove()` takes it away again. */
  constructor(root: string) {
    this.path = realpathSync(mkdtempSync(join(tmpdir(), 'revbolt-canary-')))
    cpSync(root, this.path, {
      recursive: true,
      filter: (source) => !LEFT_OUT.has(relative(root, source)),
    })
    symlinkSync(join(root, 'node_modules'), join(this.path, 'node_modules'))
  }

  /** Plants the canary's fault and returns the way back. */
  plant(canary: Canary): () => void {
    const path = join(this.path, canary.file)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, mutate(text, canary))
    return () => writeFileSync(path, text)
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** `text` with the canary's fault in it. */
export function mutate(text: string, canary: Canary): string {
  const parts = text.split(canary.find)
  const times = parts.length - 1
  if (times !== 1) {
    throw new CanaryError(`its text occurs ${times} times in ${canary.file}, expected once`)
  }
  if (canary.find === canary.replace) throw new CanaryError('it changes nothing')
  return parts.join(canary.replace)
}
