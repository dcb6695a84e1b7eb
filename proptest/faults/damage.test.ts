import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import { isKvError, openEngine } from '../../engine/index.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { Forgery } from './crafted.ts'
import { flipped, layoutsOf, readDamaged } from './damage.ts'
import type { RunLayout, Verdict } from './damage.ts'
import { SAMPLE_PAGE_SIZE, SAMPLE_PATH, makeSample } from './sample.ts'
import type { Sample } from './sample.ts'

/** Reads as one handle that writes and one that doesn't; both must come to an end that is known. */
async function verdictsOf(bytes: Uint8Array, sample: Sample): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const readOnly of [true, false]) {
    verdicts.push((await readDamaged(bytes, sample, readOnly)).verdict)
  }
  return verdicts
}

let sample: Sample
let layouts: RunLayout[]
/** Bytes that the high-water mark covers. */
let usedSize: number

beforeAll(async () => {
  sample = await makeSample('sync')
  layouts = layoutsOf(sample.bytes, SAMPLE_PAGE_SIZE)
  const forgery = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE)
  const mark = forgery.newestSlot() * SAMPLE_PAGE_SIZE + 16 + 40
  usedSize = Number(forgery.view.getBigUint64(mark, true)) * SAMPLE_PAGE_SIZE
})

/** What a u32 is when one of its bytes is changed. */
function changedU32(bytes: Uint8Array, at: number, offset: number, xor: number): number {
  return new DataView(flipped(bytes, offset, xor).buffer).getUint32(at, true)
}

/**
 * Whether a flip may go unseen in a page that carries what seal fits its tail:
 *   - a key or value byte of a page whose tail has no room for a checksum;
 *   - a size of the last element that grows by exactly the tail, so that no tail is left.
 */
function maySilence(bytes: Uint8Array, offset: number, xor: number): boolean {
  const run = layouts.find(({ start, end }) => offset >= start && offset < end)
  if (run === undefined) return false
  const tail = run.end - run.contentEnd
  if (offset >= run.contentStart && offset < run.contentEnd) return tail < 8
  const sizes = run.isLeaf ? [run.lastSizeAt - 4, run.lastSizeAt] : [run.lastSizeAt]
  const view = new DataView(bytes.buffer)
  return sizes.some((at) => {
    if (offset < at || offset >= at + 4) return false
    return changedU32(bytes, at, offset, xor) - view.getUint32(at, true) === tail
  })
}

describe('a file of ours', () => {
  test('the sample has pages with a checksum, with each short tail, and with none', () => {
    const tails = layouts.map((run) => run.end - run.contentEnd)
    expect(tails).toEqual(expect.arrayContaining([0, 1, 3, 7, 8, 12]))
    expect(tails.filter((tail) => tail >= 8).length).toBeGreaterThan(15)
    expect(layouts.filter((run) => !run.isLeaf).length).toBeGreaterThan(1)
    expect(layouts.some((run) => run.end - run.start > SAMPLE_PAGE_SIZE)).toBe(true)
  })

  test('a changed byte is seen, save where the file says that it can not be', async () => {
    const random = new Random(seed >>> 0)
    const unseen: string[] = []
    const counts = { refused: 0, right: 0, fallback: 0, silent: 0 }
    const cases = effort({ smoke: 600, ci: 8000, soak: 400_000 })
    for (let i = 0; !isEnough(i, cases, counts); i++) {
      // The metas are small, and what happens to them has a verdict of its own.
      const offset = random.below(random.chance(0.1) ? 2 * SAMPLE_PAGE_SIZE : usedSize)
      const xor = random.chance(0.5) ? 1 << random.below(8) : random.between(1, 255)
      const bytes = flipped(sample.bytes, offset, xor)
      const { verdict, detail } = await readDamaged(bytes, sample, random.chance(0.7))
      counts[verdict]++
      if (verdict !== 'silent' || maySilence(sample.bytes, offset, xor)) continue
      unseen.push(`offset ${offset}, xor ${xor}: ${detail}`)
    }
    expect(unseen).toEqual([])
    expect(unmet(counts)).toEqual([])
  })

  test('each byte of a page header, an element and a meta is guarded', async () => {
    const random = new Random(seed >>> 0)
    const offsets: number[] = []
    const unseen: string[] = []
    for (const run of layouts) {
      for (let at = run.start; at < run.contentStart; at++) offsets.push(at)
      for (let at = run.contentEnd; at < run.end; at++) offsets.push(at)
    }
    for (let at = 0; at < 2 * SAMPLE_PAGE_SIZE; at += at % 1024 < 80 ? 1 : 59) offsets.push(at)
    random.shuffle(offsets)
    for (const offset of offsets.slice(0, effort({ smoke: 800, ci: 5000, soak: 50_000 }))) {
      const xor = 1 << random.below(8)
      const { verdict } = await readDamaged(flipped(sample.bytes, offset, xor), sample, true)
      if (verdict !== 'silent' || maySilence(sample.bytes, offset, xor)) continue
      unseen.push(`offset ${offset}, xor ${xor}`)
    }
    expect(unseen).toEqual([])
  })
})

