/** `revbolt lease`. */
import type { Lease, LeaseInfo } from '../../index.ts'
import { parseCount } from '../bolt/call.ts'
import type { Call } from '../bolt/command.ts'
import { EXIT } from '../bolt/command.ts'
import { Failure } from '../bolt/failure.ts'
import { labelled, printJson } from '../bolt/output.ts'
import { alignRows, formatCount, plural } from '../format.ts'
import type { BytesFormat } from './bytes.ts'
import { jsonOf, jsonOfFields, readBytesFormat, showBytes } from './bytes.ts'
import type { StoreCommand, StoreSetting, Work } from './command.ts'
import { showLease } from './entry.ts'
import { readLease } from './lease-id.ts'

/** With the id as this program takes it, beside the digits that the store's JSON has. */
function jsonOfLease(lease: Lease | LeaseInfo<Uint8Array>, format: BytesFormat): object {
  const { id, ttlSeconds } = lease
  const left = 'keys' in lease ? { remainingSeconds: lease.remainingSeconds, keys: lease.keys } : {}
  return { id: String(id), hex: showLease(id), ...jsonOfFields({ ttlSeconds, ...left }, format) }
}

function readId(call: Call): bigint {
  return readLease(call.positionals[0] ?? '', 'ID')
}

function noLease(id: bigint): Failure {
  const hints = ['it was revoked, or its time is up: `revbolt lease list` shows all']
  return new Failure(EXIT.found, `there is no lease ${showLease(id)}`, { hints })
}

const grant: StoreCommand = {
  name: 'grant',
  positionals: 'SECONDS',
  counts: [1, 1],
  summary: 'make a lease',
  details: 'Makes a lease that ends after SECONDS, at least 2, unless it is renewed before.',
  examples: ['revbolt lease grant 60', 'revbolt put up/node-1 yes --lease 2040a20534f1920d'],
  options: {
    id: { type: 'string', value: 'ID', help: 'its id, in hex; by default a random one' },
  },
  access: 'create',
  prepare: (call: Call, { screen, signal }: StoreSetting): Work => {
    const ttlSeconds = parseCount(call.positionals[0] ?? '', 'SECONDS', 1)
    const idWord = call.text('id')
    const id = idWord === undefined ? undefined : readLease(idWord, '--id')
    return async (db) => {
      const lease = await db.grant({ ttlSeconds, id, signal })
      if (call.isJson) printJson(screen, jsonOfLease(lease, 'text'))
      else screen.print(`lease ${showLease(lease.id)}, ${seconds(lease.ttlSeconds)}`)
      return EXIT.ok
    }
  },
}

const renew: StoreCommand = {
  name: 'renew',
  positionals: 'ID',
  counts: [1, 1],
  summary: 'give a lease its full time again',
  details: 'Renews a lease once.',
  examples: ['revbolt lease renew 2040a20534f1920d'],
  options: {},
  access: 'write',
  prepare: (call: Call, { screen, signal }: StoreSetting): Work => {
    const id = readId(call)
    return async (db) => {
      const lease = await db.renew(id, { signal })
      if (call.isJson) printJson(screen, jsonOfLease(lease, 'text'))
      else screen.print(`lease ${showLease(id)} has ${seconds(lease.ttlSeconds)} again`)
      return EXIT.ok
    }
  },
}

const revoke: StoreCommand = {
  name: 'revoke',
  positionals: 'ID',
  counts: [1, 1],
  summary: 'end a lease and delete its keys',
  details: 'Ends a lease now, and deletes all keys that are attached to it in one revision.',
  examples: ['revbolt lease revoke 2040a20534f1920d'],
  options: {},
  access: 'write',
  prepare: (call: Call, { screen, signal }: StoreSetting): Work => {
    const id = readId(call)
    return async (db) => {
      const before = await db.lease(id, { keys: true, signal })
      const { revision } = await db.revoke(id, { signal })
      const deleted = before?.keys.length ?? 0
      const made = deleted === 0 ? '' : `, revision ${revision}`
      if (call.isJson) printJson(screen, jsonOf({ revision, deleted }, 'text'))
      else {
        screen.print(`lease ${showLease(id)} ended: ${plural(deleted, 'key')} deleted${made}`)
      }
      return EXIT.ok
    }
  },
}

const info: StoreCommand = {
  name: 'info',
  positionals: 'ID',
  counts: [1, 1],
  summary: 'what is left of a lease, and its keys',
  details: 'Shows what time a lease has left, and which keys end with it.',
  examples: ['revbolt lease info 2040a20534f1920d'],
  options: {},
  access: 'read',
  prepare: (call: Call, { screen, signal }: StoreSetting): Work => {
    const id = readId(call)
    const format = readBytesFormat(call)
    return async (db) => {
      const lease = await db.lease(id, { keys: true, signal })
      if (lease === undefined) throw noLease(id)
      if (call.isJson) {
        printJson(screen, jsonOfLease(lease, format))
        return EXIT.ok
      }
      labelled(screen, [
        ['lease', showLease(id)],
        ['left', leftOf(lease)],
        ['keys', plural(lease.keys.length, 'key')],
      ])
      for (const key of lease.keys) screen.print(`  ${showBytes(key, format)}`)
      return EXIT.ok
    }
  },
}

function leftOf({ remainingSeconds, ttlSeconds }: LeaseInfo<Uint8Array>): string {
  return `${seconds(remainingSeconds)} of ${seconds(ttlSeconds)}`
}

/** As they are given: `lease grant` takes seconds, too. */
function seconds(count: number): string {
  return `${formatCount(count)} s`
}

const list: StoreCommand = {
  name: 'list',
  positionals: '',
  counts: [0, 0],
  summary: 'all leases, soonest to end first',
  details: 'Shows each lease with the time it has left and how many keys end with it.',
  examples: ['revbolt lease list'],
  options: {},
  access: 'read',
  prepare: (call: Call, { screen, signal }: StoreSetting): Work => {
    const format = readBytesFormat(call)
    return async (db) => {
      const found: LeaseInfo<Uint8Array>[] = []
      for (const id of await db.leases({ signal })) {
        const lease = await db.lease(id, { keys: true, signal })
        if (lease !== undefined) found.push(lease)
      }
      if (call.isJson) {
        printJson(screen, { leases: found.map((lease) => jsonOfLease(lease, format)) })
        return EXIT.ok
      }
      const rows = found.map((lease) => [
        showLease(lease.id),
        leftOf(lease),
        plural(lease.keys.length, 'key'),
      ])
      for (const row of alignRows(rows, ['left', 'left', 'left'])) screen.print(row)
      return EXIT.ok
    }
  },
}

export const LEASE_COMMANDS: readonly StoreCommand[] = [grant, renew, revoke, info, list]
