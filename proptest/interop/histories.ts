/**
 * Random histories of a file: fast-check draws moves ("delete a third of some bucket"), which a
 * planner turns into edits of the content at hand. Moves stay sensible when a failing history is
 * shrunk, since they name nothing that must exist.
 *
 * Sizes are drawn around what decides: a quarter page (inline or not), a page (split or not),
 * several pages (overflow).
 */

import fc from 'fast-check'
import type { Edit, Transaction } from './edits.ts'
import { editModel } from './edits.ts'
import type { BucketModel } from './model.ts'

const DEPTH_MAX = 6
const SEQUENCE_MAX = 2n ** 64n - 1n

const KEY_STYLES = ['random', 'counter', 'prefix', 'long'] as const
const VALUE_STYLES = ['tiny', 'small', 'quarter', 'page', 'overflow'] as const
const DELETE_STYLES = ['scattered', 'front', 'back', 'middle'] as const

type KeyStyle = (typeof KEY_STYLES)[number]
type ValueStyle = (typeof VALUE_STYLES)[number]
type DeleteStyle = (typeof DELETE_STYLES)[number]

/** At most so many puts of a style in a move, so that no style outgrows the file. */
const PUTS_MAX: { readonly [S in ValueStyle]: number } = {
  tiny: 150,
  small: 80,
  quarter: 8,
  page: 5,
  overflow: 2,
}

/** `bucket`, `parent` and `target` are picked modulo how many there are. */
export type Move =
  | {
      readonly move: 'puts'
      readonly bucket: number
      readonly percent: number
      readonly keys: KeyStyle
      readonly values: ValueStyle
      readonly seed: number
    }
  | {
      readonly move: 'overwrites'
      readonly bucket: number
      readonly percent: number
      readonly values: ValueStyle
      readonly seed: number
    }
  | {
      readonly move: 'deletes'
      readonly bucket: number
      readonly percent: number
      readonly style: DeleteStyle
      readonly seed: number
    }
  | { readonly move: 'createBucket'; readonly parent: number; readonly seed: number }
  | { readonly move: 'deleteBucket'; readonly bucket: number }
  | { readonly move: 'moveBucket'; readonly bucket: number; readonly target: number }
  | { readonly move: 'setSequence'; readonly bucket: number; readonly value: bigint }
  | { readonly move: 'nextSequence'; readonly bucket: number }
  | { readonly move: 'fillPercent'; readonly bucket: number; readonly percent: number }

/** The moves of one transaction. */
export interface PlannedTransaction {
  readonly moves: readonly Move[]
  readonly isRolledBack: boolean
}

/** What a history may hold: bbolt 1.3.6 can't move buckets. */
export interface HistoryOptions {
  readonly isMoving: boolean
  readonly transactionsMax: number
}

function moves(isMoving: boolean): fc.Arbitrary<Move> {
  const bucket = fc.nat(1000)
  const percent = fc.integer({ min: 1, max: 100 })
  const seed = fc.nat(0x7fffffff)
  const values = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom<ValueStyle>('tiny', 'small') },
    { weight: 3, arbitrary: fc.constantFrom<ValueStyle>('quarter', 'page', 'overflow') },
  )
  const keys = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom<KeyStyle>('random', 'counter', 'prefix') },
    { weight: 1, arbitrary: fc.constant<KeyStyle>('long') },
  )
  const style = fc.constantFrom(...DELETE_STYLES)
  const move = <N extends Move['move']>(name: N): fc.Arbitrary<N> => fc.constant(name)
  const always: fc.WeightedArbitrary<Move>[] = [
    {
      weight: 8,
      arbitrary: fc.record({ move: move('puts'), bucket, percent, keys, values, seed }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ move: move('overwrites'), bucket, percent, values, seed }),
    },
    { weight: 5, arbitrary: fc.record({ move: move('deletes'), bucket, percent, style, seed }) },
    { weight: 3, arbitrary: fc.record({ move: move('createBucket'), parent: bucket, seed }) },
    { weight: 1, arbitrary: fc.record({ move: move('deleteBucket'), bucket }) },
    {
      weight: 1,
      arbitrary: fc.record({
        move: move('setSequence'),
        bucket,
        value: fc.bigInt({ min: 0n, max: 2n ** 64n - 2n }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ move: move('nextSequence'), bucket }) },
    { weight: 1, arbitrary: fc.record({ move: move('fillPercent'), bucket, percent }) },
  ]
  const moving: fc.WeightedArbitrary<Move> = {
    weight: 2,
    arbitrary: fc.record({ move: move('moveBucket'), bucket, target: bucket }),
  }
  return fc.oneof(...always, ...(isMoving ? [moving] : []))
}

