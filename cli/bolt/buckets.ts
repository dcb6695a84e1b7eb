/** `revbolt bolt buckets`: the tree of buckets. */
import type { Bucket } from '../../engine/index.ts'
import { alignRows, formatCount, plural } from '../format.ts'
import { mustFindBucket } from './bucket-path.ts'
import type { Call, Command, Setting } from './command.ts'
import { EXIT } from './command.ts'
import { withEngine } from './opening.ts'
import { printJson } from './output.ts'
import { nameOf } from './surveying.ts'
import type { JsonBytes } from './value-format.ts'
import { KEY_FORMAT_OPTION, jsonBytes, readKeys } from './value-format.ts'

/** A bucket in the tree, in the order in which it is shown. */
interface Shown {
  readonly name: Uint8Array
  readonly depth: number
  /** Entries that are values. */
  readonly keys: number
  readonly sequence: bigint
  readonly isInline: boolean
}

interface JsonBucket {
  readonly name: JsonBytes
  readonly keys: number
  /** Decimal digits. */
  readonly sequence: string
  readonly isInline: boolean
  readonly buckets: JsonBucket[]
}

/** Buckets within buckets, as deep as they may be shown. */
const DEPTH_MAX = 200
/** A stop is heard only when the event loop turns. */
const BUCKETS_PER_TURN = 64

async function run(call: Call, setting: Setting): Promise<number> {
  const path = readKeys(call, call.positionals.slice(1))
  const { screen, signal } = setting
  return withEngine(call, setting, async (engine) => {
    const tx = await engine.begin()
    try {
      const top = mustFindBucket(tx, path)
      const name = path.at(-1)
      const first: Pending[] =
        name === undefined ? [...pendingIn(top, 0)] : [{ name, bucket: top, depth: 0 }]
      const shown: Shown[] = []
      for (const bucket of walk(first)) {
        shown.push(bucket)
        if (shown.length % BUCKETS_PER_TURN !== 0) continue
        await new Promise((resolve) => setImmediate(resolve))
        signal.throwIfAborted()
      }
      if (call.isJson) printJson(screen, { path: path.map(jsonBytes), buckets: nest(shown) })
      else printTree(shown, setting)
      await screen.catchUp(signal)
    } finally {
      tx.rollback()
    }
    return EXIT.ok
  })
}

interface Pending {
  readonly name: Uint8Array
  readonly bucket: Bucket
  readonly depth: number
}

function* pendingIn(bucket: Bucket, depth: number): Generator<Pending, void, void> {
  for (const name of bucket.bucketNames()) {
    const inner = bucket.bucket(name)
    if (inner !== undefined) yield { name, bucket: inner, depth }
  }
}

/** Depth first, in key order. */
function* walk(first: readonly Pending[]): Generator<Shown, void, void> {
  const stack = [...first].reverse()
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { name, bucket, depth } = next
    let keys = 0
    for (const { value } of bucket.entries()) if (value !== undefined) keys++
    const isInline = bucket.tree.inlinePage !== undefined
    yield { name, depth, keys, sequence: bucket.sequence, isInline }
    if (depth < DEPTH_MAX) stack.push(...[...pendingIn(bucket, depth + 1)].reverse())
  }
}

function printTree(shown: readonly Shown[], { screen }: Setting): void {
  if (shown.length === 0) {
    screen.print('There are no buckets.')
    return
  }
  const rows = shown.map(({ name, depth, keys, sequence, isInline }) => [
    `${'  '.repeat(depth)}${nameOf(name)}`,
    formatCount(keys),
    keys === 1 ? 'key' : 'keys',
    [sequence === 0n ? '' : `sequence ${sequence}`, isInline ? 'inline' : '']
      .filter((word) => word !== '')
      .join(', '),
  ])
  const aligned = alignRows(rows, ['left', 'right', 'left', 'left'])
  for (const line of aligned) screen.print(line.trimEnd())
  const keys = shown.reduce((sum, bucket) => sum + bucket.keys, 0)
  screen.print(screen.style('dim', `${plural(shown.length, 'bucket')}, ${plural(keys, 'key')}`))
}

function nest(shown: readonly Shown[]): readonly JsonBucket[] {
  const top: JsonBucket[] = []
  const open: JsonBucket[] = []
  for (const { name, depth, keys, sequence, isInline } of shown) {
    const node = {
      name: jsonBytes(name),
      keys,
      sequence: sequence.toString(),
      isInline,
      buckets: [],
    }
    const outer = depth === 0 ? top : (open[depth - 1]?.buckets ?? top)
    outer.push(node)
    open[depth] = node
  }
  return top
}

export const buckets: Command = {
  name: 'buckets',
  positionals: 'FILE [BUCKET…]',
  counts: [1, Infinity],
  summary: 'the tree of buckets, with how many keys each has',
  details:
    'Shows all buckets, or those below the one that is named. "inline": it has no page of its ' +
    'own and stands in its parent’s.',
  options: { 'key-format': KEY_FORMAT_OPTION },
  run,
}
