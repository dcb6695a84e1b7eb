/** Events of a watch, and where it has caught up. */
import type { WatchEvent, WatchOptions } from '../../index.ts'
import type { Db } from './command.ts'

export type StoreEvent = WatchEvent<Uint8Array, Uint8Array>

export function revisionOf(event: StoreEvent): number {
  return event.type === 'put' ? event.kv.modRevision : event.modRevision
}

export function keyOf(event: StoreEvent): Uint8Array {
  return event.type === 'put' ? event.kv.key : event.key
}

/** The events of the history so far, from a revision on; then it ends. */
export async function* pastEvents(
  db: Db,
  options: Omit<WatchOptions, 'encoding'> & { readonly startRevision: number },
): AsyncGenerator<StoreEvent, void, void> {
  const { revision: end } = await db.status()
  if (options.startRevision > end) return
  const watch = db.watch({ ...options, progress: true })
  for await (const { events, revision } of watch) {
    for (const event of events) {
      if (revisionOf(event) > end) return
      yield event
    }
    if (revision >= end) return
  }
}