/** Histories of one to `transactionsMax` transactions. */
export function histories(options: HistoryOptions): fc.Arbitrary<PlannedTransaction[]> {
  const transaction = fc.record({
    moves: fc.array(moves(options.isMoving), { minLength: 1, maxLength: 6 }),
    isRolledBack: fc.nat(9).map((n) => n === 9),
  })
  return fc.array(transaction, { minLength: 1, maxLength: options.transactionsMax })
}

/** Chance out of a seed (mulberry32): the same numbers for the same seed. */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** A whole number in `[0, bound)`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound)
  }

  /** Bytes as hex: all by chance when few, else a short run by chance again and again. */
  hex(size: number): string {
    const run = Buffer.alloc(Math.min(size, 61))
    for (let i = 0; i < run.length; i++) run[i] = this.below(256)
    if (size <= run.length) return run.toString('hex')
    return Buffer.alloc(size, run).toString('hex')
  }
}

/**
 * Turns moves into edits, and keeps the content that the file must then have.
 */
export class Planner {
  readonly #pageSize: number
  #model: BucketModel
  #working: BucketModel
  #edits: Edit[] = []
  #counter = 0

  /** `model` is what the file holds now; it is changed. */
  constructor(pageSize: number, model: BucketModel) {
    this.#pageSize = pageSize
    this.#model = model
    this.#working = model
  }

  /** What the file must hold when all that was planned has been carried out. */
  get model(): BucketModel {
    return this.#model
  }

