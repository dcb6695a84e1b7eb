/**
 * The service Auth and its messages.
 *
 * Source: etcd api/etcdserverpb/rpc.proto (names and numbers).
 */

import { bool, bytes, message, repeated, string, uint64 } from '../field.ts'
import { type Empty, type Message, defineMessage } from '../message.ts'
import { type RpcMethod, rpcMethod } from '../rpc-method.ts'
import { Permission, UserAddOptions } from './authpb.ts'
import { ResponseHeader } from './header.ts'

export type AuthEnableRequest = Empty
export const AuthEnableRequest: Message<AuthEnableRequest> = defineMessage<AuthEnableRequest>(
  'etcdserverpb.AuthEnableRequest',
  {},
)

export type AuthDisableRequest = Empty
export const AuthDisableRequest: Message<AuthDisableRequest> = defineMessage<AuthDisableRequest>(
  'etcdserverpb.AuthDisableRequest',
  {},
)

export type AuthStatusRequest = Empty
export const AuthStatusRequest: Message<AuthStatusRequest> = defineMessage<AuthStatusRequest>(
  'etcdserverpb.AuthStatusRequest',
  {},
)

export interface AuthEnableResponse {
  readonly header: ResponseHeader | undefined
}
export const AuthEnableResponse: Message<AuthEnableResponse> = defineMessage<AuthEnableResponse>(
  'etcdserverpb.AuthEnableResponse',
  {
    header: message(1, ResponseHeader),
  },
)

export interface AuthDisableResponse {
  readonly header: ResponseHeader | undefined
}
export const AuthDisableResponse: Message<AuthDisableResponse> = defineMessage<AuthDisableResponse>(
  'etcdserverpb.AuthDisableResponse',
  {
    header: message(1, ResponseHeader),
  },
)

/** Since 3.5. */
export interface AuthStatusResponse {
  readonly header: ResponseHeader | undefined
  readonly enabled: boolean
  readonly authRevision: number
}
export const AuthStatusResponse: Message<AuthStatusResponse> = defineMessage<AuthStatusResponse>(
  'etcdserverpb.AuthStatusResponse',
  {
    header: message(1, ResponseHeader),
    enabled: bool(2),
    authRevision: uint64(3, 'authRevision'),
  },
)

export interface AuthenticateRequest {
  readonly name: string
  readonly password: string
}
export const AuthenticateRequest: Message<AuthenticateRequest> = defineMessage<AuthenticateRequest>(
  'etcdserverpb.AuthenticateRequest',
  {
    name: string(1),
    password: string(2),
  },
)

export interface AuthenticateResponse {
  readonly header: ResponseHeader | undefined
  readonly token: string
}
export const AuthenticateResponse: Message<AuthenticateResponse> =
  defineMessage<AuthenticateResponse>('etcdserverpb.AuthenticateResponse', {
    header: message(1, ResponseHeader),
    token: string(2),
  })

export interface AuthUserAddRequest {
  readonly name: string
  readonly password: string
  readonly options: UserAddOptions | undefined
  /** Since 3.5. */
  readonly hashedPassword: string
}
export const AuthUserAddRequest: Message<AuthUserAddRequest> = defineMessage<AuthUserAddRequest>(
  'etcdserverpb.AuthUserAddRequest',
  {
    name: string(1),
    password: string(2),
    options: message(3, UserAddOptions),
    hashedPassword: string(4, 'hashedPassword'),
  },
)

export interface AuthUserAddResponse {
  readonly header: ResponseHeader | undefined
}
export const AuthUserAddResponse: Message<AuthUserAddResponse> = defineMessage<AuthUserAddResponse>(
  'etcdserverpb.AuthUserAddResponse',
  {
    header: message(1, ResponseHeader),
  },
)

export interface AuthUserGetRequest {
  readonly name: string
}
export const AuthUserGetRequest: Message<AuthUserGetRequest> = defineMessage<AuthUserGetRequest>(
  'etcdserverpb.AuthUserGetRequest',
  {
    name: string(1),
  },
)

export interface AuthUserGetResponse {
  readonly header: ResponseHeader | undefined
  readonly roles: readonly string[]
}
export const AuthUserGetResponse: Message<AuthUserGetResponse> = defineMessage<AuthUserGetResponse>(
  'etcdserverpb.AuthUserGetResponse',
  {
    header: message(1, ResponseHeader),
    roles: repeated(string(2)),
  },
)

