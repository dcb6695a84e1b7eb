/** Our schemas against etcd's own .proto files, and our bytes against protobufjs's. */

import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { encodeMessage } from '../../proto/encode.ts'
import { RPC_ERRORS } from '../../proto/rpc-errors.ts'
import { METHODS } from '../../proto/services.ts'
import type { FieldInfo, Raw, Shape } from '../../proto/shape.ts'
import { effort } from '../effort.ts'
import { SHAPES, anyMessage } from '../rpc/messages.ts'
import { declared, etcdProtos, etcdSource } from './protos.ts'

const root = etcdProtos()
const types = [...declared(root)].filter((object) => object instanceof protobuf.Type)
const services = [...declared(root)].filter((object) => object instanceof protobuf.Service)
const nameOf = (object: protobuf.ReflectionObject): string => object.fullName.slice(1)

/** Messages, fields and methods that etcd 3.4 hasn't, with the version that brought them. */
const LATER: Readonly<Record<string, string>> = {
  '/etcdserverpb.Auth/AuthStatus': '3.5',
  '/etcdserverpb.KV/RangeStream': '3.7',
  '/etcdserverpb.Maintenance/Downgrade': '3.5',
  '/grpc.health.v1.Health/Check': "gRPC's own",
  '/grpc.health.v1.Health/Watch': "gRPC's own",
  'etcdserverpb.AuthStatusRequest': '3.5',
  'etcdserverpb.AuthStatusResponse': '3.5',
  'etcdserverpb.AuthUserAddRequest.hashedPassword': '3.5',
  'etcdserverpb.AuthUserChangePasswordRequest.hashedPassword': '3.5',
  'etcdserverpb.DowngradeInfo': '3.6',
  'etcdserverpb.DowngradeRequest': '3.5',
  'etcdserverpb.DowngradeResponse': '3.5',
  'etcdserverpb.HashKVResponse.hash_revision': '3.6',
  'etcdserverpb.MemberListRequest.linearizable': '3.5',
  'etcdserverpb.RangeStreamResponse': '3.7',
  'etcdserverpb.SnapshotResponse.version': '3.6',
  'etcdserverpb.StatusResponse.dbSizeQuota': '3.6',
  'etcdserverpb.StatusResponse.downgradeInfo': '3.6',
  'etcdserverpb.StatusResponse.storageVersion': '3.6',
  'grpc.health.v1.HealthCheckRequest': "gRPC's own",
  'grpc.health.v1.HealthCheckResponse': "gRPC's own",
}

const PROTO_KINDS: Readonly<Record<string, string>> = { id: 'int64', uid: 'uint64' }

function describeOurs(field: FieldInfo): unknown {
  const kind = PROTO_KINDS[field.kind] ?? field.kind
  return {
    number: field.number,
    name: field.protoName,
    kind: kind === 'message' ? field.shape.name : kind,
    values: field.values ?? {},
    isRepeated: field.isRepeated,
    oneof: field.oneof,
  }
}

function describeTheirs(field: protobuf.Field): unknown {
  const type = field.resolvedType
  return {
    number: field.id,
    name: field.name,
    kind: type === null ? field.type : type instanceof protobuf.Enum ? 'enum' : nameOf(type),
    values: type instanceof protobuf.Enum ? { ...type.values } : {},
    isRepeated: field.repeated,
    oneof: field.partOf?.name,
  }
}

