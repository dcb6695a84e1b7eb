/**
 * A signpost: what a point read needs to know of a branch, in one short list of numbers.
 *
 *   0  count        children
 *   1  words        how many words all keys begin with in common: four bytes each
 *   2  the words, then for each child: its key's head, the frame that it stands in (0: unknown)
 *
 * A search in the page itself touches its object, its elements, its first key, the heads and the
 * frames: a dozen cache lines, most of them cold on a large tree. Here it is two or three: where
 * keys lie evenly, as revisions do, the place is guessed, and the guess is right or nearly so.
 *
 * Words and heads are four bytes of a key, zeros behind its end, as a signed number in the order of
 * the bytes. So of two keys that differ in one the order is known; where a key's head equals that
 * of a child the signpost does not know, and the page must be searched.
 */

import type { Page } from './page.ts'
import { headOf } from './page.ts'

const COUNT = 0
const WORDS = 1
const FIRST = 2
/** More that keys share stays in the page. */
const WORDS_MAX = 16
/** Children passed one by one from the guess on before what is left is halved. */
const STEPS_MAX = 4
/** The signpost does not know. */
export const UNKNOWN = -1

/** The signpost of a branch; no frame is known yet. */
export function makeSignpost(branch: Page): Int32Array {
  const { bytes, count } = branch
  const last = count - 1
  const shared = sharedBytes(branch, 0, last)
  const words = Math.min(shared >>> 2, WORDS_MAX)
  const post = new Int32Array(FIRST + words + 2 * count)
  post[COUNT] = count
  post[WORDS] = words
  for (let i = 0; i < words; i++) {
    const at = branch.keyStart(0) + 4 * i
    post[FIRST + i] = headOf(bytes, at, at + 4)
  }
  for (let i = 0; i < count; i++) {
    const start = branch.keyStart(i)
    post[FIRST + words + 2 * i] = headOf(bytes, start + 4 * words, start + branch.keySize(i))
  }
  return post
}

/** Where a signpost has the frame of child `index`. */
export function frameAt(post: Int32Array, index: number): number {
  return FIRST + (post[WORDS] as number) + 2 * index + 1
}

/** The child in which `key` is, if it is anywhere; `UNKNOWN` where the page must be asked. */
export function childBySignpost(post: Int32Array, key: Uint8Array): number {
  const count = post[COUNT] as number
  const words = post[WORDS] as number
  for (let i = 0; i < words; i++) {
    const word = headOf(key, 4 * i, key.length)
    const own = post[FIRST + i] as number
    if (word !== own) return word < own ? 0 : count - 1
  }
  const heads = FIRST + words
  const head = headOf(key, 4 * words, key.length)
  const first = post[heads] as number
  const last = post[heads + 2 * (count - 1)] as number
  if (head <= first) return head < first ? 0 : UNKNOWN
  if (head >= last) return head > last ? count - 1 : UNKNOWN
  const guess = Math.floor(((head - first) / (last - first)) * (count - 1))
  return searchFrom(post, heads, head, guess)
}

/** The last child with a smaller head, where the next one's is larger. */
function searchFrom(post: Int32Array, heads: number, head: number, guess: number): number {
  // The first head is smaller, the last one larger.
  let low = 0
  let high = (post[COUNT] as number) - 1
  let at = guess
  for (let steps = 0; high - low > 1; steps++) {
    if (steps > STEPS_MAX) at = (low + high) >>> 1
    const other = post[heads + 2 * at] as number
    if (other === head) return UNKNOWN
    if (other < head) low = at++
    else high = at--
  }
  return low
}

function sharedBytes(branch: Page, index: number, other: number): number {
  const { bytes } = branch
  const a = branch.keyStart(index)
  const b = branch.keyStart(other)
  const size = Math.min(branch.keySize(index), branch.keySize(other))
  let shared = 0
  while (shared < size && bytes[a + shared] === bytes[b + shared]) shared++
  return shared
}
