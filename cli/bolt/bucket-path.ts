/** Finds the bucket that an argument names, and says what is there where it is not. */
import type { Bucket, Tx } from '../../engine/index.ts'
import { EXIT } from './command.ts'
import { nearest } from './call.ts'
import { Failure } from './failure.ts'
import { bucketName, nameOf } from './surveying.ts'
import { textOf } from './value-format.ts'

const NAMES_SHOWN = 8

/**
 * The bucket that a path leads to; the root for an empty one.
 * @throws {Failure} where there is none
 */
export function mustFindBucket(tx: Tx, path: readonly Uint8Array[]): Bucket {
  let bucket = tx.root
  path.forEach((name, depth) => {
    const inner = bucket.bucket(name)
    if (inner === undefined) throw noBucket(bucket, path.slice(0, depth + 1))
    bucket = inner
  })
  return bucket
}

function noBucket(outer: Bucket, path: readonly Uint8Array[]): Failure {
  const name = path.at(-1) ?? new Uint8Array()
  const where = path.length === 1 ? '' : ` in ${bucketName(path.slice(0, -1))}`
  if (outer.get(name) !== undefined) {
    const message = `${nameOf(name)}${where} is a key with a value, not a bucket`
    return new Failure(EXIT.found, message, { hints: ['`get` shows it'] })
  }
  const known = namesIn(outer)
  const texts = known.flatMap((each) => textOf(each) ?? [])
  const near = nearest(textOf(name) ?? '', texts)
  const more = known.length > NAMES_SHOWN ? ', …' : ''
  const list = known.slice(0, NAMES_SHOWN).map(nameOf).join(', ')
  const hints = [
    ...(near === undefined ? [] : [`did you mean ${near}?`]),
    known.length === 0 ? 'there are no buckets there' : `there are: ${list}${more}`,
  ]
  return new Failure(EXIT.found, `there is no bucket ${nameOf(name)}${where}`, { hints })
}

const NAMES_MAX = 1000

function namesIn(bucket: Bucket): readonly Uint8Array[] {
  const names: Uint8Array[] = []
  for (const name of bucket.bucketNames()) {
    names.push(name)
    if (names.length === NAMES_MAX) break
  }
  return names
}
