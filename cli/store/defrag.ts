/** `revbolt defrag`. */
import type { Call } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { percent, printJson } from '../bolt/output.ts'
import { formatBytes } from '../format.ts'
import { jsonOf } from './bytes.ts'
import type { StoreCommand, StoreSetting, Work } from './command.ts'
import { runJob } from './job.ts'

function prepare(call: Call, setting: StoreSetting): Work {
  const { screen } = setting
  return async (db) => {
    const { sizeBytesBefore: before, sizeBytesAfter: after } = await runJob(setting, (options) =>
      db.defragment(options),
    )
    if (call.isJson) {
      printJson(screen, jsonOf({ sizeBytesBefore: before, sizeBytesAfter: after }, 'text'))
    } else if (after < before) {
      const share = percent(after, before)
      screen.print(`${formatBytes(before)} → ${formatBytes(after)} (${share})`)
    } else {
      screen.print(`${formatBytes(after)}: it is as short as it gets`)
    }
    return EXIT.ok
  }
}

export const defrag: StoreCommand = {
  name: 'defrag',
  positionals: '[DIR]',
  counts: [0, 1],
  summary: 'give the free space of the file back',
  details:
    'Moves what lies at the end of the file to where it is free, and cuts the file. Keys and ' +
    'history stay as they are; `revbolt compact` drops history, and so makes room first. Stopped ' +
    'anywhere it has harmed nothing.',
  examples: ['revbolt defrag', 'revbolt compact --keep 1000 && revbolt defrag'],
  options: {},
  access: 'write',
  directory: (call) => call.positionals[0],
  prepare,
}
