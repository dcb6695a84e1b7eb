/** A process that is asked one thing, answers with a line of JSON, and ends. */

import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('.', import.meta.url))

export type Program = readonly string[]

/** A script of this folder, run by Node. */
export function nodeProgram(script: string): Program {
  return [process.execPath, '--expose-gc', '--import', 'tsx', script]
}

/** Throws where the process fails, or answers with an error. `what` names it then. */
export async function askOnce<Command, Answer extends { readonly error?: string }>(
  program: Program,
  command: Command,
  what: string,
): Promise<Answer> {
  const [file = '', ...words] = program
  const environment = { ...process.env }
  delete environment['KV_VERIFY']
  const child = spawn(file, words, {
    cwd: FOLDER,
    env: environment,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? `exit status ${code}`))
  })
  child.stdin.on('error', () => undefined)
  child.stdin.end(`${JSON.stringify(command)}\n`)
  const [end, output] = await Promise.all([ended, text(child.stdout)])
  const [line = ''] = output.split('\n')
  if (line === '') throw new Error(`${what}: its process gave no answer (${end})`)
  const answer = JSON.parse(line) as Answer
  if (answer.error !== undefined) throw new Error(`${what}: ${answer.error}`)
  return answer
}