export type AuthUserListRequest = Empty
export const AuthUserListRequest: Message<AuthUserListRequest> = defineMessage<AuthUserListRequest>(
  'etcdserverpb.AuthUserListRequest',
  {},
)

export interface AuthUserListResponse {
  readonly header: ResponseHeader | undefined
  readonly users: readonly string[]
}
export const AuthUserListResponse: Message<AuthUserListResponse> =
  defineMessage<AuthUserListResponse>('etcdserverpb.AuthUserListResponse', {
    header: message(1, ResponseHeader),
    users: repeated(string(2)),
  })

export interface AuthUserDeleteRequest {
  readonly name: string
}
export const AuthUserDeleteRequest: Message<AuthUserDeleteRequest> =
  defineMessage<AuthUserDeleteRequest>('etcdserverpb.AuthUserDeleteRequest', {
    name: string(1),
  })

export interface AuthUserDeleteResponse {
  readonly header: ResponseHeader | undefined
}
export const AuthUserDeleteResponse: Message<AuthUserDeleteResponse> =
  defineMessage<AuthUserDeleteResponse>('etcdserverpb.AuthUserDeleteResponse', {
    header: message(1, ResponseHeader),
  })

export interface AuthUserChangePasswordRequest {
  readonly name: string
  readonly password: string
  /** Since 3.5. */
  readonly hashedPassword: string
}
export const AuthUserChangePasswordRequest: Message<AuthUserChangePasswordRequest> =
  defineMessage<AuthUserChangePasswordRequest>('etcdserverpb.AuthUserChangePasswordRequest', {
    name: string(1),
    password: string(2),
    hashedPassword: string(3, 'hashedPassword'),
  })

export interface AuthUserChangePasswordResponse {
  readonly header: ResponseHeader | undefined
}
export const AuthUserChangePasswordResponse: Message<AuthUserChangePasswordResponse> =
  defineMessage<AuthUserChangePasswordResponse>('etcdserverpb.AuthUserChangePasswordResponse', {
    header: message(1, ResponseHeader),
  })

export interface AuthUserGrantRoleRequest {
  readonly user: string
  readonly role: string
}
export const AuthUserGrantRoleRequest: Message<AuthUserGrantRoleRequest> =
  defineMessage<AuthUserGrantRoleRequest>('etcdserverpb.AuthUserGrantRoleRequest', {
    user: string(1),
    role: string(2),
  })

export interface AuthUserGrantRoleResponse {
  readonly header: ResponseHeader | undefined
}
export const AuthUserGrantRoleResponse: Message<AuthUserGrantRoleResponse> =
  defineMessage<AuthUserGrantRoleResponse>('etcdserverpb.AuthUserGrantRoleResponse', {
    header: message(1, ResponseHeader),
  })

export interface AuthUserRevokeRoleRequest {
  readonly name: string
  readonly role: string
}
export const AuthUserRevokeRoleRequest: Message<AuthUserRevokeRoleRequest> =
  defineMessage<AuthUserRevokeRoleRequest>('etcdserverpb.AuthUserRevokeRoleRequest', {
    name: string(1),
    role: string(2),
  })

export interface AuthUserRevokeRoleResponse {
  readonly header: ResponseHeader | undefined
}
export const AuthUserRevokeRoleResponse: Message<AuthUserRevokeRoleResponse> =
  defineMessage<AuthUserRevokeRoleResponse>('etcdserverpb.AuthUserRevokeRoleResponse', {
    header: message(1, ResponseHeader),
  })

export interface AuthRoleAddRequest {
  readonly name: string
}
export const AuthRoleAddRequest: Message<AuthRoleAddRequest> = defineMessage<AuthRoleAddRequest>(
  'etcdserverpb.AuthRoleAddRequest',
  {
    name: string(1),
  },
)

export interface AuthRoleAddResponse {
  readonly header: ResponseHeader | undefined
}
export const AuthRoleAddResponse: Message<AuthRoleAddResponse> = defineMessage<AuthRoleAddResponse>(
  'etcdserverpb.AuthRoleAddResponse',
  {
    header: message(1, ResponseHeader),
  },
)

export interface AuthRoleGetRequest {
  readonly role: string
}
export const AuthRoleGetRequest: Message<AuthRoleGetRequest> = defineMessage<AuthRoleGetRequest>(
  'etcdserverpb.AuthRoleGetRequest',
  {
    role: string(1),
  },
)