/**
 * Damage of any file: no guard but the structure is asked for, so reading wrong is allowed, nothing
 * else is.
 */
describe('any file', () => {
  test('cut at any length, it is refused or right', async () => {
    const unseen: number[] = []
    const step = effort({ smoke: 211, ci: 31, soak: 1 })
    for (let size = 0; size < sample.bytes.length; size += step) {
      for (const readOnly of [true, false]) {
        const found = await readDamaged(sample.bytes.subarray(0, size), sample, readOnly)
        // An empty file is one that was never finished: it is made.
        if (size === 0 && !readOnly) continue
        if (found.verdict === 'silent') unseen.push(size)
      }
    }
    expect(unseen).toEqual([])
  })

  test('random bytes over any range are seen', async () => {
    const unseen: string[] = []
    const random = new Random(seed >>> 0)
    for (let i = 0; i < effort({ smoke: 200, ci: 2000, soak: 50_000 }); i++) {
      const bytes = new Uint8Array(sample.bytes)
      const start = random.below(usedSize)
      const end = Math.min(usedSize, start + random.between(2, random.pick([16, 600, 5000])))
      random.fill(bytes.subarray(start, end))
      const isSilenced = layouts.some(
        (run) => run.end - run.contentEnd < 8 && start < run.contentEnd && end > run.contentStart,
      )
      const verdicts = await verdictsOf(bytes, sample)
      if (!isSilenced && verdicts.includes('silent')) unseen.push(`[${start}, ${end})`)
    }
    expect(unseen).toEqual([])
  })

  test('garbage is refused', async () => {
    const random = new Random(seed >>> 0)
    for (let i = 0; i < effort({ smoke: 100, ci: 1000, soak: 20_000 }); i++) {
      const bytes = random.fill(new Uint8Array(random.between(1, 20_000)))
      // With a magic number here and there, so that more than the first look is tried.
      const view = new DataView(bytes.buffer)
      for (const at of [16, 1040, 2064, 4112]) {
        if (at + 64 > bytes.length || random.chance(0.3)) continue
        view.setUint32(at, 0xed0cdaed, true)
        view.setUint32(at + 4, 2, true)
        view.setUint32(at + 8, random.pick([0, 512, 1024, 4096, 0xffffffff]), true)
      }
      expect(await verdictsOf(bytes, sample)).toEqual(['refused', 'refused'])
    }
  })

  test('pages that stand in each other’s place are seen', async () => {
    const random = new Random(seed >>> 0)
    const pages = usedSize / SAMPLE_PAGE_SIZE
    const newest = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE).newestSlot()
    const unseen: string[] = []
    for (let i = 0; i < effort({ smoke: 300, ci: 1122, soak: 10_000 }); i++) {
      const [a, b] = [random.below(pages), random.below(pages)]
      const bytes = new Uint8Array(sample.bytes)
      const page = (pgid: number): Uint8Array =>
        sample.bytes.subarray(pgid * SAMPLE_PAGE_SIZE, (pgid + 1) * SAMPLE_PAGE_SIZE)
      bytes.set(page(a), b * SAMPLE_PAGE_SIZE)
      if (random.chance(0.5)) bytes.set(page(b), a * SAMPLE_PAGE_SIZE)
      // The older meta in both slots is a file that stands at the generation before.
      if (b === newest && a === 1 - newest) continue
      const verdicts = await verdictsOf(bytes, sample)
      if (isUnsealed(bytes, b) || isUnsealed(bytes, a)) continue
      if (verdicts.includes('silent')) unseen.push(`page ${a} in place of ${b}`)
    }
    expect(unseen).toEqual([])
  })
})

