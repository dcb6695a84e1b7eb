/** How long each of many calls took. */

export interface Latency {
  readonly count: number
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
}

/** Keeps times in µs; room for them is taken ahead, so that noting one allocates nothing. */
export class Latencies {
  #times = new Float64Array(1 << 16)
  #count = 0

  get count(): number {
    return this.#count
  }

  note(us: number): void {
    if (this.#count === this.#times.length) {
      const wider = new Float64Array(2 * this.#count)
      wider.set(this.#times)
      this.#times = wider
    }
    this.#times[this.#count] = us
    this.#count += 1
  }

  /** All zero where nothing was noted. */
  summarize(): Latency {
    const sorted = this.#times.slice(0, this.#count).sort()
    const count = sorted.length
    return {
      count,
      p50Us: sorted[count >> 1] ?? 0,
      p99Us: sorted[Math.floor(count * 0.99)] ?? 0,
      maxUs: sorted[count - 1] ?? 0,
    }
  }
}