describe('our schemas and the .proto files of etcd 3.4', () => {
  test('every message is ours, too, with the same fields', () => {
    expect(types.length).toBeGreaterThan(90)
    for (const type of types) {
      const shape = SHAPES.get(nameOf(type))
      expect(shape, nameOf(type)).toBeDefined()
      const known = new Set(type.fieldsArray.map((field) => field.id))
      const ours = shape!.fields.filter((field) => known.has(field.number)).map(describeOurs)
      const theirs = type.fieldsArray.toSorted((a, b) => a.id - b.id).map(describeTheirs)
      expect(ours, nameOf(type)).toEqual(theirs)
    }
  })

  test('what is ours alone came with a later version', () => {
    const extra: string[] = []
    for (const shape of SHAPES.values()) {
      const type = types.find((one) => nameOf(one) === shape.name)
      if (type === undefined) extra.push(shape.name)
      else {
        const known = new Set(type.fieldsArray.map((field) => field.id))
        for (const field of shape.fields) {
          if (!known.has(field.number)) extra.push(`${shape.name}.${field.protoName}`)
        }
      }
    }
    const paths = new Set(
      services.flatMap((one) => one.methodsArray.map((method) => `/${nameOf(one)}/${method.name}`)),
    )
    extra.push(...METHODS.map((method) => method.path).filter((path) => !paths.has(path)))
    expect(extra.toSorted()).toEqual(Object.keys(LATER).toSorted())
  })

  test('every method is ours, too, with the same messages and paths of the gateway', () => {
    const ours = new Map(METHODS.map((method) => [method.path, method]))
    for (const service of services) {
      for (const method of service.methodsArray) {
        const path = `/${nameOf(service)}/${method.name}`
        const mine = ours.get(path)
        expect(mine, path).toBeDefined()
        expect(mine!.request.name, path).toBe(nameOf(method.resolvedRequestType!))
        expect(mine!.response.name, path).toBe(nameOf(method.resolvedResponseType!))
        const kind =
          method.requestStream === true
            ? 'bidiStream'
            : method.responseStream === true
              ? 'serverStream'
              : 'unary'
        expect(mine!.kind, path).toBe(kind)
        const posts = JSON.stringify(method.parsedOptions).matchAll(/"post":"([^"]*)"/g)
        const theirs = [...posts].map((match) => match[1])
        // 3.4 gave two methods one path; etcd has mended it since.
        const mended =
          path === '/etcdserverpb.Maintenance/HashKV' ? ['/v3/maintenance/hash'] : undefined
        expect(theirs, path).toEqual(mended ?? mine!.gatewayPaths)
      }
    }
  })

  test('errors have the same codes and texts', () => {
    const source = etcdSource('etcdserver/api/v3rpc/rpctypes/error.go')
    const lines = source.matchAll(/ErrGRPC(\w+)\s*=\s*status\.New\(codes\.(\w+), "(.*)"\)/g)
    const theirs = [...lines].map(([, name, code, text]) => [name!, code!, text!] as const)
    expect(theirs.length).toBeGreaterThan(40)
    const otherwise: unknown[] = []
    for (const [name, code, text] of theirs) {
      const mine = new Map(Object.entries<object>(RPC_ERRORS)).get(name)
      const wanted = { code: GO_CODES[code], text }
      if (!isDeepStrictEqual({ ...mine }, wanted)) otherwise.push([name, wanted])
    }
    expect(otherwise).toEqual(CHANGED_SINCE)
  })
})

/** What 3.4 has, where etcd has another code today. */
const CHANGED_SINCE: readonly unknown[] = [
  ['NotCapable', { code: 14, text: 'etcdserver: not capable' }],
]

const GO_CODES: Readonly<Record<string, number>> = {
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  OutOfRange: 11,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
}

/** The message as protobufjs takes it, without fields that 3.4 hasn't. */
function forThem(shape: Shape, message: Raw, type: protobuf.Type): Raw {
  const given: Raw = {}
  for (const field of shape.fields) {
    const theirs = type.fieldsById[field.number]
    const value = message[field.name]
    const isDefault =
      value instanceof Uint8Array ? value.length === 0 : value === field.defaultValue
    if (theirs === undefined || value === undefined || (isDefault && !field.hasPresence)) continue
    const one = (inner: unknown): unknown => {
      if (field.kind === 'message') {
        return forThem(field.shape, inner as Raw, theirs.resolvedType as protobuf.Type)
      }
      const isLong = ['int64', 'uint64', 'id', 'uid'].includes(field.kind)
      return isLong ? String(inner) : inner
    }
    given[field.protoName] = field.isRepeated ? (value as unknown[]).map(one) : one(value)
  }
  return given
}

/** The message without fields that 3.4 hasn't. */
function olden(shape: Shape, message: Raw, type: protobuf.Type): Raw {
  const given: Raw = {}
  for (const field of shape.fields) {
    const theirs = type.fieldsById[field.number]
    const value = message[field.name]
    if (theirs === undefined || value === undefined) continue
    const one = (inner: unknown): unknown =>
      field.kind === 'message'
        ? olden(field.shape, inner as Raw, theirs.resolvedType as protobuf.Type)
        : inner
    given[field.name] = field.isRepeated ? (value as unknown[]).map(one) : one(value)
  }
  return given
}

test('messages of every type have the bytes that protobufjs gives them', () => {
  const byName = new Map(types.map((type) => [nameOf(type), type]))
  const counts = { compared: 0 }
  fc.assert(
    fc.property(anyMessage, ({ shape, message }) => {
      const type = byName.get(shape.name)
      if (type === undefined) return
      const theirs = type.encode(type.fromObject(forThem(shape, message, type))).finish()
      const ours = encodeMessage(shape, olden(shape, message, type))
      expect(Buffer.from(ours).toString('hex')).toBe(Buffer.from(theirs).toString('hex'))
      counts.compared++
    }),
    { numRuns: effort({ smoke: 1000, ci: 5000, soak: 100_000 }) },
  )
  expect(counts.compared).toBeGreaterThan(0)
})
