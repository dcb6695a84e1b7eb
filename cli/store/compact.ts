/** `revbolt compact`. */
import { UsageError } from '../arguments.ts'
import { parseCount } from '../bolt/call.ts'
import type { Call } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { printJson } from '../bolt/output.ts'
import { formatCount } from '../format.ts'
import type { StoreCommand, StoreSetting, Work } from './command.ts'

function prepare(call: Call, { screen, signal }: StoreSetting): Work {
  const [word] = call.positionals
  const keep = call.text('keep')
  if ((word === undefined) === (keep === undefined)) {
    throw new UsageError('name the revision, or how many to --keep')
  }
  const through = word === undefined ? undefined : parseCount(word, 'REV', 1)
  const kept = keep === undefined ? 0 : parseCount(keep, '--keep', 1)
  return async (db) => {
    const before = await db.status({ signal })
    const compacted = through ?? before.revision - kept + 1
    const oldest = before.compactedRevision ?? 0
    // `--keep` names a state to be in: where it is so already there is nothing to do.
    const isDue = through !== undefined || compacted > Math.max(oldest, 1)
    // Otherwise the process would end with the dropped revisions still in the file.
    if (isDue) await db.compact(compacted, { physical: true, signal })
    const now = await db.status({ signal })
    const revision = now.compactedRevision ?? 0
    if (call.isJson) {
      const facts = { revision: String(now.revision), compactedRevision: String(revision) }
      printJson(screen, facts)
    } else if (revision === 0) {
      screen.print('nothing to drop: history is readable from the beginning on')
    } else {
      screen.print(`history is readable from revision ${formatCount(revision)} on`)
    }
    return EXIT.ok
  }
}

export const compact: StoreCommand = {
  name: 'compact',
  positionals: '[REV]',
  counts: [0, 1],
  summary: 'drop the history before a revision',
  details:
    'Drops what was overwritten or deleted before revision REV; REV itself stays readable. What ' +
    'keys hold now is not touched. The room in the file is used again by later writes.',
  examples: ['revbolt compact 1200', 'revbolt compact --keep 1000'],
  options: {
    keep: { type: 'string', value: 'N', help: 'keep the newest N revisions readable' },
  },
  access: 'write',
  prepare,
}
