/** A directory for the files of one test or one case. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Runs `fn` with a new directory, and removes it. REVBOLT_KEEP_FILES=1 keeps it when `fn` fails,
 * and names it in the error.
 */
export async function withTempDirectory<T>(fn: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'revbolt-interop-'))
  try {
    const result = await fn(directory)
    rmSync(directory, { recursive: true, force: true })
    return result
  } catch (error) {
    if (process.env['REVBOLT_KEEP_FILES'] === '1') {
      throw new Error(`the files are kept in ${directory}`, { cause: error })
    }
    rmSync(directory, { recursive: true, force: true })
    throw error
  }
}
