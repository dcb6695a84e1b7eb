/**
 * The alarms of a store, kept in the file as etcd keeps them: a row in the bucket `alarm` for each.
 *
 *   NOSPACE   a write was refused for the quota. Ends by itself when there is room again
 *   CORRUPT   etcd's; a store of ours never raises it, but may be given a file that has it
 *
 * An alarm is a notice: what is refused is judged by the room there is, alarm or not. It makes no
 * revision. It is raised and ended by writes of the queue, so what is listed is durable.
 */

import { assert } from '../base/assert.ts'
import { EMPTY_BYTES, formatBytes } from '../base/bytes.ts'
import { CorruptionError } from '../base/errors.ts'
import { describeType } from '../base/text.ts'
import type { Bucket, Tx } from '../engine/index.ts'
import type { WriteTxn } from '../mvcc/write-txn.ts'
import {
  ALARM_CORRUPT,
  ALARM_NOSPACE,
  decodeAlarmMember,
  encodeAlarmMember,
} from '../proto/alarm-member.ts'
import type { AlarmMember } from '../proto/alarm-member.ts'
import { DecodeError } from '../proto/wire.ts'
import { Fields } from './fields.ts'
import type { GroupQueue } from './group-queue.ts'
import { asResult } from './result.ts'
import type { Alarm, AlarmType } from './types/maintenance.ts'

const ALARM_FIELDS: ReadonlySet<string> = new Set(['type', 'memberId', 'toJSON'])
const ALARM_BUCKET = 'alarm'
/** A store alone is no member of a cluster. */
const OWN_MEMBER = 0n
const UINT64_END = 2n ** 64n
const NUMBERS: Readonly<Record<AlarmType, number>> = {
  NOSPACE: ALARM_NOSPACE,
  CORRUPT: ALARM_CORRUPT,
}
const NAMES = ['NOSPACE', 'CORRUPT'] as const

export interface AlarmsSetup {
  /** The data file's path, for messages. */
  readonly file: string
  readonly readOnly: boolean
  readonly queue: GroupQueue
  /** Begins a reading engine transaction at what is durable. */
  readonly begin: () => Tx
  /** Whether there is so much room that NOSPACE may end. */
  readonly isEased: () => boolean
}

export class Alarms {
  readonly #setup: AlarmsSetup
  /** NOSPACE is raised, or about to be. */
  #isRaised: boolean

  /** @throws {CorruptionError} where a row of the file can't be read */
  constructor(setup: AlarmsSetup) {
    this.#setup = setup
    this.#isRaised = this.#read().some(({ alarm }) => alarm === ALARM_NOSPACE)
  }

  /** A write was refused for the quota: notes it, in a write of its own. */
  raise(): void {
    if (this.#isRaised) return
    this.#isRaised = true
    const row = encodeAlarmMember({ memberId: OWN_MEMBER, alarm: ALARM_NOSPACE })
    this.#write((txn) => bucketOf(txn.changeTx()).put(row, EMPTY_BYTES), false)
  }

  /** Something is durable: ends NOSPACE where there is room again. */
  look(): void {
    if (!this.#isRaised || this.#setup.readOnly || !this.#setup.isEased()) return
    this.#isRaised = false
    this.#write((txn) => void this.#drop(txn, ({ alarm }) => alarm === ALARM_NOSPACE), true)
  }

  /** All of them, as far as they are known here. */
  async list(): Promise<readonly Alarm[]> {
    const { readOnly, queue } = this.#setup
    // Behind whatever is about to be raised or ended.
    if (!readOnly) await queue.submit({ byteCount: 0, isFreeing: true, run: () => {} })
    return this.#read().flatMap(alarmOf)
  }

  /** Ends one, or all of them where none is named; returns those that it ended. */
  async disarm(wanted: AlarmMember | undefined): Promise<readonly Alarm[]> {
    return await this.#setup.queue.submit({
      byteCount: 0,
      isFreeing: true,
      run: (txn) => {
        const ended = this.#drop(
          txn,
          ({ memberId, alarm }) =>
            wanted === undefined || (memberId === wanted.memberId && alarm === wanted.alarm),
        )
        if (ended.some(({ alarm }) => alarm === ALARM_NOSPACE)) this.#isRaised = false
        return ended.flatMap(alarmOf)
      },
    })
  }

  /** A write of the store's own, which nobody waits for. Where it fails, the next one is told. */
  #write(run: (txn: WriteTxn) => void, isRaisedBefore: boolean): void {
    const { queue } = this.#setup
    if (!queue.isSound) return
    queue.submit({ byteCount: 0, isFreeing: true, isExempt: true, run }).catch(() => {
      this.#isRaised = isRaisedBefore
    })
  }

  /** Takes rows away; returns them. */
  #drop(txn: WriteTxn, isWanted: (row: AlarmMember) => boolean): readonly AlarmMember[] {
    const rows = this.#rowsOf(txn.tx).filter(isWanted)
    // A transaction that changes nothing must not be taken for one that does.
    if (rows.length > 0) {
      const bucket = bucketOf(txn.changeTx())
      for (const row of rows) bucket.delete(encodeAlarmMember(row))
    }
    return rows
  }

  #read(): readonly AlarmMember[] {
    const tx = this.#setup.begin()
    try {
      return this.#rowsOf(tx)
    } finally {
      tx.rollback()
    }
  }

  #rowsOf(tx: Tx): readonly AlarmMember[] {
    const rows: AlarmMember[] = []
    const cursor = tx.bucket(ALARM_BUCKET)?.cursor()
    for (let entry = cursor?.first(); entry !== undefined; entry = cursor?.next()) {
      rows.push(decodeRow(entry.key, this.#setup.file))
    }
    return rows
  }
}

function decodeRow(key: Uint8Array, file: string): AlarmMember {
  try {
    return decodeAlarmMember(key)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    const what = `row ${formatBytes(key)} of bucket "alarm" can't be decoded: ${error.message}`
    throw new CorruptionError(what, { file })
  }
}

/** An alarm that is not known here is left alone. */
function alarmOf({ memberId, alarm }: AlarmMember): Alarm[] {
  const type = NAMES.find((name) => NUMBERS[name] === alarm)
  return type === undefined ? [] : [asResult({ type, memberId })]
}

function bucketOf(tx: Tx): Bucket {
  const bucket = tx.bucket(ALARM_BUCKET)
  assert(bucket !== undefined, 'the bucket "alarm" was made with the store')
  return bucket
}

/** The alarm that a call names; undefined: all. */
export function readAlarm(alarm: unknown): AlarmMember | undefined {
  if (alarm === undefined) return undefined
  const fields = new Fields(alarm, ALARM_FIELDS, { name: 'alarm', path: 'alarm.' })
  const type = fields.word('type', NAMES)
  if (type === undefined) throw new TypeError('alarm.type: expected a string, got undefined')
  const memberId = fields.get('memberId') ?? OWN_MEMBER
  if (typeof memberId !== 'bigint') {
    throw new TypeError(`alarm.memberId: expected a bigint, got ${describeType(memberId)}`)
  }
  if (memberId < 0n || memberId >= UINT64_END) {
    throw new RangeError(`alarm.memberId: ${memberId} is no unsigned number of 64 bits`)
  }
  return { memberId, alarm: NUMBERS[type] }
}
