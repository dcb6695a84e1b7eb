/**
 * Whether a history of concurrent calls could have been one of calls made one after the other.
 *
 * Each call took effect at one moment between when it was made and when it was answered; a call
 * whose answer nobody knows may have taken effect at any moment until it could no longer, or never.
 * The search goes through the orders that these times allow and gives up a path where an answer
 * can't have been given. Paths that have the same calls behind them and the same state go on alike,
 * so one of them is enough.
 *
 * Sources: Wing and Gong, "Testing and verifying concurrent objects" (1993); Lowe, "Testing for
 * linearizability" (2017).
 */

/** A call, and what came of it. */
export interface Operation<Call, Answer> {
  readonly call: Call
  /** Undefined: nobody knows. */
  readonly answer: Answer | undefined
  /** When it was made and answered, in any unit; no two of these times are the same. */
  readonly calledAt: number
  /** Without an answer: since when it can't take effect any more, or Infinity. */
  readonly answeredAt: number
}

/** What calls do, one after the other. States are never changed. */
export interface Specification<State, Call, Answer> {
  readonly initial: State
  /**
   * The state after a call. Undefined where it can't have been answered so, or, without an answer,
   * where it would have changed nothing.
   */
  step(state: State, call: Call, answer: Answer | undefined): State | undefined
  /** Equal where states are. */
  keyOf(state: State): string
}

export interface Linearization<State> {
  /** The operations that took effect, by their place in the history, in that order. */
  readonly order: readonly number[]
  /** What they come to. */
  readonly state: State
}

export interface Refutation {
  /** The longest order found. */
  readonly order: readonly number[]
  /** One that can't follow it, by its place in the history. */
  readonly stuckAt: number
}

export type Verdict<State> = Linearization<State> | Refutation

/** A history that took more steps than allowed. */
export class SearchLimitError extends Error {
  override readonly name: string = 'SearchLimitError'
}

const STEPS_MAX = 1_000_000

/** An end of an operation, in a list from which operations are lifted and put back. */
interface End {
  readonly operation: number
  readonly isCall: boolean
  before: End | undefined
  after: End | undefined
  /** The same operation's other end, where it has one. */
  other: End | undefined
}

/**
 * Finds an order, or that there is none.
 * @throws {SearchLimitError}
 */
export function linearize<State, Call, Answer>(
  specification: Specification<State, Call, Answer>,
  operations: readonly Operation<Call, Answer>[],
): Verdict<State> {
  const search = new Search(specification, operations)
  return search.run()
}

class Search<State, Call, Answer> {
  readonly #specification: Specification<State, Call, Answer>
  readonly #operations: readonly Operation<Call, Answer>[]
  readonly #head: End
  /** Operations lifted out, with the state before each: at their call, or undone at their end. */
  readonly #path: { readonly end: End; readonly state: State }[] = []
  readonly #taken: Uint8Array
  readonly #met = new Set<string>()
  /** Answered operations that are still in the list. */
  #answeredLeft = 0
  #best: readonly number[] = []
  #stuckAt = -1

  constructor(
    specification: Specification<State, Call, Answer>,
    operations: readonly Operation<Call, Answer>[],
  ) {
    this.#specification = specification
    this.#operations = operations
    this.#taken = new Uint8Array(Math.ceil(operations.length / 8))
    this.#head = blankEnd(-1, false)
    this.#link()
  }

  run(): Verdict<State> {
    let state = this.#specification.initial
    let end = this.#head.after
    for (let steps = 0; this.#answeredLeft > 0; steps++) {
      if (steps > STEPS_MAX) throw new SearchLimitError(`no verdict after ${steps} steps`)
      if (end?.isCall === true) {
        const after = this.#stepTo(state, end)
        if (after === undefined) {
          end = end.after
          continue
        }
        this.#path.push({ end, state })
        this.#lift(end)
        state = after
        end = this.#head.after
        continue
      }
      if (end !== undefined && !this.#isAnswered(end)) {
        // What follows was called when it could no longer take effect: so it never did.
        const call = end.other
        if (call !== undefined && this.#take(end.operation, state)) {
          this.#path.push({ end, state })
          this.#lift(call)
          end = this.#head.after
          continue
        }
      } else if (end !== undefined) {
        // It was answered before anything else could follow.
        this.#note(end.operation)
      }
      const last = this.#path.pop()
      if (last === undefined) return { order: this.#best, stuckAt: this.#stuckAt }
      state = last.state
      end = this.#putBack(last.end)
    }
    return { order: this.#order(), state }
  }

  #isAnswered({ operation }: End): boolean {
    return this.#operations[operation]?.answer !== undefined
  }

  /** The operations of the path that took effect. */
  #order(): readonly number[] {
    return this.#path.filter(({ end }) => end.isCall).map(({ end }) => end.operation)
  }

  #link(): void {
    const ends: { readonly end: End; readonly at: number }[] = []
    for (const [i, { calledAt, answeredAt }] of this.#operations.entries()) {
      const call = blankEnd(i, true)
      ends.push({ end: call, at: calledAt })
      if (answeredAt === Infinity) continue
      const over = blankEnd(i, false)
      call.other = over
      over.other = call
      ends.push({ end: over, at: answeredAt })
      if (this.#isAnswered(call)) this.#answeredLeft++
    }
    ends.sort((a, b) => a.at - b.at)
    let last = this.#head
    for (const { end } of ends) {
      last.after = end
      end.before = last
      last = end
    }
  }

  /** The state where the operation takes effect now; undefined where it can't, or was tried. */
  #stepTo(state: State, { operation }: End): State | undefined {
    const one = this.#operations[operation]
    if (one === undefined) return undefined
    const after = this.#specification.step(state, one.call, one.answer)
    return after !== undefined && this.#take(operation, after) ? after : undefined
  }

  /** Whether having the operation behind, in that state, is new; it is behind then. */
  #take(operation: number, after: State): boolean {
    this.#flip(operation)
    const key = `${Buffer.from(this.#taken).toString('latin1')} ${this.#specification.keyOf(after)}`
    if (!this.#met.has(key)) {
      this.#met.add(key)
      return true
    }
    this.#flip(operation)
    return false
  }

  #flip(operation: number): void {
    const byte = operation >>> 3
    this.#taken[byte] = (this.#taken[byte] ?? 0) ^ (1 << (operation & 7))
  }

  #lift(call: End): void {
    unlink(call)
    if (call.other === undefined) return
    unlink(call.other)
    if (this.#isAnswered(call)) this.#answeredLeft--
  }

  /** Returns where to go on; undefined where that was the last that could be tried there. */
  #putBack(end: End): End | undefined {
    const call = end.isCall ? end : end.other
    if (call === undefined) return undefined
    this.#flip(call.operation)
    if (call.other !== undefined) {
      relink(call.other)
      if (this.#isAnswered(call)) this.#answeredLeft++
    }
    relink(call)
    return end.isCall ? end.after : undefined
  }

  #note(operation: number): void {
    if (this.#stuckAt !== -1 && this.#path.length <= this.#best.length) return
    this.#best = this.#order()
    this.#stuckAt = operation
  }
}

function blankEnd(operation: number, isCall: boolean): End {
  return { operation, isCall, before: undefined, after: undefined, other: undefined }
}

function unlink(end: End): void {
  if (end.before !== undefined) end.before.after = end.after
  if (end.after !== undefined) end.after.before = end.before
}

/** It still knows its neighbours: what is put back comes in the opposite order. */
function relink(end: End): void {
  if (end.before !== undefined) end.before.after = end
  if (end.after !== undefined) end.after.before = end
}
