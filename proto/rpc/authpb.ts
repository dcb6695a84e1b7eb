/**
 * etcd's authpb: users, roles and permissions, in requests and in rows.
 *
 * Source: etcd api/authpb/auth.proto (names and numbers).
 */

import { bool, bytes, enumeration, message, repeated, string } from '../field.ts'
import { type Message, defineMessage } from '../message.ts'

export const PermissionType = { READ: 0, WRITE: 1, READWRITE: 2 } as const

export interface UserAddOptions {
  readonly noPassword: boolean
}
export const UserAddOptions: Message<UserAddOptions> = defineMessage<UserAddOptions>(
  'authpb.UserAddOptions',
  {
    noPassword: bool(1),
  },
)

export interface User {
  readonly name: Uint8Array
  /** Its bcrypt hash. */
  readonly password: Uint8Array
  readonly roles: readonly string[]
  readonly options: UserAddOptions | undefined
}
export const User: Message<User> = defineMessage<User>('authpb.User', {
  name: bytes(1),
  password: bytes(2),
  roles: repeated(string(3)),
  options: message(4, UserAddOptions),
})

export interface Permission {
  readonly permType: number
  readonly key: Uint8Array
  /** As in `RangeRequest`. */
  readonly rangeEnd: Uint8Array
}
export const Permission: Message<Permission> = defineMessage<Permission>('authpb.Permission', {
  permType: enumeration(1, PermissionType, 'permType'),
  key: bytes(2),
  rangeEnd: bytes(3),
})

export interface Role {
  readonly name: Uint8Array
  readonly keyPermission: readonly Permission[]
}
export const Role: Message<Role> = defineMessage<Role>('authpb.Role', {
  name: bytes(1),
  keyPermission: repeated(message(2, Permission, 'keyPermission')),
})
