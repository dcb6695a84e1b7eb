/**
 * mvccpb's messages as they travel. proto/mvccpb.ts has how a `KeyValue` lies in a row, which is
 * the same.
 */

import { bytes, enumeration, id, int64, message } from '../field.ts'
import { type Message, defineMessage } from '../message.ts'
import {
  KeyFields,
  type KeyValue,
  readIntoKeyValue,
  sizeOfKeyValue,
  writeKeyValue,
} from '../mvccpb.ts'
import type { HandCodec } from '../shape.ts'

/** Answers consist of these, and the store has a codec for its rows already. */
const byHand: HandCodec = {
  create: () => new KeyFields(),
  readInto: (reader, kv) => {
    readIntoKeyValue(reader, kv as KeyFields)
  },
  isWhole: (kv) => {
    const { key, createRevision, modRevision, version, value, lease } = kv as Partial<KeyValue>
    return (
      key instanceof Uint8Array &&
      value instanceof Uint8Array &&
      Number.isSafeInteger(createRevision) &&
      Number.isSafeInteger(modRevision) &&
      Number.isSafeInteger(version) &&
      typeof lease === 'bigint'
    )
  },
  size: (kv) => sizeOfKeyValue(kv as KeyValue),
  write: (target, offset, kv) => writeKeyValue(target, offset, kv as KeyValue),
}

export const KeyValueMessage: Message<KeyValue> = defineMessage<KeyValue>(
  'mvccpb.KeyValue',
  {
    key: bytes(1),
    createRevision: int64(2),
    modRevision: int64(3),
    version: int64(4),
    value: bytes(5),
    lease: id(6),
  },
  byHand,
)

export const EventType = { PUT: 0, DELETE: 1 } as const

export interface Event {
  readonly type: number
  readonly kv: KeyValue | undefined
  readonly prevKv: KeyValue | undefined
}
export const Event: Message<Event> = defineMessage<Event>('mvccpb.Event', {
  type: enumeration(1, EventType),
  kv: message(2, KeyValueMessage),
  prevKv: message(3, KeyValueMessage),
})
