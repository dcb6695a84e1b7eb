/** `revbolt snapshot restore`. */
import { resolve } from 'node:path'
import { UsageError } from '../arguments.ts'
import type { Call, Command, Setting } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { printJson } from '../bolt/output.ts'
import { formatCount } from '../format.ts'
import { withProgress } from './progress.ts'
import { jsonBackup } from './verify.ts'

async function run(call: Call, setting: Setting): Promise<number> {
  const { screen, signal, directory } = setting
  const [name = ''] = call.positionals
  const target = call.text('data-dir') ?? ''
  if (target === '') throw new UsageError('name where the store is to be: --data-dir DIR')
  const { restoreBackup } = await import('../../index.ts')
  const found = await withProgress(setting, (onProgress) =>
    restoreBackup(resolve(directory, name), resolve(directory, target), { signal, onProgress }),
  )
  if (call.isJson) {
    printJson(screen, jsonBackup(found))
  } else {
    const keys = formatCount(found.keyCount)
    screen.print(`made a store in ${target}: revision ${formatCount(found.revision)}, ${keys} keys`)
  }
  return EXIT.ok
}

export const restore: Command = {
  name: 'restore',
  positionals: 'FILE',
  counts: [1, 1],
  summary: 'a new store made of a backup',
  details:
    'Verifies the backup and makes a store of it in a directory that is empty or missing. ' +
    'Nothing is made before everything was checked, and no store is ever replaced.',
  examples: ['revbolt snapshot restore /backups/monday.db --data-dir data-of-monday'],
  options: {
    'data-dir': { type: 'string', value: 'DIR', help: 'where the store is to be; must be given' },
  },
  run,
}
