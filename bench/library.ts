/**
 * The library as it is shipped: the built files under dist/, never the sources, which a
 * transpiler would change. `npm run build` at the project's root makes them.
 */

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type * as door from '../engine/index.ts'

export type Library = typeof door

/** Loads a built module: `engine/index.js`. The caller names the type of the source it is of. */
export async function loadBuilt<T>(path: string): Promise<T> {
  const url = new URL(`../dist/${path}`, import.meta.url)
  if (!existsSync(fileURLToPath(url))) {
    throw new Error(`dist/${path} is missing; run "npm run build" at the project's root`)
  }
  if (process.env['KV_VERIFY'] !== undefined) {
    throw new Error('KV_VERIFY is set: what is measured then is its checks')
  }
  return (await import(url.href)) as T
}
