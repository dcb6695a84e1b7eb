/** What turns one kind of message into bytes and back. */

export interface Codec<T> {
  /** The message's full protobuf name, as `etcdserverpb.RangeRequest`. */
  readonly name: string
  /** `message` in bytes of its own, exactly as long as it needs. */
  encode(message: T): Uint8Array
  /** Byte fields of the message are views of `bytes`. @throws {DecodeError} */
  decode(bytes: Uint8Array): T
}
