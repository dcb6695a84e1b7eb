/** etcd 3.4's own .proto files, of Debian's package golang-etcd-server-dev, read by protobufjs. */

import { readFileSync } from 'node:fs'
import protobuf from 'protobufjs'

const HOME = '/usr/share/gocode/src/go.etcd.io/etcd'

const FILES = [
  'mvcc/mvccpb/kv.proto',
  'auth/authpb/auth.proto',
  'etcdserver/etcdserverpb/rpc.proto',
  'etcdserver/api/v3lock/v3lockpb/v3lock.proto',
  'etcdserver/api/v3election/v3electionpb/v3election.proto',
]

/** A file of etcd's sources, as text. */
export function etcdSource(path: string): string {
  return readFileSync(`${HOME}/${path}`, 'utf8')
}

/** All declarations of the five files, with names as they are spelled there. */
export function etcdProtos(): protobuf.Root {
  const root = new protobuf.Root()
  for (const path of FILES) protobuf.parse(etcdSource(path), root, { keepCase: true })
  root.resolveAll()
  return root
}

/** What is declared in `space`, and further inside. */
export function* declared(space: protobuf.NamespaceBase): Generator<protobuf.ReflectionObject> {
  for (const object of space.nestedArray) {
    yield object
    if (object instanceof protobuf.Namespace) yield* declared(object)
  }
}
