/**
 * Which keys began to exist or ended lately, newest last: what turns a count of the keys that exist
 * now into one of those that existed at a revision not long ago.
 *
 *   changes    {main 7: a created} {main 9: b deleted} {main 9: c created}
 *   floor 5    all changes after revision 5 are here
 *
 * Readers lag behind the head by what is being written to the disk, or by their own age.
 */

/** Changes kept, at most, once they can't be undone any more. */
const KEPT_MAX = 8192
/** Those further back than so many changes count for themselves. */
const LOOKED_AT_MAX = 1024

export class LiveChanges {
  #mains: number[] = []
  #records: number[] = []
  #floor = 0

  note(main: number, record: number): void {
    this.#mains.push(main)
    this.#records.push(record)
  }

  /** Takes back the last one. */
  undo(): void {
    this.#mains.pop()
    this.#records.pop()
  }

  /** Drops old ones where there are many. None of those kept may be undone later. */
  trim(): void {
    const dropped = this.#mains.length - KEPT_MAX / 2
    if (dropped < KEPT_MAX / 2) return
    this.#floor = this.#mains[dropped - 1] ?? this.#floor
    this.#mains.splice(0, dropped)
    this.#records.splice(0, dropped)
  }

  /** Drops all; what is after `main` is noted from now on. */
  reset(main: number): void {
    this.#mains = []
    this.#records = []
    this.#floor = main
  }

  /** The records of keys that changed after a revision; undefined where it is too far back. */
  after(main: number): ReadonlySet<number> | undefined {
    if (main < this.#floor) return undefined
    const records = new Set<number>()
    for (let i = this.#mains.length - 1; i >= 0; i--) {
      if ((this.#mains[i] ?? 0) <= main) break
      if (this.#mains.length - i > LOOKED_AT_MAX) return undefined
      records.add(this.#records[i] ?? 0)
    }
    return records
  }
}
