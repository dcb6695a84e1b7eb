/**
 * The engine's smallest parts, each as a function to call over and over: micro.ts times them.
 *
 * The page is a real one: a leaf of random 16-byte keys and 100-byte values, packed and sealed.
 */

import type * as bytesModule from '../base/bytes.ts'
import { Random } from '../base/random.ts'
import type * as framesModule from '../engine/frames.ts'
import type * as freelistModule from '../engine/freelist-page.ts'
import type * as nodeModule from '../engine/node.ts'
import type * as pageModule from '../engine/page.ts'
import type * as pageSetModule from '../engine/page-set.ts'
import type * as sealModule from '../engine/seal.ts'
import { KEY_SIZE, makeValues } from './dataset.ts'
import { loadBuilt } from './library.ts'

export interface MicroCase {
  readonly name: string
  /** How often one run does it: a clock can't see a single call of the small ones. */
  readonly calls: number
  readonly run: () => unknown
}

const PAGE_SIZE = 4096
/** Entries that fit a page of the default size, seal included. */
const ENTRIES = 30
const FREE_IDS = 10_000
const TARGETS = 1024

const bytesRoom = await loadBuilt<typeof bytesModule>('base/bytes.js')
const freelistRoom = await loadBuilt<typeof freelistModule>('engine/freelist-page.js')
const framesRoom = await loadBuilt<typeof framesModule>('engine/frames.js')
const nodeRoom = await loadBuilt<typeof nodeModule>('engine/node.js')
const pageRoom = await loadBuilt<typeof pageModule>('engine/page.js')
const pageSetRoom = await loadBuilt<typeof pageSetModule>('engine/page-set.js')
const sealRoom = await loadBuilt<typeof sealModule>('engine/seal.js')

const random = new Random(1)
const values = makeValues()

function sortedKeys(): Uint8Array[] {
  const keys = Array.from({ length: ENTRIES }, () => random.fill(new Uint8Array(KEY_SIZE)))
  return keys.toSorted((a, b) => Buffer.compare(a, b))
}

const editor = new nodeRoom.NodeEditor(new framesRoom.Frames(PAGE_SIZE), true)

function leafOf(keys: readonly Uint8Array[]): pageModule.Page {
  const node = editor.make(true)
  keys.forEach((key, i) => editor.insertLeaf(node, i, key, values[i] ?? key))
  editor.place(node, 5, 1)
  editor.seal(node)
  return node
}

function freeIds(): pageSetModule.PageSet {
  const ids = new pageSetRoom.PageSet()
  for (let i = 0; i < FREE_IDS; i++) ids.add(2 + i * 3)
  return ids
}

/** One run for all targets, so that no branch is learnt by heart. */
function forTargets(
  name: string,
  targets: readonly Uint8Array[],
  call: (target: Uint8Array) => number,
): MicroCase {
  const run = (): number => {
    let sum = 0
    for (const target of targets) sum += call(target)
    return sum
  }
  return { name, calls: targets.length, run }
}

export function microCases(): MicroCase[] {
  const keys = sortedKeys()
  const node = leafOf(keys)
  const image = node.bytes.slice(node.base, node.base + PAGE_SIZE)
  const page = leafOf(keys)
  editor.settle(page)
  const copied = new pageRoom.Page(5, image, 0, PAGE_SIZE)
  const targets = Array.from({ length: TARGETS }, () => random.pick(keys).slice())
  const unsealed = image.slice()
  const view = new DataView(unsealed.buffer)
  const contentEnd = page.contentEnd()
  const ids = freeIds()
  const runPages = freelistRoom.freelistPages(FREE_IDS, PAGE_SIZE)
  const freelistRun = new Uint8Array(runPages * PAGE_SIZE)
  const { compareRange } = bytesRoom
  const start = page.keyStart(ENTRIES >> 1)
  return [
    forTargets('compareRange, 16-byte keys', targets, (target) =>
      compareRange(image, start, start + KEY_SIZE, target, 0, KEY_SIZE),
    ),
    forTargets(`search in a page of ${ENTRIES}`, targets, (target) => page.search(target)),
    forTargets(`search without heads`, targets, (target) => copied.search(target)),
    { name: 'page to node', calls: 1, run: () => editor.free(editor.fromPage(page)) },
    {
      name: 'an entry taken out and put in again',
      calls: 1,
      run: () => {
        editor.remove(node, ENTRIES >> 1)
        editor.insertLeaf(node, ENTRIES >> 1, keys[ENTRIES >> 1] ?? image, values[0] ?? image)
      },
    },
    { name: 'node to sealed page', calls: 1, run: () => editor.seal(node) },
    {
      name: 'seal of a page, its CRC-32',
      calls: 1,
      run: () => sealRoom.sealRun(unsealed, view, 0, contentEnd, PAGE_SIZE),
    },
    {
      name: `freelist of ${FREE_IDS} ids, encode`,
      calls: 1,
      run: () => freelistRoom.encodeFreelistPage(freelistRun, 9, ids, PAGE_SIZE),
    },
  ]
}
