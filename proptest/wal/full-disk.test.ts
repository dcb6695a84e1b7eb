/**
 * A disk that gets full before any reservation, and before any append, and has room again later.
 *
 *   1. What was admitted is appended and becomes durable, full disk or not.
 *   2. What is refused is refused alone, with `KV_NO_SPACE` and `outcome: 'none'`.
 *   3. Right behind a refusal, who gives room back still finds the emergency reserve.
 *   4. When there is room again, the log goes on.
 *   5. All that was acknowledged is found again, after a power cut at any such moment, too.
 */
import { expect, test } from 'vitest'
import { assert } from '../../base/assert.ts'
import { isKvError } from '../../base/errors.ts'
import type { LogGroup } from '../../base/log-group.ts'
import { Random } from '../../base/random.ts'
import { MemoryDisk } from '../../disk/memory-disk.ts'
import type { Reservation } from '../../wal/admission.ts'
import { encodeEntries } from '../../wal/group-writer.ts'
import type { Log } from '../../wal/log.ts'
import { effort, isEnough, seed, unmet } from '../effort.ts'
import { groupOf, recover, sameGroups } from './fixture.ts'

const EMERGENCY_BYTES = 600
/** What gives room back: a frame of this payload fits the emergency reserve. */
const SMALL_BYTES = 40

const NEVER = 0

const tally = { refused: 0, emergencies: 0, goneOn: 0, images: 0 }

/** One log on one disk, which is full from point `fullAt` on, for `span` points. */
class Run {
  readonly disk: MemoryDisk
  readonly random: Random
  readonly groups: LogGroup[] = []
  acknowledged = 0
  points = 0
  isFull = false
  readonly #fullAt: number
  readonly #span: number
  readonly #hasReserve: boolean

  constructor(workload: number, fullAt: number) {
    this.disk = new MemoryDisk({
      seed: workload,
      whenFull: workload % 2 === 0 ? 'nothing' : 'part',
    })
    this.random = new Random(workload)
    this.#fullAt = fullAt
    this.#hasReserve = workload % 4 < 2
    this.#span = new Random(workload + fullAt).between(1, 12)
  }

  /** A moment at which the disk may become full. */
  point(): void {
    this.points++
    if (this.points === this.#fullAt) {
      this.isFull = true
      this.disk.setCapacity(this.disk.usedBytes)
    } else if (this.points === this.#fullAt + this.#span) this.#giveRoom()
  }

  async live(): Promise<void> {
    const { random, disk } = this
    const segmentBytes = random.pick([2048, 4096, 16_384])
    const emergencyBytes = this.#hasReserve ? EMERGENCY_BYTES : 0
    const log = recover(disk, { segmentBytes, emergencyBytes }).start()
    const waits: Promise<void>[] = []
    for (let steps = 14; steps > 0; steps--) {
      const kind = random.below(12)
      if (kind === 0) await this.#cut(log)
      else if (kind === 1) await Promise.all(waits.splice(0))
      else await this.#write(log, waits)
      if (this.isFull && random.chance(0.1)) this.#examine(random)
    }
    this.#giveRoom()
    await this.#mustGoOn(log, waits)
    await Promise.all(waits)
    await log.close()
    this.acknowledged = this.groups.length
    this.#examine(random)
  }

  #giveRoom(): void {
    this.isFull = false
    this.disk.setCapacity(Infinity)
  }

  async #write(log: Log, waits: Promise<void>[]): Promise<void> {
    const { random } = this
    const sizes = random.pick([[100], [300, 300, 300], [1500, 1500, 1500], [3000, 20]])
    const held: { readonly group: LogGroup; readonly reservation: Reservation }[] = []
    for (const size of sizes) {
      const group = groupOf(this.groups.length + held.length + 1, 0, size)
      this.point()
      const reservation = await this.#reserve(log, encodeEntries(group.entries).length)
      if (reservation === undefined) break
      held.push({ group, reservation })
    }
    for (const { group, reservation } of held) {
      if (random.chance(0.1)) await this.#cut(log)
      this.point()
      this.#append(log, group, reservation, waits)
      if (random.chance(0.2)) await Promise.all(waits.splice(0))
    }
  }

  /** Appends what was admitted: that can't fail. */
  #append(log: Log, group: LogGroup, reservation: Reservation, waits: Promise<void>[]): void {
    this.groups.push(group)
    const { txid } = group
    const note = (): void => void (this.acknowledged = Math.max(this.acknowledged, txid))
    if (this.random.chance(0.3)) {
      log.appendSync(group, reservation)
      note()
    } else {
      const wait = log.append(group, reservation).then(note)
      wait.catch(() => {})
      waits.push(wait)
    }
  }

  /** Undefined: it was refused, as it may be while the disk is full, or was a moment ago. */
  async #reserve(log: Log, payloadBytes: number): Promise<Reservation | undefined> {
    const isAsync = this.random.chance(0.5)
    try {
      return isAsync ? await log.reserveAsync(payloadBytes) : log.reserve(payloadBytes)
    } catch (error) {
      mustBeRefusal(error)
      tally.refused++
      if (!this.#hasReserve) return undefined
      // Whoever gives room back, and needs little for it.
      const reservation = log.reserve(SMALL_BYTES, { isEmergency: true })
      tally.emergencies++
      reservation.release()
      return undefined
    }
  }

  async #cut(log: Log): Promise<void> {
    this.point()
    try {
      await log.cut()
    } catch (error) {
      if (!isKvError(error, 'KV_NO_SPACE')) throw error
    }
  }

  async #mustGoOn(log: Log, waits: Promise<void>[]): Promise<void> {
    for (let i = 0; i < 5; i++) {
      const group = groupOf(this.groups.length + 1, 0, 900)
      const reservation = await untilGranted(log, encodeEntries(group.entries).length)
      this.#append(log, group, reservation, waits)
      tally.goneOn++
    }
  }

  /** What the power leaves now holds all that was acknowledged, once the disk has room for it. */
  #examine(random: Random): void {
    tally.images++
    const mode = random.pick(['nothing', 'everything', 'torn', 'random'] as const)
    const recovery = recover(this.disk.afterPowerLoss(random, mode))
    const found = [...recovery.groups()]
    recovery.close()
    assert(
      found.length >= this.acknowledged && sameGroups(found, this.groups.slice(0, found.length)),
      () => `${found.length} found, ${this.acknowledged} acknowledged`,
    )
  }
}

function mustBeRefusal(error: unknown): void {
  const isRefusal = isKvError(error, 'KV_NO_SPACE') && error.outcome === 'none'
  if (!isRefusal) throw error
}

/** A first try may still be told of the full disk; it starts another. */
async function untilGranted(log: Log, payloadBytes: number): Promise<Reservation> {
  try {
    return await log.reserveAsync(payloadBytes)
  } catch (error) {
    mustBeRefusal(error)
    return await log.reserveAsync(payloadBytes)
  }
}

test('a disk that is full at any reservation refuses that one alone, and nothing is lost', async () => {
  const cases = effort({ smoke: 400, ci: 10_000, soak: 200_000 })
  let done = 0
  for (let workload = seed >>> 0; !isEnough(done, cases, tally); workload++) {
    const whole = new Run(workload, NEVER)
    await whole.live()
    for (let fullAt = 1; fullAt <= whole.points; fullAt++, done++) {
      try {
        await new Run(workload, fullAt).live()
      } catch (error) {
        const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
        throw new Error(`seed ${workload}, full at ${fullAt}: ${why}`, { cause: error })
      }
    }
  }
  expect(unmet(tally)).toEqual([])
})
