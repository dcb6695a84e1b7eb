/**
 * The errors of etcd's API. Clients tell them apart by their text, so every byte of it counts.
 *
 * etcd answers with `MemberNotEnoughStarted` and `RequestTooManyRequests` as UNKNOWN, because it
 * hands on the values that it has for clients; here they have the codes of their declarations.
 *
 * Source: etcd api/v3rpc/rpctypes/error.go (names, codes and texts).
 */

/**
 * Every error by etcd's name for it, without its `ErrGRPC`: gRPC's status code, and the text.
 *
 * The codes: 1 cancelled, 3 invalid argument, 4 deadline exceeded, 5 not found, 7 permission
 * denied, 8 resource exhausted, 9 failed precondition, 11 out of range, 14 unavailable, 15 data
 * loss, 16 unauthenticated.
 */
export const RPC_ERRORS = {
  EmptyKey: { code: 3, text: 'etcdserver: key is not provided' },
  KeyNotFound: { code: 3, text: 'etcdserver: key not found' },
  ValueProvided: { code: 3, text: 'etcdserver: value is provided' },
  LeaseProvided: { code: 3, text: 'etcdserver: lease is provided' },
  TooManyOps: { code: 3, text: 'etcdserver: too many operations in txn request' },
  DuplicateKey: { code: 3, text: 'etcdserver: duplicate key given in txn request' },
  InvalidClientAPIVersion: {
    code: 3,
    text: 'etcdserver: invalid client api version',
  },
  InvalidSortOption: { code: 3, text: 'etcdserver: invalid sort option' },
  Compacted: { code: 11, text: 'etcdserver: mvcc: required revision has been compacted' },
  FutureRev: {
    code: 11,
    text: 'etcdserver: mvcc: required revision is a future revision',
  },
  NoSpace: { code: 8, text: 'etcdserver: mvcc: database space exceeded' },
  LeaseNotFound: { code: 5, text: 'etcdserver: requested lease not found' },
  LeaseExist: { code: 9, text: 'etcdserver: lease already exists' },
  LeaseTTLTooLarge: { code: 11, text: 'etcdserver: too large lease TTL' },
  WatchCanceled: { code: 1, text: 'etcdserver: watch canceled' },
  MemberExist: { code: 9, text: 'etcdserver: member ID already exist' },
  PeerURLExist: { code: 9, text: 'etcdserver: Peer URLs already exists' },
  MemberNotEnoughStarted: {
    code: 9,
    text: 'etcdserver: re-configuration failed due to not enough started members',
  },
  MemberBadURLs: { code: 3, text: 'etcdserver: given member URLs are invalid' },
  MemberNotFound: { code: 5, text: 'etcdserver: member not found' },
  MemberNotLearner: {
    code: 9,
    text: 'etcdserver: can only promote a learner member',
  },
  LearnerNotReady: {
    code: 9,
    text: 'etcdserver: can only promote a learner member which is in sync with leader',
  },
  TooManyLearners: {
    code: 9,
    text: 'etcdserver: too many learner members in cluster',
  },
  ClusterIDMismatch: { code: 9, text: 'etcdserver: cluster ID mismatch' },
  RequestTooLarge: { code: 3, text: 'etcdserver: request is too large' },
  RequestTooManyRequests: { code: 8, text: 'etcdserver: too many requests' },
  RootUserNotExist: { code: 9, text: 'etcdserver: root user does not exist' },
  RootRoleNotExist: {
    code: 9,
    text: 'etcdserver: root user does not have root role',
  },
  UserAlreadyExist: { code: 9, text: 'etcdserver: user name already exists' },
  UserEmpty: { code: 3, text: 'etcdserver: user name is empty' },
  UserNotFound: { code: 9, text: 'etcdserver: user name not found' },
  RoleAlreadyExist: { code: 9, text: 'etcdserver: role name already exists' },
  RoleNotFound: { code: 9, text: 'etcdserver: role name not found' },
  RoleEmpty: { code: 3, text: 'etcdserver: role name is empty' },
  AuthFailed: {
    code: 3,
    text: 'etcdserver: authentication failed, invalid user ID or password',
  },
  PermissionNotGiven: { code: 3, text: 'etcdserver: permission not given' },
  PermissionDenied: { code: 7, text: 'etcdserver: permission denied' },
  RoleNotGranted: {
    code: 9,
    text: 'etcdserver: role is not granted to the user',
  },
  PermissionNotGranted: {
    code: 9,
    text: 'etcdserver: permission is not granted to the role',
  },
  AuthNotEnabled: { code: 9, text: 'etcdserver: authentication is not enabled' },
  InvalidAuthToken: { code: 16, text: 'etcdserver: invalid auth token' },
  InvalidAuthMgmt: { code: 3, text: 'etcdserver: invalid auth management' },
  AuthOldRevision: { code: 3, text: 'etcdserver: revision of auth store is old' },
  NoLeader: { code: 14, text: 'etcdserver: no leader' },
  NotLeader: { code: 9, text: 'etcdserver: not leader' },
  LeaderChanged: { code: 14, text: 'etcdserver: leader changed' },
  NotCapable: { code: 9, text: 'etcdserver: not capable' },
  Stopped: { code: 14, text: 'etcdserver: server stopped' },
  Timeout: { code: 14, text: 'etcdserver: request timed out' },
  TimeoutDueToLeaderFail: {
    code: 14,
    text: 'etcdserver: request timed out, possibly due to previous leader failure',
  },
  TimeoutDueToConnectionLost: {
    code: 14,
    text: 'etcdserver: request timed out, possibly due to connection lost',
  },
  TimeoutWaitAppliedIndex: {
    code: 14,
    text: 'etcdserver: request timed out, waiting for the applied index took too long',
  },
  Unhealthy: { code: 14, text: 'etcdserver: unhealthy cluster' },
  Corrupt: { code: 15, text: 'etcdserver: corrupt cluster' },
  NotSupportedForLearner: {
    code: 9,
    text: 'etcdserver: rpc not supported for learner',
  },
  BadLeaderTransferee: { code: 9, text: 'etcdserver: bad leader transferee' },
  WrongDowngradeVersionFormat: {
    code: 3,
    text: 'etcdserver: wrong downgrade target version format',
  },
  InvalidDowngradeTargetVersion: {
    code: 3,
    text: 'etcdserver: invalid downgrade target version',
  },
  ClusterVersionUnavailable: {
    code: 9,
    text: 'etcdserver: cluster version not found during downgrade',
  },
  DowngradeInProcess: {
    code: 9,
    text: 'etcdserver: cluster has a downgrade job in progress',
  },
  NoInflightDowngrade: { code: 9, text: 'etcdserver: no inflight downgrade job' },
  Canceled: { code: 1, text: 'etcdserver: request canceled' },
  DeadlineExceeded: { code: 4, text: 'etcdserver: context deadline exceeded' },
} as const

export type RpcErrorName = keyof typeof RPC_ERRORS

const nameOfText: ReadonlyMap<string, RpcErrorName> = new Map(
  Object.entries(RPC_ERRORS).map(([name, { text }]) => [text, name as RpcErrorName]),
)

/** The error that a status's text stands for; undefined for a text that is not etcd's. */
export function rpcErrorOfText(text: string): RpcErrorName | undefined {
  return nameOfText.get(text)
}
