import { describe, expect, test } from 'vitest'
import { MESSAGE_DEPTH_MAX } from './decode.ts'
import { JsonError } from './json.ts'
import type { Init } from './message.ts'
import { AlarmRequest, HashResponse } from './rpc/maintenance.ts'
import { Compare, PutRequest, RangeRequest, RangeResponse, TxnRequest } from './rpc/kv.ts'
import { WatchCreateRequest, WatchResponse } from './rpc/watch.ts'
import { DecodeError } from './wire.ts'

const hex = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))

/** Transactions in one another, `count` of them. */
function nested(count: number): Init<TxnRequest> {
  let txn: Init<TxnRequest> = {}
  for (let i = 1; i < count; i++) txn = { success: [{ requestTxn: txn }] }
  return txn
}

describe('decode()', () => {
  test('keeps the last of a field that comes again, and merges a message', () => {
    expect(PutRequest.decode(hex('0a0161 0a0162')).key).toEqual(hex('62'))
    const { header } = RangeResponse.decode(hex('0a02 1805 0a02 2003'))
    expect(header).toEqual({ clusterId: 0n, memberId: 0n, revision: 5, raftTerm: 3 })
  })

  test('keeps the last member of a oneof', () => {
    const compare = Compare.decode(hex('2005 3a0161'))
    expect([compare.version, compare.value]).toEqual([undefined, hex('61')])
  })

  test('tells a member that is zero from one that is absent', () => {
    const compare = Compare.decode(hex('2000'))
    expect([compare.version, compare.modRevision]).toEqual([0, undefined])
    expect(Compare.encode({ version: 0 })).toEqual(hex('2000'))
    expect(Compare.encode({ value: hex('') })).toEqual(hex('3a00'))
  })

  test('takes a list of enums packed and one by one', () => {
    expect(WatchCreateRequest.decode(hex('2a020001 2801')).filters).toEqual([0, 1, 1])
  })

  test('cuts what is longer than 32 bits as protobuf does', () => {
    expect(HashResponse.decode(hex('10 8180808010')).hash).toBe(1)
    expect(RangeRequest.decode(hex('28 ffffffffffffffffff01')).sortOrder).toBe(-1)
    expect(PutRequest.decode(hex('20 8080808010')).prevKv).toBe(true)
  })

  test('reads a negative revision, and ids of 64 bits', () => {
    expect(RangeRequest.decode(hex('20 fbffffffffffffffff01')).revision).toBe(-5)
    expect(PutRequest.decode(hex('18 ffffffffffffffffff01')).lease).toBe(-1n)
    expect(AlarmRequest.decode(hex('10 ffffffffffffffffff01')).memberId).toBe(2n ** 64n - 1n)
  })

  test.each([
    ['a number beyond 2^53', RangeRequest, '20 8080808080808010', 'etcdserverpb.RangeRequest.rev'],
    ['a text that is not UTF-8', WatchResponse, '3201ff', 'etcdserverpb.WatchResponse.cancel_reas'],
    ['a field of another wire type', PutRequest, '0801', 'has wire type 0'],
    ['a field beyond the end', PutRequest, '0a0561', 'etcdserverpb.PutRequest.key'],
    [
      'a message beyond the one around it',
      RangeResponse,
      '0a011205',
      'etcdserverpb.ResponseHeader',
    ],
  ])('refuses %s', (_, message, bytes, text) => {
    expect(() => message.decode(hex(bytes))).toThrow(DecodeError)
    expect(() => message.decode(hex(bytes))).toThrow(text)
  })

  test('takes 128 transactions in one another, and has a limit', () => {
    const deep = TxnRequest.encode(nested(128))
    expect(TxnRequest.encode(TxnRequest.decode(deep))).toEqual(deep)
    const tooDeep = TxnRequest.encode(nested(MESSAGE_DEPTH_MAX))
    expect(() => TxnRequest.decode(tooDeep)).toThrow('messages nested too deep')
  })
})

describe('encode()', () => {
  test.each<[string, Init<PutRequest>]>([
    ['a fraction', { lease: 1 as unknown as bigint }],
    ['a bigint of more than 64 bits', { lease: 2n ** 63n }],
    ['a text for bytes', { key: 'a' as unknown as Uint8Array }],
    ['a number for a boolean', { prevKv: 1 as unknown as boolean }],
  ])('refuses %s, by the name of the field', (_, message) => {
    expect(() => PutRequest.encode(message)).toThrow(/^etcdserverpb\.PutRequest\./)
  })

  test('refuses two members of a oneof, and numbers out of range', () => {
    expect(() => Compare.encode({ version: 1, modRevision: 1 })).toThrow('is there, too')
    expect(() => RangeRequest.encode({ limit: 1.5 })).toThrow('out of range')
    expect(() => HashResponse.encode({ hash: -1 })).toThrow('out of range')
    expect(() => WatchResponse.encode({ cancelReason: '\ud800' })).toThrow('whole characters')
  })
})

describe('JSON', () => {
  test('is as the gateway writes it', () => {
    expect(
      RangeResponse.toJson({
        header: { clusterId: 2n ** 64n - 1n, revision: 7 },
        kvs: [{ key: hex('ff00'), lease: -1n }],
        more: true,
      }),
    ).toEqual({
      header: { cluster_id: '18446744073709551615', revision: '7' },
      kvs: [{ key: '/wA=', lease: '-1' }],
      more: true,
    })
    expect(RangeRequest.toJson({ sortOrder: 2, sortTarget: 9 })).toEqual({
      sort_order: 'DESCEND',
      sort_target: 9,
    })
    expect(Compare.toJson({ version: 0 })).toEqual({ version: '0' })
  })

  test('is read under both names, from numbers and strings; what is unknown is passed over', () => {
    const read = RangeRequest.fromJson({
      key: '/wA=',
      range_end: 'AA==',
      minModRevision: 5,
      max_mod_revision: '6',
      limit: null,
      sortOrder: 'ASCEND',
      sort_target: 3,
      what: [],
    })
    const { key, rangeEnd, minModRevision, maxModRevision, limit, sortOrder, sortTarget } = read
    expect([key, rangeEnd, minModRevision, maxModRevision]).toEqual([hex('ff00'), hex('00'), 5, 6])
    expect([limit, sortOrder, sortTarget]).toEqual([0, 1, 3])
    expect(PutRequest.fromJson({ lease: '-9223372036854775808' }).lease).toBe(-(2n ** 63n))
  })

  test.each<[string, unknown, string]>([
    ['base64url', { success: [{ request_put: { key: '_wA=' } }] }, 'success[0].request_put.key'],
    ['base64 without its end', { compare: [{ key: '/wA' }] }, 'compare[0].key'],
    ['a number that was rounded', { compare: [{ lease: 2 ** 60 }] }, 'compare[0].lease'],
    ['a fraction', { compare: [{ lease: 1.5 }] }, 'compare[0].lease'],
    ['more than 64 bits', { compare: [{ lease: '9223372036854775808' }] }, 'compare[0].lease'],
    ['an unknown name', { compare: [{ target: 'toString' }] }, 'compare[0].target'],
    ['two members of a oneof', { compare: [{ version: 1, lease: 1 }] }, 'compare[0].lease'],
    ['an object for a list', { compare: {} }, 'compare'],
    ['a list', [], ''],
  ])('refuses %s by its place', (_, json, path) => {
    let thrown: unknown
    try {
      TxnRequest.fromJson(json)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(JsonError)
    expect((thrown as JsonError).path).toBe(path)
  })
})
