/** `revbolt bolt`: looks into any bbolt file. */
import type { Family } from '../family.ts'
import { runFamily } from '../family.ts'
import { buckets } from './buckets.ts'
import { BOLT_OPTIONS } from './call.ts'
import { check } from './check.ts'
import type { Command, Setting } from './command.ts'
import { compact, copy } from './copy.ts'
import { dump } from './dump.ts'
import { info } from './info.ts'
import { inspect } from './inspect.ts'
import { get, keys } from './keys.ts'
import { page } from './page.ts'
import { pages } from './pages.ts'
import { stats } from './stats.ts'

export const COMMANDS: readonly Command[] = [
  info,
  inspect,
  buckets,
  keys,
  get,
  check,
  stats,
  pages,
  page,
  dump,
  copy,
  compact,
]

const BOLT: Family = {
  name: 'bolt',
  subject: 'FILE',
  about: [
    'Looks into any bbolt file: revbolt’s, etcd’s, bbolt’s own. Files are opened',
    'read-only, under a shared lock.',
  ],
  example: 'info',
  options: BOLT_OPTIONS,
  note: 'Names and keys: 0x… is hex, the rest text. ',
  commands: COMMANDS,
}

/** Runs one command. Returns the exit code; throws only where the signal was aborted. */
export async function runBolt(args: readonly string[], setting: Setting): Promise<number> {
  return runFamily(BOLT, args, setting)
}
