/**
 * What changed between two texts, line by line: Myers' greedy algorithm ("An O(ND) Difference
 * Algorithm and Its Variations", 1986), which finds the fewest deletes and inserts.
 */

/** A line that was kept, deleted from the old text, or inserted from the new one. */
export interface DiffLine {
  readonly kind: ' ' | '-' | '+'
  readonly text: string
  /** Line number in the new text, or the old one for a deleted line; from 1. */
  readonly number: number
}

/** Texts that differ in more lines than this are told as all of one, then all of the other. */
const EDITS_MAX = 2000

export function diffLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  const shared = Math.min(before.length, after.length)
  let head = 0
  while (head < shared && before[head] === after[head]) head++
  let tail = 0
  while (tail < shared - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++
  const olds = before.slice(head, before.length - tail)
  const news = after.slice(head, after.length - tail)
  const keptBefore = after.slice(0, head).map((text, index) => kept(text, index + 1))
  const keptAfter = after
    .slice(after.length - tail)
    .map((text, index) => kept(text, after.length - tail + index + 1))
  return [...keptBefore, ...editScript(olds, news, head), ...keptAfter]
}

function kept(text: string, number: number): DiffLine {
  return { kind: ' ', text, number }
}

/** `trace[d]` is, for each diagonal k = x - y in -d…d, the furthest x that d edits reach. */
function furthestReaches(
  olds: readonly string[],
  news: readonly string[],
): Int32Array[] | undefined {
  const trace: Int32Array[] = []
  for (let edits = 0; edits <= Math.min(EDITS_MAX, olds.length + news.length); edits++) {
    const reach = new Int32Array(2 * edits + 1)
    const last = trace.at(-1)
    for (let k = -edits; k <= edits; k += 2) {
      let x = last === undefined ? 0 : startOf(last, edits, k)
      while (x < olds.length && x - k < news.length && olds[x] === news[x - k]) x++
      reach[k + edits] = x
      if (x >= olds.length && x - k >= news.length) return [...trace, reach]
    }
    trace.push(reach)
  }
  return undefined
}

function comesFromAbove(last: Int32Array, edits: number, k: number): boolean {
  const left = last[k - 1 + edits - 1] ?? -1
  const above = last[k + 1 + edits - 1] ?? -1
  return k === -edits || (k !== edits && left < above)
}

/** Where the path on diagonal k begins its run, after its one insert (from above) or delete. */
function startOf(last: Int32Array, edits: number, k: number): number {
  const isInsert = comesFromAbove(last, edits, k)
  return isInsert ? (last[k + 1 + edits - 1] ?? 0) : (last[k - 1 + edits - 1] ?? 0) + 1
}

function editScript(olds: readonly string[], news: readonly string[], head: number): DiffLine[] {
  const deleted = (x: number): DiffLine => ({
    kind: '-',
    text: olds[x] ?? '',
    number: head + x + 1,
  })
  const inserted = (y: number): DiffLine => ({
    kind: '+',
    text: news[y] ?? '',
    number: head + y + 1,
  })
  const trace = furthestReaches(olds, news)
  if (trace === undefined) {
    return [...olds.map((_, x) => deleted(x)), ...news.map((_, y) => inserted(y))]
  }
  const script: DiffLine[] = []
  let x = olds.length
  let y = news.length
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const last = trace[edits - 1]
    const k = x - y
    const start = last === undefined ? 0 : startOf(last, edits, k)
    while (x > start) {
      x--
      y--
      script.push(kept(news[y] ?? '', head + y + 1))
    }
    if (last === undefined) break
    if (comesFromAbove(last, edits, k)) script.push(inserted(--y))
    else script.push(deleted(--x))
  }
  return script.reverse()
}
