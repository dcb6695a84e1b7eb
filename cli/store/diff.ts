/** `revbolt diff`: what differs between two revisions. */
import { UsageError } from '../arguments.ts'
import { readCount } from '../bolt/call.ts'
import type { Call } from '../bolt/command.ts'
import { CHANGES_OPTIONS, printChanges, readDiff } from './changes.ts'
import type { StoreCommand, StoreSetting, Work } from './command.ts'

function prepare(call: Call, setting: StoreSetting): Work {
  const selection = readDiff(call, call.positionals)
  const from = readCount(call, 'from', 1)
  const last = readCount(call, 'last', 1)
  const to = readCount(call, 'to', 1)
  if (from !== undefined && last !== undefined) {
    throw new UsageError('--from and --last: choose one')
  }
  const { signal } = setting
  return async (db) => {
    const { revision, compactedRevision = 1 } = await db.status({ signal })
    const through = to ?? revision
    const since = from ?? (last === undefined ? compactedRevision : through - last)
    const changes = db.diff({ ...selection, from: Math.max(1, since), to: through, signal })
    return await printChanges(changes, call, setting)
  }
}

export const diff: StoreCommand = {
  name: 'diff',
  positionals: '[KEY [END]]',
  counts: [0, 2],
  summary: 'what differs between two revisions',
  details:
    'Shows the keys that were added (+), changed (~) and removed (-) from one revision to ' +
    'another, all of them or those from KEY up to END. Without --from it begins at the oldest ' +
    'revision that can be read, without --to it ends at the newest. Turned round, it tells the ' +
    'way back.',
  examples: [
    'revbolt diff --last 10',
    'revbolt diff --from 120 --to 130 config/ --prefix',
    'revbolt diff --from 120 --json',
  ],
  options: {
    from: { type: 'string', value: 'N', help: 'the state right after revision N' },
    last: { type: 'string', value: 'N', help: 'in place of --from: what the last N revisions did' },
    to: { type: 'string', value: 'N', help: 'and that after revision N' },
    ...CHANGES_OPTIONS,
  },
  takesEmpty: true,
  access: 'read',
  prepare,
}