/**
 * Whether other bytes now end the run that page `pgid` continues, zeros where its seal was: what
 * bbolt writes looks so, and is taken on its structure alone. A first page names itself, and is
 * seen.
 */
function isUnsealed(bytes: Uint8Array, pgid: number): boolean {
  const at = pgid * SAMPLE_PAGE_SIZE
  const run = layouts.find(({ start, end }) => at > start && at < end)
  return run !== undefined && bytes.subarray(run.contentEnd, run.end).every((byte) => byte === 0)
}

describe('crafted files', () => {
  test('a branch that leads to a page above it ends in an error', async () => {
    const forgery = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE)
    const branches = forgery.layouts().filter((run) => !run.isLeaf)
    let refused = 0
    for (const branch of branches) {
      for (const target of [branch, ...branches]) {
        for (let i = 0; i < forgery.count(branch); i++) {
          const copy = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE)
          copy.setU64(copy.element(branch, i) + 8, BigInt(target.pgid))
          copy.reseal(branch)
          const verdicts = await verdictsOf(copy.bytes, sample)
          expect(verdicts).not.toContain('silent')
          if (verdicts.includes('refused')) refused++
        }
      }
    }
    expect(refused).toBeGreaterThan(4)
  })

  test('a bucket that leads to a page above it ends in an error or in a fault of its content, never in a hang', async () => {
    const forgery = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE)
    const random = new Random(seed >>> 0)
    for (const { layout, at } of forgery.bucketRoots()) {
      const targets = random.shuffle(forgery.layouts())
      for (const target of targets.slice(0, effort({ smoke: 6, ci: 40, soak: 40 }))) {
        const copy = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE)
        copy.setU64(at, BigInt(target.pgid))
        copy.reseal(layout)
        await expect(boundedUse(copy.bytes)).resolves.toBeUndefined()
        const scanned = new Forgery(copy.bytes, SAMPLE_PAGE_SIZE)
        for (const slot of [0, 1] as const) scanned.setMeta(slot, 32, 2n ** 64n - 1n)
        await boundedUse(scanned.bytes)
      }
    }
  })

  test('a bucket that leads back to one around it can not be opened', async () => {
    const forgery = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE)
    // The bucket's root is the very leaf that its entry is in.
    const [root] = forgery.bucketRoots()
    if (root === undefined) return expect.fail('no bucket')
    const newest = forgery.newestSlot() * SAMPLE_PAGE_SIZE + 16 + 16
    const leaf = forgery
      .layouts()
      .find(({ pgid }) => BigInt(pgid) === forgery.view.getBigUint64(newest, true))
    const own = forgery.bucketRoots().find(({ layout }) => layout.pgid === leaf?.pgid)
    if (leaf === undefined || own === undefined) return expect.fail('no bucket in the root leaf')
    forgery.setU64(own.at, BigInt(leaf.pgid))
    forgery.reseal(leaf)
    const disk = new MemoryDisk()
    disk.writeFile(SAMPLE_PATH, forgery.bytes)
    for (const readOnly of [true, false]) {
      const engine = await openEngine(SAMPLE_PATH, { disk, readOnly })
      const names = engine.view((tx) => [...tx.root.bucketNames()])
      const codes = names.map((name) => codeOf(() => engine.view((tx) => void tx.bucket(name))))
      expect(codes).toContain('KV_CORRUPT')
      await engine.close()
    }
  })

  test('counts, sizes and ids beyond all bounds end in an error', async () => {
    const unseen: string[] = []
    for (const run of layouts) {
      for (const forge of [
        (f: Forgery) => f.view.setUint16(run.start + 10, 0xffff, true),
        (f: Forgery) => f.view.setUint16(run.start + 10, 0xfffe, true),
        (f: Forgery) => f.view.setUint32(run.start + 12, 0xffffffff, true),
        (f: Forgery) => f.view.setUint32(run.start + 12, 0x7fffffff, true),
        (f: Forgery) => f.view.setUint32(run.start + 16 + 4, 0xffffffff, true),
        (f: Forgery) => f.view.setUint32(run.start + 16 + 12, 0xffffffff, true),
        (f: Forgery) => f.view.setUint32(run.lastSizeAt, 0xffffffff, true),
        (f: Forgery) => f.setU64(run.start + 16 + 8, 2n ** 64n - 1n),
        (f: Forgery) => f.setU64(run.start + 16 + 8, 2n ** 53n),
      ]) {
        const forgery = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE)
        forge(forgery)
        forgery.reseal(run)
        const verdicts = await verdictsOf(forgery.bytes, sample)
        if (verdicts.includes('silent')) unseen.push(`page ${run.pgid}: ${String(forge)}`)
      }
    }
    expect(unseen).toEqual([])
  })

  test('metas with a right checksum and impossible fields are passed over', async () => {
    const unseen: string[] = []
    const values = [0n, 1n, 2n ** 31n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 2n]
    for (const field of [8, 16, 32, 40, 48]) {
      for (const value of values) {
        const forgery = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE)
        forgery.setMeta(forgery.newestSlot(), field, value)
        const verdicts = await verdictsOf(forgery.bytes, sample)
        // Made older than the other one, the newest meta is not the newest any more.
        if (field === 48 && value < 4n) continue
        if (verdicts.includes('silent')) unseen.push(`meta field at ${field}: ${value}`)
      }
    }
    expect(unseen).toEqual([])
  })

  test('the last txid is not passed: a commit that could not be read again is refused', async () => {
    const forgery = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE)
    forgery.setMeta(forgery.newestSlot(), 48, 2n ** 53n - (forgery.newestSlot() === 0 ? 2n : 1n))
    const disk = new MemoryDisk()
    disk.writeFile(SAMPLE_PATH, forgery.bytes)
    const engine = await openEngine(SAMPLE_PATH, { disk })
    let committed = 0
    for (let i = 0; i < 4; i++) {
      try {
        engine.update((tx) => tx.createBucketIfNotExists('late').put('commits', String(i + 1)))
        committed = i + 1
      } catch (error) {
        expect(isKvError(error)).toBe(true)
      }
    }
    await engine.close()
    const again = await openEngine(SAMPLE_PATH, { disk })
    const found = again.view((tx) =>
      Buffer.from(tx.bucket('late')?.get('commits') ?? '0').toString(),
    )
    expect(found).toBe(String(committed))
    await again.close()
  })
})

