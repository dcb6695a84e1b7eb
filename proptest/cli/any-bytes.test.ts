/**
 * Any bytes go through the command line unchanged: as hex and base64 arguments, through standard
 * input, and out again as JSON and as lines; and no line disturbs a terminal.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseBytes, showBytes } from '../../cli/store/bytes.ts'
import { jsonLines, storeIn } from '../bolt/run-bolt.ts'
import { effort, seed } from '../effort.ts'

let directory = ''

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'revbolt-test-'))
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** Text and no text, with what a terminal minds. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => new TextEncoder().encode(text)),
  fc
    .array(fc.constantFrom('\n', '"', '\\', ' ', '0x', '\u001b', '\u202e', 'é', '\u{1f600}', '= '))
    .map((parts) => new TextEncoder().encode(parts.join(''))),
)
const key = bytes.filter(({ length }) => length > 0)
const format = fc.constantFrom('hex', 'base64')
const encoding = { hex: 'hex', base64: 'base64' } as const

test('put, then get --json gives back any bytes', async () => {
  const property = fc.asyncProperty(key, bytes, format, fc.boolean(), async (k, v, f, isTyped) => {
    const [keyWord, valueWord] = [k, v].map((each) => Buffer.from(each).toString(encoding[f]))
    const value = isTyped ? [valueWord ?? ''] : []
    const put = ['put', `--${f}`, keyWord ?? '', ...value]
    expect((await storeIn(directory, put, { input: v })).code).toBe(0)
    const got = await storeIn(directory, ['get', '--json', `--${f}`, keyWord ?? ''])
    const [result] = jsonLines(got)
    const kv = result?.['kvs'][0]
    expect([kv.key[f], kv.value[f]]).toEqual([keyWord, valueWord])
    const text: unknown = kv.value.text
    if (typeof text === 'string') expect(Buffer.from(text).equals(Buffer.from(v))).toBe(true)
    // A line begins with the key, so nothing of it can be taken for an option's output.
    const line = await storeIn(directory, ['get', `--${f}`, keyWord ?? ''])
    expect(line.stdout).toBe(`${keyWord} = ${valueWord}\n`)
  })
  // What is no text, through standard input, is tried in the shortest run, too.
  const noText = Uint8Array.of(0x61, 0xff, 0xfe)
  await fc.assert(property, {
    seed,
    numRuns: effort({ smoke: 10, ci: 300, soak: 5000 }),
    examples: [[noText, noText, 'hex', false]],
  })
})

test('what is shown as text says which bytes it is, on one line, and disturbs no terminal', () => {
  const property = fc.property(bytes, (v) => {
    const shown = showBytes(v, 'text')
    expect(shown).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
    expect(Buffer.from(readShown(shown)).equals(Buffer.from(v))).toBe(true)
  })
  fc.assert(property, { seed, numRuns: effort({ smoke: 2000, ci: 50_000, soak: 1_000_000 }) })
})

/** What a person reads: quoted text, hex, or text as it is. */
function readShown(shown: string): Uint8Array {
  if (shown.startsWith('"')) {
    const text: unknown = JSON.parse(shown)
    return Buffer.from(String(text))
  }
  return parseBytes(shown, shown.startsWith('0x') ? 'hex' : 'text')
}
