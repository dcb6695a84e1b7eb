/** `revbolt bolt stats`: what each bucket is made of, in bbolt's own terms. */
import type { BucketStats, Engine } from '../../engine/index.ts'
import { formatBytes, formatCount } from '../format.ts'
import { mustFindBucket } from './bucket-path.ts'
import type { Call, Command, Setting } from './command.ts'
import { EXIT } from './command.ts'
import { withEngine } from './opening.ts'
import { heading, labelled, percent, printJson, table } from './output.ts'
import { nameOf } from './surveying.ts'
import { KEY_FORMAT_OPTION, jsonBytes, readKeys } from './value-format.ts'

interface Named {
  readonly name: Uint8Array
  readonly stats: BucketStats
}

async function run(call: Call, setting: Setting): Promise<number> {
  const path = readKeys(call, call.positionals.slice(1))
  return withEngine(call, setting, async (engine) => {
    const found = await readStats(engine, path, setting)
    const total = found.map(({ stats }) => stats).reduce(sum, NOTHING)
    if (call.isJson) {
      const buckets = found.map(({ name, stats }) => ({ name: jsonBytes(name), ...stats }))
      printJson(setting.screen, { path: path.map(jsonBytes), buckets, total })
    } else {
      printStats(found, total, setting)
    }
    return EXIT.ok
  })
}

/** Of the bucket that is named, or of all at the top. */
async function readStats(
  engine: Engine,
  path: readonly Uint8Array[],
  { signal }: Setting,
): Promise<readonly Named[]> {
  const tx = await engine.begin()
  try {
    const name = path.at(-1)
    if (name !== undefined) return [{ name, stats: mustFindBucket(tx, path).stats() }]
    const found: Named[] = []
    for (const top of [...tx.bucketNames()]) {
      found.push({ name: top, stats: mustFindBucket(tx, [top]).stats() })
      await new Promise((resolve) => setImmediate(resolve))
      signal.throwIfAborted()
    }
    return found
  } finally {
    tx.rollback()
  }
}

const NOTHING: BucketStats = {
  branchPages: 0,
  branchOverflowPages: 0,
  leafPages: 0,
  leafOverflowPages: 0,
  keys: 0,
  depth: 0,
  branchAllocBytes: 0,
  branchInuseBytes: 0,
  leafAllocBytes: 0,
  leafInuseBytes: 0,
  buckets: 0,
  inlineBuckets: 0,
  inlineInuseBytes: 0,
}

function sum(a: BucketStats, b: BucketStats): BucketStats {
  return {
    branchPages: a.branchPages + b.branchPages,
    branchOverflowPages: a.branchOverflowPages + b.branchOverflowPages,
    leafPages: a.leafPages + b.leafPages,
    leafOverflowPages: a.leafOverflowPages + b.leafOverflowPages,
    keys: a.keys + b.keys,
    depth: Math.max(a.depth, b.depth),
    branchAllocBytes: a.branchAllocBytes + b.branchAllocBytes,
    branchInuseBytes: a.branchInuseBytes + b.branchInuseBytes,
    leafAllocBytes: a.leafAllocBytes + b.leafAllocBytes,
    leafInuseBytes: a.leafInuseBytes + b.leafInuseBytes,
    buckets: a.buckets + b.buckets,
    inlineBuckets: a.inlineBuckets + b.inlineBuckets,
    inlineInuseBytes: a.inlineInuseBytes + b.inlineInuseBytes,
  }
}

function printStats(found: readonly Named[], total: BucketStats, { screen }: Setting): void {
  const left = (title: string) => ({ title, align: 'left' }) as const
  const right = (title: string) => ({ title, align: 'right' }) as const
  const columns = [
    left('BUCKET'),
    ...['KEYS', 'BUCKETS', 'BRANCH', 'LEAF', 'OVERFLOW', 'DEPTH', 'SIZE', 'IN USE'].map(right),
  ]
  table(
    screen,
    columns,
    found.map(({ name, stats }) => [nameOf(name), ...cells(stats)]),
  )
  heading(screen, 'Together')
  const { branchAllocBytes, branchInuseBytes, leafAllocBytes, leafInuseBytes } = total
  labelled(screen, [
    [
      'branch pages',
      `${formatCount(total.branchPages)} and ${formatCount(total.branchOverflowPages)} overflow: ` +
        `${formatBytes(branchAllocBytes)}, ${formatBytes(branchInuseBytes)} in use ` +
        `(${percent(branchInuseBytes, branchAllocBytes)})`,
    ],
    [
      'leaf pages',
      `${formatCount(total.leafPages)} and ${formatCount(total.leafOverflowPages)} overflow: ` +
        `${formatBytes(leafAllocBytes)}, ${formatBytes(leafInuseBytes)} in use ` +
        `(${percent(leafInuseBytes, leafAllocBytes)})`,
    ],
    ['entries', `${formatCount(total.keys)}, buckets among them`],
    [
      'buckets',
      `${formatCount(total.buckets)}; ${formatCount(total.inlineBuckets)} of them inline, ` +
        `with ${formatBytes(total.inlineInuseBytes)} inside leaf pages`,
    ],
    ['depth', `${total.depth} levels of pages at most`],
  ])
}

function cells(stats: BucketStats): readonly string[] {
  const alloc = stats.branchAllocBytes + stats.leafAllocBytes
  const inuse = stats.branchInuseBytes + stats.leafInuseBytes
  const overflow = stats.branchOverflowPages + stats.leafOverflowPages
  const isInline = alloc === 0
  return [
    formatCount(stats.keys),
    formatCount(stats.buckets),
    formatCount(stats.branchPages),
    formatCount(stats.leafPages),
    formatCount(overflow),
    String(stats.depth),
    isInline ? 'inline' : formatBytes(alloc),
    isInline ? formatBytes(stats.inlineInuseBytes) : percent(inuse, alloc),
  ]
}

export const stats: Command = {
  name: 'stats',
  positionals: 'FILE [BUCKET…]',
  counts: [1, Infinity],
  summary: 'branch and leaf pages, depth and fill of each bucket, as bbolt counts them',
  details:
    'A row a top-level bucket, or the one that is named; the buckets inside count with it. KEYS ' +
    'are entries, buckets among them; BUCKETS counts the bucket itself, too.',
  options: { 'key-format': KEY_FORMAT_OPTION },
  run,
}
