/**
 * How much an archive keeps.
 *
 * What goes are whole stretches: the oldest base, with the segments that only it needs. So a base
 * must follow it, and is made early enough: when half of what a limit allows came since the newest
 * one.
 *
 *   base ── segments ── base ── segments ── (now)
 *   └ goes as one ────┘ └ at least half of what the limits allow
 *
 *   maxSegments  more are not kept, once a second base is there
 *   maxBytes     likewise, of bases and segments; not kept where it is below four times a base:
 *                else bases would be made for less log than they are long
 *   maxAgeMs     what lies that far back can be restored, and up to half as much again
 */

export interface ArchiveLimits {
  readonly maxBytes?: number | undefined
  readonly maxAgeMs?: number | undefined
  readonly maxSegments?: number | undefined
}

/** What is there. Both oldest first. */
export interface Archived {
  readonly bases: readonly {
    readonly txid: number
    readonly timeMs: number
    readonly sizeBytes: number
  }[]
  readonly segments: readonly { readonly firstTxid: number; readonly sizeBytes: number }[]
}

/** Whether the oldest base is to go, if another one follows it. */
export function isOver(limits: ArchiveLimits, archived: Archived, nowMs: number): boolean {
  const { maxBytes = Infinity, maxAgeMs = Infinity, maxSegments = Infinity } = limits
  const { bases, segments } = archived
  const [, second] = bases
  if (second === undefined) return false
  if (segments.length > maxSegments) return true
  if (bytesOf(bases) + bytesOf(segments) > maxBytes) return true
  return second.timeMs <= nowMs - maxAgeMs
}

/** Whether another base is to be made. */
export function isBaseDue(limits: ArchiveLimits, archived: Archived, nowMs: number): boolean {
  const { maxBytes = Infinity, maxAgeMs = Infinity, maxSegments = Infinity } = limits
  const newest = archived.bases.at(-1)
  if (newest === undefined) return true
  const since = archived.segments.filter(({ firstTxid }) => firstTxid > newest.txid)
  if (since.length === 0) return false
  if (since.length >= Math.max(1, Math.floor(maxSegments / 2))) return true
  const { sizeBytes } = newest
  if (bytesOf(since) >= Math.max(sizeBytes, maxBytes / 2 - sizeBytes)) return true
  return newest.timeMs <= nowMs - maxAgeMs / 2
}

function bytesOf(files: readonly { readonly sizeBytes: number }[]): number {
  let bytes = 0
  for (const { sizeBytes } of files) bytes += sizeBytes
  return bytes
}
