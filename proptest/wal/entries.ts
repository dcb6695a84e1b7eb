/** Arbitrary entries of groups, and what a payload's array holds, as a serializer is given it. */
import fc from 'fast-check'
import type { LogEntry, LogOp } from '../../base/log-group.ts'

const bytes = fc.uint8Array({ maxLength: 400 })
const path = fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 3 })
const sequence = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const op: fc.Arbitrary<LogOp> = fc.oneof(
  fc.record({ op: fc.constant('put' as const), path, key: bytes, value: bytes }),
  fc.record({ op: fc.constant('delete' as const), path, key: bytes }),
  fc.record({ op: fc.constantFrom('createBucket', 'deleteBucket'), path, name: bytes }),
  fc.record({ op: fc.constant('moveBucket' as const), path, target: path, name: bytes }),
  fc.record({ op: fc.constant('setSequence' as const), path, sequence }),
)

export const anyEntry: fc.Arbitrary<LogEntry> = fc.record({
  revision: fc.maxSafeNat(),
  timeMs: fc.maxSafeNat(),
  ops: fc.array(op, { maxLength: 20 }),
})

type Item = number | Uint8Array

/** The items of the payload, as docs/wal-format.md lists them. */
export function itemsOf(entries: readonly LogEntry[]): Item[] {
  const items: Item[] = [entries.length]
  let before: string | undefined
  for (const { revision, timeMs, ops } of entries) {
    items.push(revision, timeMs, ops.length)
    for (const each of ops) {
      const name = each.path.map((part) => Buffer.from(part).toString('hex')).join('/')
      const shown = `${each.path.length}:${name}`
      if (shown !== before) items.push(0, each.path.length, ...each.path)
      before = shown
      items.push(...itemsOfOp(each))
    }
  }
  return items
}

function itemsOfOp(each: LogOp): Item[] {
  switch (each.op) {
    case 'put':
      return [1, each.key, each.value]
    case 'delete':
      return [2, each.key]
    case 'createBucket':
      return [3, each.name]
    case 'deleteBucket':
      return [4, each.name]
    case 'moveBucket':
      return [5, each.target.length, ...each.target, each.name]
    case 'setSequence':
      return [6, Number(each.sequence >> 32n), Number(each.sequence & 0xffffffffn)]
  }
}
