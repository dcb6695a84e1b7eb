/** A benchmark process and the conversation with it: a command a line, an answer a line. */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type Interface, createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { buildProgram } from './go-build.ts'
import type { Answer, Command, SideName } from './protocol.ts'
import type { SideOptions } from './sides/side.ts'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))

export class Child {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>
  readonly #reader: Interface

  constructor(program: string, arguments_: readonly string[]) {
    const environment = { ...process.env }
    delete environment['KV_VERIFY']
    this.#process = spawn(program, arguments_, {
      cwd: FOLDER,
      env: environment,
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#reader = createInterface({ input: this.#process.stdout })
    this.#lines = this.#reader[Symbol.asyncIterator]()
  }

  async ask(command: Command): Promise<Answer> {
    this.#process.stdin.write(`${JSON.stringify(command)}\n`)
    const line = await this.#lines.next()
    if (line.done === true) throw new Error(`${command.side} ${command.op}: its process ended`)
    const answer = JSON.parse(line.value) as Answer
    if (answer.error !== undefined) throw new Error(`${command.side}: ${answer.error}`)
    return answer
  }

  async end(): Promise<void> {
    const ended = once(this.#process, 'close')
    this.#process.stdin.end()
    await ended
  }

  [Symbol.dispose](): void {
    this.#process.kill()
  }
}

/** Starts the process that hosts a side. Sides in Node may share one. */
export function startChild(side: SideName, options: SideOptions): Child {
  if (side === 'bbolt') return new Child(buildProgram(), [])
  return new Child(process.execPath, [
    '--expose-gc',
    '--import',
    'tsx',
    'worker.ts',
    JSON.stringify(options),
  ])
}
