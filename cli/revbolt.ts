#!/usr/bin/env node
/** The `revbolt` command. */
import { VERSION } from '../index.ts'
import { nearest } from './bolt/call.ts'
import { EXIT } from './bolt/command.ts'
import { runBolt } from './bolt/bolt.ts'
import type { Stage } from './program.ts'
import { runWal } from './wal/wal.ts'
import { runProgram } from './program.ts'

const USAGE = `Usage: revbolt COMMAND [arguments]

  bolt       looks into any bbolt file: revbolt's, etcd's, bbolt's own
  wal        looks into the log of a store

  --help     show this; \`revbolt COMMAND --help\` has the rest
  --version  show the version`

const COMMANDS = ['bolt', 'wal'] as const

/** A map of pages is the better the wider it is, up to a point. */
const WIDTH_MAX = 160

async function run(stage: Stage): Promise<number> {
  const { screen, complaints, signal } = stage
  const [command, ...rest] = process.argv.slice(2)
  switch (command) {
    case 'bolt': {
      const now = (): number => performance.now()
      return runBolt(rest, { screen, complaints, signal, directory: process.cwd(), now })
    }
    case 'wal': {
      const now = (): number => performance.now()
      return runWal(rest, { screen, complaints, signal, directory: process.cwd(), now })
    }
    case '--version':
    case '-v':
      screen.print(VERSION)
      return EXIT.ok
    case '--help':
    case '-h':
    case 'help':
      screen.print(USAGE)
      return EXIT.ok
    case undefined:
      screen.print(USAGE)
      return EXIT.usage
    default: {
      const near = nearest(command, COMMANDS)
      const meant = near === undefined ? 'see `revbolt --help`' : `did you mean ${near}?`
      stage.complain(`there is no command ${command}; ${meant}`)
      return EXIT.usage
    }
  }
}

function fail(error: unknown, { complain }: Stage): number {
  const what = error instanceof Error ? error.message : String(error)
  complain(`internal error: ${what}`)
  return EXIT.bug
}

process.exitCode = await runProgram({ name: 'revbolt', widthMax: WIDTH_MAX, run, fail })