export interface AuthRoleGetResponse {
  readonly header: ResponseHeader | undefined
  readonly perm: readonly Permission[]
}
export const AuthRoleGetResponse: Message<AuthRoleGetResponse> = defineMessage<AuthRoleGetResponse>(
  'etcdserverpb.AuthRoleGetResponse',
  {
    header: message(1, ResponseHeader),
    perm: repeated(message(2, Permission)),
  },
)

export type AuthRoleListRequest = Empty
export const AuthRoleListRequest: Message<AuthRoleListRequest> = defineMessage<AuthRoleListRequest>(
  'etcdserverpb.AuthRoleListRequest',
  {},
)

export interface AuthRoleListResponse {
  readonly header: ResponseHeader | undefined
  readonly roles: readonly string[]
}
export const AuthRoleListResponse: Message<AuthRoleListResponse> =
  defineMessage<AuthRoleListResponse>('etcdserverpb.AuthRoleListResponse', {
    header: message(1, ResponseHeader),
    roles: repeated(string(2)),
  })

export interface AuthRoleDeleteRequest {
  readonly role: string
}
export const AuthRoleDeleteRequest: Message<AuthRoleDeleteRequest> =
  defineMessage<AuthRoleDeleteRequest>('etcdserverpb.AuthRoleDeleteRequest', {
    role: string(1),
  })

export interface AuthRoleDeleteResponse {
  readonly header: ResponseHeader | undefined
}
export const AuthRoleDeleteResponse: Message<AuthRoleDeleteResponse> =
  defineMessage<AuthRoleDeleteResponse>('etcdserverpb.AuthRoleDeleteResponse', {
    header: message(1, ResponseHeader),
  })

export interface AuthRoleGrantPermissionRequest {
  readonly name: string
  readonly perm: Permission | undefined
}
export const AuthRoleGrantPermissionRequest: Message<AuthRoleGrantPermissionRequest> =
  defineMessage<AuthRoleGrantPermissionRequest>('etcdserverpb.AuthRoleGrantPermissionRequest', {
    name: string(1),
    perm: message(2, Permission),
  })

export interface AuthRoleGrantPermissionResponse {
  readonly header: ResponseHeader | undefined
}
export const AuthRoleGrantPermissionResponse: Message<AuthRoleGrantPermissionResponse> =
  defineMessage<AuthRoleGrantPermissionResponse>('etcdserverpb.AuthRoleGrantPermissionResponse', {
    header: message(1, ResponseHeader),
  })

export interface AuthRoleRevokePermissionRequest {
  readonly role: string
  readonly key: Uint8Array
  readonly rangeEnd: Uint8Array
}
export const AuthRoleRevokePermissionRequest: Message<AuthRoleRevokePermissionRequest> =
  defineMessage<AuthRoleRevokePermissionRequest>('etcdserverpb.AuthRoleRevokePermissionRequest', {
    role: string(1),
    key: bytes(2),
    rangeEnd: bytes(3),
  })

export interface AuthRoleRevokePermissionResponse {
  readonly header: ResponseHeader | undefined
}
export const AuthRoleRevokePermissionResponse: Message<AuthRoleRevokePermissionResponse> =
  defineMessage<AuthRoleRevokePermissionResponse>('etcdserverpb.AuthRoleRevokePermissionResponse', {
    header: message(1, ResponseHeader),
  })

