/**
 * How far a long job has come: on a terminal a bar that redraws itself, elsewhere a plain line
 * now and then.
 */
import { fit, formatCount, formatSeconds } from './format.ts'
import type { Screen } from './screen.ts'

const REDRAW_MS = 100
const LINE_MS = 2000
/** Plain lines come at tenths of the way, so that a long run prints ten at most. */
const LINE_SHARE = 0.1
const BAR_WIDTH_MAX = 24
const BAR_WIDTH_MIN = 8
/** Columns that the numbers beside the bar may take. */
const FACTS_WIDTH = 52
/** The rate is that of the last seconds, so that the estimate follows what is going on. */
const RATE_WINDOW_MS = 5000

interface Sample {
  readonly ms: number
  readonly done: number
}

export class Progress {
  readonly #screen: Screen
  readonly #total: number
  readonly #noun: string
  readonly #now: () => number
  readonly #samples: Sample[]
  #drawnMs: number
  #drawnShare = 0
  #isDrawn = false

  constructor(screen: Screen, options: { total: number; noun: string; now: () => number }) {
    this.#screen = screen
    this.#total = options.total
    this.#noun = options.noun
    this.#now = options.now
    this.#drawnMs = options.now()
    this.#samples = [{ ms: this.#drawnMs, done: 0 }]
  }

  /** Tells how many are done by now. Cheap enough for each one. */
  update(done: number): void {
    const ms = this.#now()
    const share = this.#total === 0 ? 1 : done / this.#total
    if (this.#screen.isTerminal) {
      if (ms - this.#drawnMs < REDRAW_MS) return
      this.#sample({ ms, done })
      this.#screen.overwrite(this.#bar(share, done))
      this.#isDrawn = true
    } else {
      if (ms - this.#drawnMs < LINE_MS || share - this.#drawnShare < LINE_SHARE || share >= 1)
        return
      this.#sample({ ms, done })
      this.#screen.print(`  ${this.#facts(share, done)}`)
    }
    this.#drawnMs = ms
    this.#drawnShare = share
  }

  /** Takes the bar off the terminal. */
  clear(): void {
    if (this.#isDrawn) this.#screen.overwrite('')
    this.#isDrawn = false
  }

  #sample(sample: Sample): void {
    this.#samples.push(sample)
    while (this.#samples.length > 2 && sample.ms - (this.#samples[1]?.ms ?? 0) > RATE_WINDOW_MS) {
      this.#samples.shift()
    }
  }

  #bar(share: number, done: number): string {
    const room = this.#screen.width - FACTS_WIDTH
    const width = Math.max(BAR_WIDTH_MIN, Math.min(room, BAR_WIDTH_MAX))
    const filled = Math.round(Math.min(share, 1) * width)
    const bar = '█'.repeat(filled) + this.#screen.style('dim', '░'.repeat(width - filled))
    return `  ${bar} ${fit(this.#facts(share, done), this.#screen.width - width - 3)}`
  }

  #facts(share: number, done: number): string {
    const percent = `${Math.floor(share * 100)} %`.padStart(5)
    const [first, last] = [this.#samples[0], this.#samples.at(-1)]
    const ms = (last?.ms ?? 0) - (first?.ms ?? 0)
    const rate = ms === 0 ? 0 : (((last?.done ?? 0) - (first?.done ?? 0)) / ms) * 1000
    const count = `${formatCount(done)} ${this.#noun}, ${formatCount(rate)}/s`
    if (rate === 0) return `${percent}  ${count}`
    return `${percent}  ${count}, ${formatSeconds((this.#total - done) / rate)} left`
  }
}
