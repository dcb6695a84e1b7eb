/** What the behaviour suite doesn't reach yet: compaction, leases, and the events of a revision. */
import { describe, expect, test } from 'vitest'
import { CompactedError, isKvError } from '../../base/errors.ts'
import { Model } from './model.ts'
import type { Step, TxnQuery } from './request.ts'
import type { ModelEvent } from './row.ts'

function put(key: string, value: string, lease = 0n): Step {
  return { type: 'put', key, value, lease }
}

function deletePrefix(prefix: string): Step {
  return { type: 'delete', keys: (key) => key.startsWith(prefix) }
}

function run(model: Model, ...success: readonly Step[]): void {
  const query: TxnQuery = { conditions: [], success, failure: [] }
  model.accept(model.propose(query))
}

function rows(model: Model, revision = model.revision): string[] {
  return model.at(revision).map((row) => `${row.key}=${row.value}`)
}

function brief(event: ModelEvent): string {
  const before = event.previous === undefined ? 'none' : event.previous.value
  if (event.type === 'delete') return `delete ${event.key} m${event.modRevision} was ${before}`
  return `put ${event.row.key}=${event.row.value} m${event.row.modRevision} was ${before}`
}

function codeOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (isKvError(error)) return error.code
    throw error
  }
  return 'not refused'
}

describe('Model', () => {
  test('eventsOf() tells what a revision did, in order, with what was there before', () => {
    const model = new Model()
    run(model, put('a', '1'), put('b', '1'))
    run(model, deletePrefix('a'), put('c', '1'), put('b', '2'), deletePrefix('x'))
    expect(model.eventsOf(1)).toEqual([])
    expect(model.eventsOf(2).map((event) => brief(event))).toEqual([
      'put a=1 m2 was none',
      'put b=1 m2 was none',
    ])
    expect(model.eventsOf(3).map((event) => brief(event))).toEqual([
      'delete a m3 was 1',
      'put c=1 m3 was none',
      'put b=2 m3 was 1',
    ])
  })

  test('propose() changes nothing', () => {
    const model = new Model()
    run(model, put('a', '1'))
    model.propose({ conditions: [], success: [put('a', '2')], failure: [] })
    expect([model.revision, rows(model)]).toEqual([2, ['a=1']])
  })

  test('compact() forgets the revisions below, and keeps the one it names', () => {
    const model = new Model()
    for (const value of ['1', '2', '3']) run(model, put('a', value))
    model.compact(3)
    expect(rows(model, 3)).toEqual(['a=2'])
    expect(rows(model)).toEqual(['a=3'])
    expect(() => model.at(2)).toThrow(CompactedError)
    expect(codeOf(() => model.compact(3))).toBe('KV_COMPACTED')
    expect(codeOf(() => model.compact(5))).toBe('KV_FUTURE_REVISION')
    model.compact(4)
    expect(model.compactedRevision).toBe(4)
  })

  test('revoke() deletes the keys of a lease in key order in one revision', () => {
    const model = new Model()
    model.grant(7n)
    run(model, put('b', '1', 7n), put('a', '1', 7n), put('c', '1'))
    run(model, put('d', '1', 7n))
    // Put without a lease: no longer attached.
    run(model, put('d', '2'))
    model.revoke(7n)
    expect([model.revision, rows(model)]).toEqual([5, ['c=1', 'd=2']])
    expect(model.eventsOf(5).map((event) => brief(event))).toEqual([
      'delete a m5 was 1',
      'delete b m5 was 1',
    ])
    expect(codeOf(() => model.revoke(7n))).toBe('KV_LEASE_NOT_FOUND')
    expect(codeOf(() => run(model, put('x', '1', 7n)))).toBe('KV_LEASE_NOT_FOUND')
  })

  test('revoke() of a lease without keys makes no revision', () => {
    const model = new Model()
    model.grant(7n)
    model.revoke(7n)
    expect(model.revision).toBe(1)
  })
})
