/** Standard input, read whole. */
import { UsageError } from '../arguments.ts'
import type { StoreSetting } from './command.ts'

/**
 * @param what is read, for messages
 * @throws {UsageError} where there is none
 */
export async function readAll(setting: StoreSetting, what: string): Promise<Uint8Array> {
  const { complaints, signal } = setting
  const input = setting.input?.()
  if (input === undefined) throw new UsageError(`${what} is missing`)
  if (input.isTTY === true) {
    complaints.print(complaints.style('dim', `${what} comes from the terminal; Ctrl-D ends it`))
  }
  const chunks: Uint8Array[] = []
  const stop = (): void => void input.destroy()
  signal.addEventListener('abort', stop, { once: true })
  try {
    for await (const chunk of input) chunks.push(Buffer.from(chunk))
  } finally {
    signal.removeEventListener('abort', stop)
  }
  signal.throwIfAborted()
  return Buffer.concat(chunks)
}
