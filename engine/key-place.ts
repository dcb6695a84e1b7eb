/**
 * Where a key stands in a leaf that a point read has come to, if it stands there.
 *
 * `Page.search` finds out between which keys one is that is not there, and for that compares what
 * all keys of the page begin with. Who only wants the key itself may take that as given: the key
 * that is found is compared as a whole.
 */

import { ELEMENT_SIZE, PAGE_HEADER_SIZE } from './format.ts'
import { headOf } from './page.ts'
import type { Page } from './page.ts'

/** The element of a leaf whose key is `key`; negative where there is none. */
export function placeOfKey(leaf: Page, key: Uint8Array): number {
  if (leaf.headShift !== 0) return leaf.search(key)
  const { heads, headsAt, prefixSize } = leaf
  const end = headsAt + leaf.count
  const head = headOf(key, prefixSize, key.length)
  const first = heads[headsAt] as number
  const last = heads[end - 1] as number
  if (head < first || head > last) return -1
  // Where keys lie evenly, as revisions do, a guess is right.
  const share = last === first ? 0 : (head - first) / (last - first)
  let at = headsAt + Math.floor(share * (leaf.count - 1))
  if (heads[at] !== head) {
    at = headsAt
    for (let high = end; at < high;) {
      const middle = (at + high) >>> 1
      if ((heads[middle] as number) < head) at = middle + 1
      else high = middle
    }
    if (heads[at] !== head) return -1
  }
  const isAlone = (at === headsAt || heads[at - 1] !== head) && heads[at + 1] !== head
  if (!isAlone && leaf.count > 1) return leaf.search(key)
  const index = at - headsAt
  return isKey(leaf, index, key) ? index : -1
}

function isKey({ bytes, view, base }: Page, index: number, key: Uint8Array): boolean {
  const e = base + PAGE_HEADER_SIZE + index * ELEMENT_SIZE
  const start = e + view.getUint32(e + 4, true)
  if (view.getUint32(e + 8, true) !== key.length) return false
  // Keys differ in their last bytes sooner than in their first.
  for (let i = key.length - 1; i >= 0; i--) if (bytes[start + i] !== key[i]) return false
  return true
}