describe('a file as bbolt writes it, without seals', () => {
  /**
   * What structure alone can't show, and the reason of each:
   *   - key and value bytes: any byte is legal there;
   *   - a size of the last element: it may grow into the zeros of the tail, or shrink where the
   *     rest is zeros;
   *   - key size and value size of one element are told apart by nothing else (both change only
   *     together);
   *   - the sequence of a bucket: any number is legal;
   *   - a branch's child pgid: it may name an older image of the same page, left in a free page;
   *   - a freelist id: it may name another page, and what is listed wrongly is written over later.
   * The first four read wrong; the last one must not, before something is written.
   */
  function mayReadWrong(forgery: Forgery, offset: number): string | undefined {
    const run = forgery.layouts().find(({ start, end }) => offset >= start && offset < end)
    if (run === undefined) return undefined
    if (offset >= run.contentStart && offset < run.contentEnd) return 'content'
    if (offset >= run.lastSizeAt - (run.isLeaf ? 4 : 0) && offset < run.lastSizeAt + 4)
      return 'size'
    const field = (offset - run.start - 16) % 16
    if (!run.isLeaf && offset < run.contentStart && field >= 8) return 'child'
    return undefined
  }

  test('a changed byte is seen, save where structure can not show it', async () => {
    const random = new Random(seed >>> 0)
    const bare = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE).unseal()
    expect((await readDamaged(bare.bytes, sample, false)).verdict).toBe('right')
    const reasons = new Set<string>()
    const unseen: string[] = []
    for (let i = 0; i < effort({ smoke: 800, ci: 5000, soak: 200_000 }); i++) {
      const offset = random.below(usedSize)
      const xor = random.between(1, 255)
      const bytes = flipped(bare.bytes, offset, xor)
      const { verdict, detail } = await readDamaged(bytes, sample, true)
      if (verdict !== 'silent') continue
      const reason = mayReadWrong(bare, offset)
      if (reason === undefined) unseen.push(`offset ${offset}, xor ${xor}: ${detail}`)
      else reasons.add(reason)
    }
    expect(unseen).toEqual([])
    expect(reasons).toContain('content')
  })

  test('writing on never ends in anything but a commit or a typed error', async () => {
    const random = new Random(seed >>> 0)
    const bare = new Forgery(sample.bytes, SAMPLE_PAGE_SIZE).unseal()
    for (let i = 0; i < effort({ smoke: 300, ci: 3000, soak: 100_000 }); i++) {
      const bytes = flipped(bare.bytes, random.below(usedSize), random.between(1, 255))
      await expect(boundedUse(bytes)).resolves.toBeUndefined()
    }
  })
})

