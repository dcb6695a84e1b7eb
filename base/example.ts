/**
 * Keeps one object of a short-lived kind alive.
 *
 * V8 holds the hidden class of an object weakly. When a full collection finds no object of a kind
 * that lives for one commit only, because nobody commits at that moment, it throws away the hidden
 * class, and with it all compiled code that was made for it: the next thousand commits take twice
 * as long (docs/decisions/0011). An object that is kept prevents that.
 *
 * It keeps what the object refers to, too: whoever keeps one looks at how much that is, and is
 * itself no longer alive than that may be.
 */
export class Example<T extends object> {
  #kept: T | undefined

  /** The one kept, for tests. */
  get kept(): T | undefined {
    return this.#kept
  }

  /** Takes the place of the one kept before: kinds change while a program runs. */
  keep(object: T): void {
    this.#kept = object
  }
}
