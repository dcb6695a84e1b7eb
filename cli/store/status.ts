/** `revbolt status`. */
import type { Call } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { labelled, percent, printJson } from '../bolt/output.ts'
import { formatBytes, formatCount, plural } from '../format.ts'
import { jsonOf } from './bytes.ts'
import type { Db, StoreCommand, StoreSetting, Work } from './command.ts'

function prepare(call: Call, setting: StoreSetting): Work {
  const { screen, signal } = setting
  return async (db) => {
    const status = await db.status({ signal })
    const { count: keys } = await db.range({ countOnly: true, signal })
    const leases = await db.leases({ signal })
    if (call.isJson) {
      const { path, recovery } = db
      const facts = { path, ...status, keys, leases: leases.length, recovery }
      printJson(screen, jsonOf(facts, 'text'))
      return EXIT.ok
    }
    const { revision, compactedRevision = 0, sizeBytes, sizeInUseBytes } = status
    const share = percent(sizeInUseBytes, sizeBytes)
    labelled(screen, [
      ['store', db.path],
      ['revision', formatCount(revision)],
      [
        'history',
        compactedRevision > 0
          ? `readable from revision ${formatCount(compactedRevision)} on`
          : 'whole, nothing was compacted',
      ],
      ['keys', formatCount(keys)],
      ['leases', formatCount(leases.length)],
      ['file', `${formatBytes(sizeBytes)}, ${formatBytes(sizeInUseBytes)} in use (${share})`],
      ...recoveryRows(db),
      ['version', status.version],
    ])
    return EXIT.ok
  }
}

/** What opening found, where it found anything. */
function recoveryRows({ recovery }: Db): readonly (readonly [string, string])[] {
  const { replayedCommits, torn, fallback } = recovery
  const rows: (readonly [string, string])[] = []
  if (replayedCommits > 0) {
    rows.push(['log', `${plural(replayedCommits, 'commit')} that the data file has not got yet`])
  }
  if (torn !== undefined) {
    const size = formatBytes(torn.sizeBytes)
    rows.push(['torn tail', `${size} that were never acknowledged, at ${torn.file}:${torn.offset}`])
  }
  if (fallback !== undefined) {
    rows.push(['damage', `the newest generation can’t be used: ${fallback.reason}`])
  }
  return rows
}

export const status: StoreCommand = {
  name: 'status',
  positionals: '',
  counts: [0, 0],
  summary: 'revision, history, sizes',
  details: 'Shows where the store stands. Nothing is written.',
  examples: ['revbolt status', 'revbolt status --data /srv/app/data --json'],
  options: {},
  access: 'read',
  prepare,
}
