/** `revbolt wal`: looks into the log of a data directory. */
import { COMMON_OPTIONS } from '../bolt/call.ts'
import type { Command, Setting } from '../bolt/command.ts'
import type { Family } from '../family.ts'
import { runFamily } from '../family.ts'
import { dump } from './dump.ts'
import { verify } from './verify.ts'

export const COMMANDS: readonly Command[] = [dump, verify]

const WAL: Family = {
  name: 'wal',
  subject: 'PATH',
  about: [
    'Looks into the log of a store. PATH is a data directory, a directory of segments, or one ' +
      'segment. Nothing is changed and nothing locked.',
    'Beside a store that is open the last groups may look torn: they are being written.',
  ],
  example: 'verify',
  options: COMMON_OPTIONS,
  note: '',
  commands: COMMANDS,
}

/** Runs one command. Returns the exit code; throws only where the signal was aborted. */
export async function runWal(args: readonly string[], setting: Setting): Promise<number> {
  return runFamily(WAL, args, setting)
}
