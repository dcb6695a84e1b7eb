/**
 * Golden scripts: testdata/scripts/*.txt, run against every backend.
 *
 * A script says why on top, in lines that begin with `#`. Then come blocks, parted by an empty
 * line: the calls, `---`, and what came of them. `UPDATE_GOLDEN=1` has the model write the outcome
 * into the files anew; read the difference before you keep it.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { Backend, Opened } from './backend.ts'
import { withStore } from './backend.ts'
import { Interpreter } from './script-language.ts'

const DIRECTORY = new URL('../../testdata/scripts/', import.meta.url)
const isUpdating = process.env['UPDATE_GOLDEN'] === '1'

interface Block {
  readonly calls: readonly string[]
  readonly outcome: readonly string[]
}

interface Script {
  readonly why: readonly string[]
  readonly blocks: readonly Block[]
}

export function parseScript(text: string): Script {
  const [head = '', ...rest] = text.trimEnd().split(/\n{2,}/)
  const why = head.split('\n')
  if (!why.every((line) => line.startsWith('#'))) {
    throw new SyntaxError('a script begins with lines of # that say why, and an empty line')
  }
  const blocks = rest.map((block): Block => {
    const lines = block.split('\n')
    const at = lines.indexOf('---')
    if (at < 1) throw new SyntaxError(`a block without calls or without ---:\n${block}`)
    return { calls: lines.slice(0, at), outcome: lines.slice(at + 1) }
  })
  return { why, blocks }
}

export function formatScript(script: Script): string {
  const blocks = script.blocks.map(({ calls, outcome }) => [...calls, '---', ...outcome].join('\n'))
  return `${[script.why.join('\n'), ...blocks].join('\n\n')}\n`
}

/** The script with what comes of its calls now. */
async function play(script: Script, opened: Opened): Promise<Script> {
  const interpreter = new Interpreter(opened)
  const blocks: Block[] = []
  for (const { calls } of script.blocks) {
    const outcome: string[] = []
    for (const call of calls) outcome.push(...(await interpreter.run(call)))
    blocks.push({ calls, outcome })
  }
  return { why: script.why, blocks }
}

export function scriptCases(backend: Backend): void {
  const directory = fileURLToPath(DIRECTORY)
  const names = readdirSync(directory).filter((name) => name.endsWith('.txt'))
  describe('script', () => {
    test('there are some', () => {
      expect(names.length).toBeGreaterThan(0)
    })
    test.each(names.sort())('%s', async (name) => {
      const path = fileURLToPath(new URL(name, DIRECTORY))
      const text = readFileSync(path, 'utf8')
      await withStore(backend, async (_, opened) => {
        const played = formatScript(await play(parseScript(text), opened))
        const updates = isUpdating && backend.writesGolden === true
        if (updates) writeFileSync(path, played)
        expect(played).toBe(updates ? played : text)
      })
    })
  })
}
