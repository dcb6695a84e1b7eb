/** `revbolt snapshot diff`. */
import { resolve } from 'node:path'
import { readCount } from '../bolt/call.ts'
import type { Call, Command, Setting } from '../bolt/command.ts'
import { BYTES_OPTIONS } from '../store/bytes.ts'
import { CHANGES_OPTIONS, printChanges, readDiff } from '../store/changes.ts'

async function run(call: Call, setting: Setting): Promise<number> {
  const { directory, signal } = setting
  const [before = '', after = '', ...keys] = call.positionals
  const options = {
    ...readDiff(call, keys),
    beforeRevision: readCount(call, 'before-rev', 1),
    afterRevision: readCount(call, 'after-rev', 1),
    signal,
  }
  const { diffBackups } = await import('../../index.ts')
  const changes = diffBackups(resolve(directory, before), resolve(directory, after), options)
  return await printChanges(changes, call, setting)
}

export const diff: Command = {
  name: 'diff',
  positionals: 'BEFORE AFTER [KEY [END]]',
  counts: [2, 4],
  summary: 'what differs between two stores',
  details:
    'Shows the keys that were added (+), changed (~) and removed (-) from the one to the other. ' +
    'Each is a backup, a file of `etcdctl snapshot save`, a data file of etcd’s, or the ' +
    'directory of a store that nobody has open. Both are looked through whole before anything ' +
    'is told.',
  examples: [
    'revbolt snapshot diff monday.db tuesday.db',
    'revbolt snapshot diff monday.db data --by-value --json',
  ],
  options: {
    'before-rev': { type: 'string', value: 'N', help: 'BEFORE as it was right after revision N' },
    'after-rev': { type: 'string', value: 'N', help: 'AFTER as it was right after revision N' },
    ...CHANGES_OPTIONS,
    ...BYTES_OPTIONS,
  },
  run,
}
