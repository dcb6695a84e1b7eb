import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { ALARM_NOSPACE, decodeAlarmMember, encodeAlarmMember } from './alarm-member.ts'
import type { AlarmMember } from './alarm-member.ts'
import { DecodeError } from './wire.ts'

const hex = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))

const alarmMember: fc.Arbitrary<AlarmMember> = fc.record({
  memberId: fc.bigInt(0n, 2n ** 64n - 1n),
  alarm: fc.nat(),
})

describe('AlarmMember', () => {
  test('encodeAlarmMember() writes the bytes that etcd writes', () => {
    expect(encodeAlarmMember({ memberId: 5n, alarm: ALARM_NOSPACE })).toEqual(hex('0805 1001'))
    expect(encodeAlarmMember({ memberId: 0n, alarm: ALARM_NOSPACE })).toEqual(hex('1001'))
    // The member of etcd's single-node default, as etcdctl prints it: 10276657743932975437.
    expect(encodeAlarmMember({ memberId: 0x8e9e05c52164694dn, alarm: 2 })).toEqual(
      hex('08cdd291 8bd2b8 81cf8e01 1002'),
    )
  })

  test('decodeAlarmMember() gives back what was encoded', () => {
    fc.assert(
      fc.property(alarmMember, (member) => {
        expect(decodeAlarmMember(encodeAlarmMember(member))).toEqual(member)
      }),
    )
  })

  test('decodeAlarmMember() takes any order and unknown fields, and refuses what is none', () => {
    expect(decodeAlarmMember(hex('1002 1a0101 0807'))).toEqual({ memberId: 7n, alarm: 2 })
    expect(() => decodeAlarmMember(hex('08'))).toThrow(DecodeError)
    expect(() => decodeAlarmMember(hex('0a0101'))).toThrow(DecodeError)
  })
})