function codeOf(work: () => void): string {
  try {
    work()
    return 'none'
  } catch (error) {
    return isKvError(error) ? error.code : 'not typed'
  }
}

describe('lost writes', () => {
  test('an older image of a page in its place is seen, save where it fits as well as the newer one', async () => {
    const unseen: string[] = []
    let seen = 0
    for (const image of sample.history) {
      for (const run of layouts) {
        for (let at = run.start; at < run.end; at += SAMPLE_PAGE_SIZE) {
          const bytes = new Uint8Array(sample.bytes)
          const old = image.subarray(at, at + SAMPLE_PAGE_SIZE)
          if (
            old.length < SAMPLE_PAGE_SIZE ||
            Buffer.from(old).equals(bytes.subarray(at, at + SAMPLE_PAGE_SIZE))
          )
            continue
          bytes.set(old, at)
          const verdicts = await verdictsOf(bytes, sample)
          if (verdicts.includes('refused')) seen++
          if (!verdicts.includes('silent')) continue
          // A whole page of this id: only its parent could know better, and names its first key.
          const isItself = at === run.start && old[0] === run.pgid && (old[8] === 1 || old[8] === 2)
          if (!isItself) unseen.push(`page ${at / SAMPLE_PAGE_SIZE}`)
        }
      }
    }
    expect(unseen).toEqual([])
    expect(seen).toBeGreaterThan(3)
  })
})

/** Opens, checks, walks some way, deletes every bucket: all of it must end, in an error or not. */
async function boundedUse(bytes: Uint8Array): Promise<void> {
  let reads = 0
  const disk = new MemoryDisk({
    trace: ({ kind }) => {
      if (kind === 'read' && ++reads > 20_000) throw new Error('it reads without end')
    },
  })
  disk.writeFile(SAMPLE_PATH, bytes)
  try {
    const engine = await openEngine(SAMPLE_PATH, { disk })
    engine.check()
    try {
      engine.view((tx) => [...tx.root.entries()].length)
      for (const name of engine.view((tx) => [...tx.root.bucketNames()])) {
        try {
          engine.update((tx) => tx.deleteBucket(name))
        } catch (error) {
          if (!isKvError(error)) throw error
        }
      }
    } finally {
      await engine.close()
    }
  } catch (error) {
    if (!isKvError(error)) throw error
  }
}
