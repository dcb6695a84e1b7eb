/**
 * A benchmark process: it hosts sides in Node and runs one command a line, as protocol.ts says.
 * Started by run.ts with the sides' options, JSON, as its only argument.
 */

import { createInterface } from 'node:readline'
import { makeValues, readKeys } from './dataset.ts'
import type { Answer, Command, KeySlice, SideName } from './protocol.ts'
import type { Side, SideModule, SideOptions } from './sides/side.ts'

const options = JSON.parse(process.argv[2] ?? '{}') as SideOptions
const values = makeValues()
const openSides = new Map<string, Side>()
let keysOf: KeySlice | undefined
let keys: readonly Buffer[] = []

/** The packages of peers are loaded only where they are measured. */
async function makeSide(name: SideName): Promise<Side> {
  const folder = name === 'revbolt' || name === 'disk' ? 'sides' : 'sides/peers'
  const url = new URL(`./${folder}/${name}.ts`, import.meta.url)
  const { make } = (await import(url.href)) as SideModule
  return make(options)
}

function takeKeys(wanted: KeySlice | undefined): void {
  if (wanted === undefined || JSON.stringify(wanted) === JSON.stringify(keysOf)) return
  keys = readKeys(wanted)
  keysOf = wanted
}

/** Runs with a heap that the other sides' garbage does not burden. */
async function timed(work: () => Promise<number> | number): Promise<Answer> {
  globalThis.gc?.()
  const start = process.hrtime.bigint()
  const checksum = await work()
  return { ns: Number(process.hrtime.bigint() - start), checksum }
}

async function load(command: Command): Promise<Answer> {
  const side = await makeSide(command.side)
  await side.open(command.path, command.writable)
  try {
    const batch = command.batch ?? keys.length
    const { ns } = await timed(async () => {
      await side.load({ keys, values, batch })
      return 0
    })
    const checksum = await side.scan?.()
    return checksum === undefined ? { ns } : { ns, checksum }
  } finally {
    await side.close()
  }
}

async function openTimes(command: Command): Promise<Answer> {
  const side = await makeSide(command.side)
  return timed(async () => {
    let sum = 0
    for (let i = 0; i < (command.times ?? 1); i++) {
      await side.open(command.path, command.writable)
      sum += side.readLent?.(keys) ?? 0
      await side.close()
    }
    return sum
  })
}

async function openSide(command: Command): Promise<Side> {
  const name = `${command.side} ${command.path}`
  const known = openSides.get(name)
  if (known !== undefined) return known
  const side = await makeSide(command.side)
  await side.open(command.path, command.writable)
  openSides.set(name, side)
  return side
}

function runReads(side: Side, command: Command): Promise<number> | number | undefined {
  switch (command.op) {
    case 'read-lent':
      return side.readLent?.(keys)
    case 'read-owned':
      return side.readOwned?.(keys)
    case 'scan':
      return side.scan?.()
    case 'scan-bare':
      return side.scanBare?.()
    case 'seek':
      return side.seek?.(keys, command.steps ?? 0)
    default:
      return undefined
  }
}

async function run(command: Command): Promise<Answer> {
  if (command.op === 'close') {
    for (const side of openSides.values()) await side.close()
    openSides.clear()
    return { ns: 0 }
  }
  takeKeys(command.keys)
  if (command.op === 'load') return load(command)
  if (command.op === 'open') return openTimes(command)
  const side = await openSide(command)
  return timed(async () => {
    let sum = 0
    for (let i = 0; i < (command.times ?? 1); i++) {
      const checksum = await runReads(side, command)
      if (checksum === undefined) throw new Error(`${command.side} has no operation ${command.op}`)
      sum += checksum
    }
    return sum
  })
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer: Answer
  try {
    answer = await run(JSON.parse(line) as Command)
  } catch (error) {
    answer = {
      ns: 0,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
