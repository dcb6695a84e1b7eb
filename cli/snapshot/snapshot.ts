/** `revbolt snapshot`: backups of a store, and of etcd. */
import { COMMON_OPTIONS } from '../bolt/call.ts'
import type { Command, Setting } from '../bolt/command.ts'
import type { Family } from '../family.ts'
import { runFamily } from '../family.ts'
import { diff } from './diff.ts'
import { restore } from './restore.ts'
import { save } from './save.ts'
import { status, verify } from './verify.ts'

export const COMMANDS: readonly Command[] = [save, status, verify, restore, diff]

const SNAPSHOT: Family = {
  name: 'snapshot',
  subject: '',
  about: [
    'Writes a store to a file, with its whole history, and makes a store of one. The file is a ' +
      'bbolt file that `etcdctl snapshot restore` takes, with a manifest beside it; a file of ' +
      '`etcdctl snapshot save` is taken as well.',
  ],
  options: COMMON_OPTIONS,
  note: '',
  commands: COMMANDS,
  hasCodes: true,
}

/** Runs one command. Returns the exit code; throws only where the signal was aborted. */
export async function runSnapshot(args: readonly string[], setting: Setting): Promise<number> {
  return runFamily(SNAPSHOT, args, setting)
}
