/**
 * Programs for the engine, as data: they shrink well, print short, and replay from a seed.
 *
 * A program says nothing about what exists. Its numbers are taken modulo what is there when it
 * runs, so that every program is legal and stays so when parts of it are left out.
 */

import fc from 'fast-check'

/** Number `n` names a key of the pool, or with `isKnown` the n-th key that the bucket has. */
export interface KeyChoice {
  readonly n: number
  readonly isKnown: boolean
  /** Bytes that make it longer: before the distinct part where negative, behind it else. */
  readonly pad: number
}

export type Order = 'up' | 'down' | 'mixed'

export type Move =
  | { readonly do: 'first' | 'last' | 'next' | 'prev' | 'delete' }
  | { readonly do: 'seek'; readonly key: KeyChoice }
  | { readonly do: 'put'; readonly key: KeyChoice; readonly size: number }
  | { readonly do: 'remove'; readonly key: KeyChoice }
  /** Deletes the entry that it stands on, past the cursor. */
  | { readonly do: 'remove-here' }
  /** Edits another bucket: of that the cursor must know nothing. */
  | { readonly do: 'put-elsewhere'; readonly key: KeyChoice; readonly size: number }
  | { readonly do: 'sweep'; readonly count: number; readonly isBackward: boolean }

/** One call, or one burst of alike calls, in bucket number `at` of those that exist. */
export type Edit =
  | { readonly op: 'put'; readonly at: number; readonly key: KeyChoice; readonly size: number }
  | { readonly op: 'delete'; readonly at: number; readonly key: KeyChoice }
  | {
      readonly op: 'fill'
      readonly at: number
      readonly from: number
      readonly count: number
      readonly order: Order
      readonly pad: number
      readonly size: number
    }
  | {
      readonly op: 'drain'
      readonly at: number
      readonly from: number
      readonly count: number
      readonly order: Order
    }
  /** Gives each `stride`-th value of a bucket another size. */
  | { readonly op: 'resize'; readonly at: number; readonly stride: number; readonly size: number }
  | {
      readonly op: 'create' | 'createIfNotExists' | 'deleteBucket'
      readonly at: number
      readonly name: KeyChoice
    }
  | {
      readonly op: 'move'
      readonly at: number
      readonly name: KeyChoice
      readonly to: number
      /** Keys put into the bucket before it moves, in the same transaction. */
      readonly before: number
    }
  | { readonly op: 'nextSequence'; readonly at: number }
  | { readonly op: 'setSequence'; readonly at: number; readonly value: bigint }
  | { readonly op: 'fillPercent'; readonly at: number; readonly percent: number }
  | { readonly op: 'walk'; readonly at: number; readonly moves: readonly Move[] }

export type Ending = 'update' | 'commit' | 'commitAsync' | 'rollback' | 'throw' | 'promise'

export type Step =
  | { readonly step: 'write'; readonly edits: readonly Edit[]; readonly ending: Ending }
  /** A cursor walk in a read transaction at the newest state. */
  | { readonly step: 'look'; readonly at: number; readonly moves: readonly Move[] }
  | { readonly step: 'openReader' }
  | { readonly step: 'closeReader'; readonly which: number }
  | {
      readonly step: 'reopen'
      readonly freelist: 'sync' | 'scan'
      readonly cachePages: number
      /** Looks at the generation before on the way. */
      readonly peeksPrevious: boolean
    }

export interface Program {
  readonly pageSizeBytes: number
  readonly freelist: 'sync' | 'scan'
  readonly cachePages: number
  readonly steps: readonly Step[]
}

/**
 * With sixteen, pages are dropped and read again and large transactions write some early; with
 * many, cursors and lookups go the short ways of a file that fits.
 */
const cachePages = fc.constantFrom(16, 8192)
const bucketNumber = fc.nat(30)
const order = fc.constantFrom<Order>('up', 'down', 'mixed')

/** Sizes at which pages of 1 KiB split, merge, overflow and take buckets inside. */
const valueSize = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 40 }) },
  { weight: 6, arbitrary: fc.integer({ min: 40, max: 300 }) },
  { weight: 3, arbitrary: fc.integer({ min: 300, max: 1100 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1100, max: 6000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 6000, max: 70000 }) },
)

const keyPad = fc.oneof(
  { weight: 20, arbitrary: fc.constant(0) },
  { weight: 4, arbitrary: fc.integer({ min: -60, max: 60 }) },
  { weight: 2, arbitrary: fc.integer({ min: -700, max: 700 }) },
  { weight: 1, arbitrary: fc.constantFrom(-32765, 32765, -5000, 5000) },
)

const key: fc.Arbitrary<KeyChoice> = fc.record({
  n: fc.nat(60),
  isKnown: fc.boolean(),
  pad: keyPad,
})

