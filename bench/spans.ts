/**
 * Spans of time, in ms as `performance.now()` counts. Kept in room that doubles: an object for each
 * would give the garbage collector work in the very process whose pauses are measured.
 */

export interface Span {
  readonly begun: number
  readonly ended: number
}

export class Spans {
  #times = new Float64Array(1 << 16)
  #count = 0

  get count(): number {
    return this.#count
  }

  note(begun: number, ended: number): void {
    const at = 2 * this.#count
    if (at === this.#times.length) {
      const wider = new Float64Array(2 * at)
      wider.set(this.#times)
      this.#times = wider
    }
    this.#times[at] = begun
    this.#times[at + 1] = ended
    this.#count += 1
  }

  *[Symbol.iterator](): Generator<Span, void, void> {
    for (let i = 0; i < this.#count; i++) {
      yield { begun: this.#times[2 * i] ?? 0, ended: this.#times[2 * i + 1] ?? 0 }
    }
  }
}
