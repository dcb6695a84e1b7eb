/**
 * Those who wait for the log to go on.
 */

export class Waiters {
  #waiting: Set<() => void> = new Set()

  /** Resolves at the next `wake()`; rejects with `signal.reason`. */
  async wait(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(end)
        signal?.removeEventListener('abort', end)
        if (signal?.aborted === true) reject(signal.reason)
        else resolve()
      }
      this.#waiting.add(end)
      signal?.addEventListener('abort', end)
    })
  }

  wake(): void {
    for (const end of [...this.#waiting]) end()
  }
}
