/** One key with its value and numbers, as a line. */
import type { KeyValue } from '../../index.ts'
import { displayWidth, fit } from '../format.ts'
import type { Screen } from '../screen.ts'
import type { BytesFormat } from './bytes.ts'
import { showBytes } from './bytes.ts'

export type Entry = KeyValue<Uint8Array | undefined, Uint8Array>

const LEASE_BITS = 64
const LEASE_DIGITS = 16
/** Columns that a value has beside a long key. */
const VALUE_WIDTH_MIN = 20

export interface EntryStyle {
  readonly format: BytesFormat
  /** Whether to show revisions, version and lease. */
  readonly isLong: boolean
  /** Whether to cut it to the screen's width. */
  readonly isCut: boolean
}

/** `config/theme = dark`. */
export function entryLine(screen: Screen, entry: Entry, style: EntryStyle): string {
  const numbers = style.isLong ? `  ${numbersOf(entry)}` : ''
  const room = style.isCut ? screen.width - numbers.length : Infinity
  const { value } = entry
  const keyRoom = value === undefined ? room : Math.max(room - VALUE_WIDTH_MIN - 3, room / 2)
  const key = fit(showBytes(entry.key, style.format), keyRoom)
  const shownKey = screen.style('cyan', key)
  const shownNumbers = screen.style('dim', numbers)
  if (value === undefined) return shownKey + shownNumbers
  const shown = fit(showBytes(value, style.format), room - displayWidth(key) - 3)
  return `${shownKey} ${screen.style('dim', '=')} ${shown}${shownNumbers}`
}

/** `create 2  mod 7  version 3  lease 2040a20534f1920d`. */
export function numbersOf({ createRevision, modRevision, version, lease }: Entry): string {
  const attached = lease === 0n ? '' : `  lease ${showLease(lease)}`
  return `create ${createRevision}  mod ${modRevision}  version ${version}${attached}`
}

/** As etcdctl has it: 16 hex digits. */
export function showLease(id: bigint): string {
  return BigInt.asUintN(LEASE_BITS, id).toString(16).padStart(LEASE_DIGITS, '0')
}
