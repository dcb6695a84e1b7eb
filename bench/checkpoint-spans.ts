/**
 * When checkpoints ran, told from outside: by the changes of the data file.
 *
 * A checkpoint begins before it changes the file: it collects what is to be written, at once, and
 * waits until the log has its record. It ends after the last change: segments of the log are
 * removed. So each has a margin on either side. What is within a margin and had nothing to do with
 * the checkpoint is counted, too; the other way round the longest pause could be missed.
 */

import type { Span } from './spans.ts'

/** Between two changes of the data file within one checkpoint, at most, in ms. */
const PAUSE_MS = 250
/** Longer than the log takes over a record, in ms. */
const MARGIN_MS = 100

export class CheckpointSpans {
  readonly #changes: { readonly begun: number; ended: number }[] = []

  /** The data file was changed, or is about to be. */
  changed(now: number): void {
    const last = this.#changes.at(-1)
    if (last !== undefined && now - last.ended <= PAUSE_MS) last.ended = now
    else this.#changes.push({ begun: now, ended: now })
  }

  /** How many are over. */
  doneCount(now: number): number {
    const last = this.#changes.at(-1)
    const isRunning = last !== undefined && now - last.ended <= PAUSE_MS
    return this.#changes.length - (isRunning ? 1 : 0)
  }

  /** From the first to the last change of each, in ms, together. */
  get changingMs(): number {
    return this.#changes.reduce((sum, { begun, ended }) => sum + ended - begun, 0)
  }

  /** Whether it falls, if only in part, into a checkpoint or its margins. */
  overlap({ begun, ended }: Span): boolean {
    return this.#changes.some(
      (one) => begun <= one.ended + MARGIN_MS && ended >= one.begun - MARGIN_MS,
    )
  }
}