  /** Plans a history. */
  plan(history: readonly PlannedTransaction[]): Transaction[] {
    return history.map(({ moves, isRolledBack }) => {
      this.#edits = []
      this.#working = isRolledBack ? this.#model.clone() : this.#model
      for (const move of moves) this.#move(move)
      return { edits: this.#edits, end: isRolledBack ? 'rollback' : 'commit' }
    })
  }

  /** Follows what was changed elsewhere, by edits that the model has not seen. */
  follow(edits: readonly Edit[]): void {
    for (const edit of edits) editModel(this.#model, edit)
  }

  #do(edit: Edit): void {
    editModel(this.#working, edit)
    this.#edits.push(edit)
  }

  #pick(number: number): readonly string[] {
    const paths = this.#working.paths()
    if (paths.length === 0) {
      this.#create([], new Chance(number))
      return this.#pick(number)
    }
    return paths[number % paths.length] ?? []
  }

  #create(parent: readonly string[], chance: Chance): void {
    const size = chance.below(12) === 0 ? 100 + chance.below(400) : 8 + chance.below(24)
    const name = chance.hex(size)
    if (this.#working.at(parent).entries.has(name)) return
    this.#do({ op: 'createBucket', path: [...parent, name] })
  }

  #move(move: Move): void {
    switch (move.move) {
      case 'puts':
        return this.#puts(move)
      case 'overwrites':
        return this.#overwrites(move)
      case 'deletes':
        return this.#deletes(move)
      case 'createBucket': {
        const parents = [[], ...this.#working.paths()].filter((path) => path.length < DEPTH_MAX)
        return this.#create(parents[move.parent % parents.length] ?? [], new Chance(move.seed))
      }
      case 'deleteBucket':
        return this.#do({ op: 'deleteBucket', path: this.#pick(move.bucket) })
      case 'moveBucket':
        return this.#moveBucket(this.#pick(move.bucket), move.target)
      case 'setSequence': {
        const path = this.#pick(move.bucket)
        return this.#do({ op: 'setSequence', path, sequence: move.value.toString() })
      }
      case 'nextSequence': {
        const path = this.#pick(move.bucket)
        // bbolt starts again at 0 after the last one, our engine refuses.
        if (this.#working.at(path).sequence === SEQUENCE_MAX) return
        return this.#do({ op: 'nextSequence', path })
      }
      case 'fillPercent': {
        const fill = Math.max(0.1, move.percent / 100)
        return this.#do({ op: 'fillPercent', path: this.#pick(move.bucket), fill })
      }
    }
  }

  #puts(move: Extract<Move, { move: 'puts' }>): void {
    const path = this.#pick(move.bucket)
    const chance = new Chance(move.seed)
    const max = move.keys === 'long' ? Math.min(6, PUTS_MAX[move.values]) : PUTS_MAX[move.values]
    const prefix = chance.hex(20 + chance.below(this.#pageSize / 6))
    for (let i = Math.ceil((max * move.percent) / 100); i > 0; i--) {
      const key = this.#key(move.keys, prefix, chance)
      if (this.#working.at(path).bucket(key) !== undefined) continue
      this.#do({ op: 'put', path, key, value: this.#value(move.values, chance) })
    }
  }

  #overwrites(move: Extract<Move, { move: 'overwrites' }>): void {
    const path = this.#pick(move.bucket)
    const chance = new Chance(move.seed)
    let left = PUTS_MAX[move.values]
    for (const key of this.#working.at(path).valueKeys()) {
      if (left === 0) return
      if (chance.below(100) >= move.percent) continue
      left--
      this.#do({ op: 'put', path, key, value: this.#value(move.values, chance) })
    }
  }

  #deletes(move: Extract<Move, { move: 'deletes' }>): void {
    const path = this.#pick(move.bucket)
    const chance = new Chance(move.seed)
    const keys = this.#working.at(path).valueKeys()
    const count = Math.ceil((keys.length * move.percent) / 100)
    const firsts = { front: 0, back: keys.length - count, middle: (keys.length - count) >> 1 }
    const first = move.style === 'scattered' ? 0 : firsts[move.style]
    for (const [i, key] of keys.entries()) {
      const isChosen =
        move.style === 'scattered'
          ? chance.below(100) < move.percent
          : i >= first && i < first + count
      if (isChosen) this.#do({ op: 'delete', path, key })
    }
    // A key that is not there: deleting it changes nothing.
    this.#do({ op: 'delete', path, key: chance.hex(7) })
  }

  #moveBucket(path: readonly string[], targetNumber: number): void {
    const name = path.at(-1) ?? ''
    const targets = [[], ...this.#working.paths()].filter(
      (target) =>
        target.length < DEPTH_MAX &&
        // Not where it is, not into itself, not where the name is taken.
        target.join('/') !== path.slice(0, -1).join('/') &&
        target.slice(0, path.length).join('/') !== path.join('/') &&
        !this.#working.at(target).entries.has(name),
    )
    const target = targets[targetNumber % targets.length]
    if (target !== undefined) this.#do({ op: 'moveBucket', path, target })
  }

  #key(style: KeyStyle, prefix: string, chance: Chance): string {
    switch (style) {
      case 'random':
        return chance.hex(1 + chance.below(24))
      case 'counter':
        this.#counter++
        return `${this.#counter.toString(16).padStart(16, '0')}5f`
      case 'prefix':
        return prefix + chance.hex(1 + chance.below(4))
      case 'long':
        return chance.hex(
          chance.below(8) === 0 ? 32768 : 200 + (chance.below(2 * this.#pageSize) % 32000),
        )
    }
  }

  #value(style: ValueStyle, chance: Chance): string {
    const page = this.#pageSize
    switch (style) {
      case 'tiny':
        return chance.hex(chance.below(9))
      case 'small':
        return chance.hex(chance.below(100))
      case 'quarter':
        return chance.hex((page >> 2) - 60 + chance.below(64))
      case 'page':
        return chance.hex(page - 60 + chance.below(64))
      case 'overflow':
        return chance.hex(page * (1 + chance.below(5)) + chance.below(page))
    }
  }
}