export const AuthService: {
  readonly authEnable: RpcMethod<AuthEnableRequest, AuthEnableResponse>
  readonly authDisable: RpcMethod<AuthDisableRequest, AuthDisableResponse>
  readonly authStatus: RpcMethod<AuthStatusRequest, AuthStatusResponse>
  readonly authenticate: RpcMethod<AuthenticateRequest, AuthenticateResponse>
  readonly userAdd: RpcMethod<AuthUserAddRequest, AuthUserAddResponse>
  readonly userGet: RpcMethod<AuthUserGetRequest, AuthUserGetResponse>
  readonly userList: RpcMethod<AuthUserListRequest, AuthUserListResponse>
  readonly userDelete: RpcMethod<AuthUserDeleteRequest, AuthUserDeleteResponse>
  readonly userChangePassword: RpcMethod<
    AuthUserChangePasswordRequest,
    AuthUserChangePasswordResponse
  >
  readonly userGrantRole: RpcMethod<AuthUserGrantRoleRequest, AuthUserGrantRoleResponse>
  readonly userRevokeRole: RpcMethod<AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse>
  readonly roleAdd: RpcMethod<AuthRoleAddRequest, AuthRoleAddResponse>
  readonly roleGet: RpcMethod<AuthRoleGetRequest, AuthRoleGetResponse>
  readonly roleList: RpcMethod<AuthRoleListRequest, AuthRoleListResponse>
  readonly roleDelete: RpcMethod<AuthRoleDeleteRequest, AuthRoleDeleteResponse>
  readonly roleGrantPermission: RpcMethod<
    AuthRoleGrantPermissionRequest,
    AuthRoleGrantPermissionResponse
  >
  readonly roleRevokePermission: RpcMethod<
    AuthRoleRevokePermissionRequest,
    AuthRoleRevokePermissionResponse
  >
} = {
  authEnable: rpcMethod(
    'etcdserverpb.Auth/AuthEnable',
    'unary',
    [AuthEnableRequest, AuthEnableResponse],
    ['/v3/auth/enable'],
  ),
  authDisable: rpcMethod(
    'etcdserverpb.Auth/AuthDisable',
    'unary',
    [AuthDisableRequest, AuthDisableResponse],
    ['/v3/auth/disable'],
  ),
  authStatus: rpcMethod(
    'etcdserverpb.Auth/AuthStatus',
    'unary',
    [AuthStatusRequest, AuthStatusResponse],
    ['/v3/auth/status'],
  ),
  authenticate: rpcMethod(
    'etcdserverpb.Auth/Authenticate',
    'unary',
    [AuthenticateRequest, AuthenticateResponse],
    ['/v3/auth/authenticate'],
  ),
  userAdd: rpcMethod(
    'etcdserverpb.Auth/UserAdd',
    'unary',
    [AuthUserAddRequest, AuthUserAddResponse],
    ['/v3/auth/user/add'],
  ),
  userGet: rpcMethod(
    'etcdserverpb.Auth/UserGet',
    'unary',
    [AuthUserGetRequest, AuthUserGetResponse],
    ['/v3/auth/user/get'],
  ),
  userList: rpcMethod(
    'etcdserverpb.Auth/UserList',
    'unary',
    [AuthUserListRequest, AuthUserListResponse],
    ['/v3/auth/user/list'],
  ),
  userDelete: rpcMethod(
    'etcdserverpb.Auth/UserDelete',
    'unary',
    [AuthUserDeleteRequest, AuthUserDeleteResponse],
    ['/v3/auth/user/delete'],
  ),
  userChangePassword: rpcMethod(
    'etcdserverpb.Auth/UserChangePassword',
    'unary',
    [AuthUserChangePasswordRequest, AuthUserChangePasswordResponse],
    ['/v3/auth/user/changepw'],
  ),
  userGrantRole: rpcMethod(
    'etcdserverpb.Auth/UserGrantRole',
    'unary',
    [AuthUserGrantRoleRequest, AuthUserGrantRoleResponse],
    ['/v3/auth/user/grant'],
  ),
  userRevokeRole: rpcMethod(
    'etcdserverpb.Auth/UserRevokeRole',
    'unary',
    [AuthUserRevokeRoleRequest, AuthUserRevokeRoleResponse],
    ['/v3/auth/user/revoke'],
  ),
  roleAdd: rpcMethod(
    'etcdserverpb.Auth/RoleAdd',
    'unary',
    [AuthRoleAddRequest, AuthRoleAddResponse],
    ['/v3/auth/role/add'],
  ),
  roleGet: rpcMethod(
    'etcdserverpb.Auth/RoleGet',
    'unary',
    [AuthRoleGetRequest, AuthRoleGetResponse],
    ['/v3/auth/role/get'],
  ),
  roleList: rpcMethod(
    'etcdserverpb.Auth/RoleList',
    'unary',
    [AuthRoleListRequest, AuthRoleListResponse],
    ['/v3/auth/role/list'],
  ),
  roleDelete: rpcMethod(
    'etcdserverpb.Auth/RoleDelete',
    'unary',
    [AuthRoleDeleteRequest, AuthRoleDeleteResponse],
    ['/v3/auth/role/delete'],
  ),
  roleGrantPermission: rpcMethod(
    'etcdserverpb.Auth/RoleGrantPermission',
    'unary',
    [AuthRoleGrantPermissionRequest, AuthRoleGrantPermissionResponse],
    ['/v3/auth/role/grant'],
  ),
  roleRevokePermission: rpcMethod(
    'etcdserverpb.Auth/RoleRevokePermission',
    'unary',
    [AuthRoleRevokePermissionRequest, AuthRoleRevokePermissionResponse],
    ['/v3/auth/role/revoke'],
  ),
}
