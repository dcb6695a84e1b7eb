/** A source file made a program of its own, for tests that start processes and kill them. */

import { rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

export interface ChildProgram extends Disposable {
  readonly path: string
}

/** One file starts ten times as fast as the sources do. It is removed when disposed of. */
export async function buildChildProgram(source: URL): Promise<ChildProgram> {
  const entry = fileURLToPath(source)
  // Where it finds the packages that are not put into it.
  const name = `${basename(entry, '.ts')}-${process.pid}.mjs`
  const path = join(ROOT, 'node_modules', '.cache', name)
  await build({
    entryPoints: [entry],
    outfile: path,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  })
  return { path, [Symbol.dispose]: () => rmSync(path, { force: true }) }
}