/** Few of them, so that they are met again. */
const name: fc.Arbitrary<KeyChoice> = fc.record({
  n: fc.nat(5),
  isKnown: fc.boolean(),
  pad: fc.oneof(
    { weight: 8, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -300, max: 300 }) },
  ),
})

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Move>({ do: 'first' }) },
  { weight: 2, arbitrary: fc.constant<Move>({ do: 'last' }) },
  { weight: 8, arbitrary: fc.constant<Move>({ do: 'next' }) },
  { weight: 8, arbitrary: fc.constant<Move>({ do: 'prev' }) },
  { weight: 4, arbitrary: fc.constant<Move>({ do: 'delete' }) },
  { weight: 1, arbitrary: fc.constant<Move>({ do: 'remove-here' }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('seek' as const), key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('put' as const), key, size: valueSize }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), key }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('put-elsewhere' as const), key, size: valueSize }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('sweep' as const),
      count: fc.integer({ min: 1, max: 80 }),
      isBackward: fc.boolean(),
    }),
  },
)

const moves = fc.array(move, { minLength: 1, maxLength: 25, size: 'max' })

const burst = {
  at: bucketNumber,
  from: fc.nat(400),
  count: fc.integer({ min: 1, max: 150 }),
  order,
}

export const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      op: fc.constant('put' as const),
      at: bucketNumber,
      key,
      size: valueSize,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ op: fc.constant('delete' as const), at: bucketNumber, key }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('fill' as const),
      ...burst,
      pad: fc.oneof(
        { weight: 4, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: -400, max: 400 }) },
      ),
      size: fc.oneof(fc.nat(30), fc.nat(300), valueSize),
    }),
  },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('drain' as const), ...burst }) },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('resize' as const),
      at: bucketNumber,
      stride: fc.integer({ min: 1, max: 9 }),
      size: valueSize,
    }),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      op: fc.constantFrom('create' as const, 'createIfNotExists' as const),
      at: bucketNumber,
      name,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('deleteBucket' as const), at: bucketNumber, name }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('move' as const),
      at: bucketNumber,
      name,
      to: bucketNumber,
      before: fc.oneof(fc.constant(0), fc.nat(30)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('nextSequence' as const), at: bucketNumber }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('setSequence' as const),
      at: bucketNumber,
      value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      op: fc.constant('fillPercent' as const),
      at: bucketNumber,
      percent: fc.constantFrom(0.1, 0.3, 0.9, 1),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('walk' as const),
      at: bucketNumber,
      moves,
    }),
  },
)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      step: fc.constant('write' as const),
      edits: fc.array(edit, { maxLength: 10, size: 'max' }),
      ending: fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom<Ending>('update', 'commit', 'commitAsync') },
        { weight: 2, arbitrary: fc.constantFrom<Ending>('rollback', 'throw', 'promise') },
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ step: fc.constant('look' as const), at: bucketNumber, moves }),
  },
  { weight: 3, arbitrary: fc.constant<Step>({ step: 'openReader' }) },
  {
    weight: 2,
    arbitrary: fc.record({ step: fc.constant('closeReader' as const), which: fc.nat(5) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      step: fc.constant('reopen' as const),
      freelist: fc.constantFrom('sync' as const, 'scan' as const),
      cachePages,
      peeksPrevious: fc.boolean(),
    }),
  },
)

/** Random programs; `pageSizes` by how often each is taken. */
export function programs(pageSizes: readonly number[], stepsMax: number): fc.Arbitrary<Program> {
  return fc.record({
    pageSizeBytes: fc.constantFrom(...pageSizes),
    freelist: fc.constantFrom('sync' as const, 'scan' as const),
    cachePages,
    steps: fc.array(step, { minLength: 1, maxLength: stepsMax, size: 'max' }),
  })
}

/**
 * Many small commits over few keys whose values take from no page to a dozen: free space in
 * crumbs, runs that must be found between them, pages used again and again while readers come and
 * go.
 */
export function churns(pageSizeBytes: number, stepsMax: number): fc.Arbitrary<Program> {
  const churnKey = fc.record({ n: fc.nat(60), isKnown: fc.constant(false), pad: fc.constant(0) })
  const size = fc.oneof(fc.nat(900), fc.nat(3 * pageSizeBytes), fc.nat(12 * pageSizeBytes))
  const crumb: fc.Arbitrary<Edit> = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        op: fc.constant('put' as const),
        at: fc.constant(0),
        key: churnKey,
        size,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        op: fc.constant('delete' as const),
        at: fc.constant(0),
        key: churnKey,
      }),
    },
  )
  const commit: fc.Arbitrary<Step> = fc.record({
    step: fc.constant('write' as const),
    edits: fc.array(crumb, { minLength: 1, maxLength: 4, size: 'max' }),
    ending: fc.constant<Ending>('update'),
  })
  const churnStep = fc.oneof(
    { weight: 30, arbitrary: commit },
    { weight: 2, arbitrary: fc.constant<Step>({ step: 'openReader' }) },
    {
      weight: 3,
      arbitrary: fc.record({ step: fc.constant('closeReader' as const), which: fc.nat(5) }),
    },
  )
  return fc.record({
    pageSizeBytes: fc.constant(pageSizeBytes),
    freelist: fc.constantFrom('sync' as const, 'scan' as const),
    cachePages,
    steps: fc.array(churnStep, { minLength: 1, maxLength: stepsMax, size: 'max' }),
  })
}
