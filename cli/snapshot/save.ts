/** `revbolt snapshot save`. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Call, Command, Setting } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { Failure, operatingCode } from '../bolt/failure.ts'
import { printJson } from '../bolt/output.ts'
import { formatBytes, formatCount } from '../format.ts'
import { withProgress } from './progress.ts'

async function run(call: Call, setting: Setting): Promise<number> {
  const { screen, signal, directory } = setting
  const [source = '', name = ''] = call.positionals
  const path = resolve(directory, source)
  if (!existsSync(join(path, 'db'))) {
    const hints = ['DIR is the directory of a store']
    throw new Failure(EXIT.refused, `there is no store in ${source}`, { hints })
  }
  const { open } = await import('../../index.ts')
  await using db = await open(path, { encoding: 'bytes', readOnly: true, signal }).catch(explain)
  const trailer = !call.flag('no-trailer')
  const result = await withProgress(setting, (onProgress) =>
    db.backup(resolve(directory, name), { trailer, signal, onProgress }),
  )
  const { revision, sizeBytes, manifest, sha256 } = result
  if (call.isJson) {
    const { crc32: _, ...facts } = manifest
    printJson(screen, { path: result.path, ...facts })
  } else {
    const keys = formatCount(manifest.keyCount)
    const size = formatBytes(sizeBytes)
    screen.print(`${name}: revision ${formatCount(revision)}, ${keys} keys, ${size}`)
    screen.print(`sha256 ${sha256}`)
  }
  return EXIT.ok
}

function explain(error: unknown): never {
  if (operatingCode(error) !== 'KV_LOCKED' || !(error instanceof Error)) throw error
  throw new Failure(EXIT.refused, error.message, {
    hints: ['a program that has the store open makes its backups itself: `db.backup(FILE)`'],
    cause: error,
  })
}

export const save: Command = {
  name: 'save',
  positionals: 'DIR FILE',
  counts: [2, 2],
  summary: 'the store in DIR into a new file, with a manifest beside it',
  details:
    'Checks every page, writes them to FILE and what it holds to FILE.manifest.json, reads back ' +
    'what was written. Nothing is replaced, and where it fails nothing is left behind. The store ' +
    'must be open nowhere else: a program that has it open calls `db.backup(FILE)`.',
  examples: ['revbolt snapshot save data /backups/monday.db'],
  options: {
    'no-trailer': { type: 'boolean', help: 'leave out the SHA-256 that etcd looks for' },
  },
  run,
}
