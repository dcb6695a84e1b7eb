/**
 * What a store's calls do, one after the other: a map of rows for each revision.
 *
 * States are shared and never changed; one knows the state before it, so that history can be asked.
 */

import type { Specification } from './checker.ts'
import type { StoreAnswer, StoreCall } from './store-calls.ts'
import { showEvent, showRow } from './store-calls.ts'

interface Row {
  readonly key: string
  readonly value: string
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
  readonly lease: number
}

type Rows = ReadonlyMap<string, Row>

export interface StoreState {
  readonly revision: number
  readonly rows: Rows
  /** What this revision did. */
  readonly events: readonly string[]
  readonly before: StoreState | undefined
  readonly compacted: number
  readonly leases: ReadonlySet<number>
  /** All that was done, in order. */
  readonly path: string
}

const FIRST: StoreState = {
  revision: 1,
  rows: new Map(),
  events: [],
  before: undefined,
  compacted: 0,
  leases: new Set(),
  path: '',
}

interface Outcome {
  readonly state: StoreState
  readonly answer: StoreAnswer
}

export const STORE: Specification<StoreState, StoreCall, StoreAnswer> = {
  initial: FIRST,
  step(state, call, answer) {
    const outcome = run(state, call)
    if (answer !== undefined) return outcome.answer === answer ? outcome.state : undefined
    return outcome.state === state ? undefined : outcome.state
  },
  keyOf: ({ path }) => path,
}

function run(state: StoreState, call: StoreCall): Outcome {
  switch (call.type) {
    case 'put': {
      if (call.lease !== 0 && !state.leases.has(call.lease)) {
        return { state, answer: 'KV_LEASE_NOT_FOUND' }
      }
      const after = write(state, [{ key: call.key, value: call.value, lease: call.lease }])
      return { state: after, answer: `@${after.revision} ${showRow(state.rows.get(call.key))}` }
    }
    case 'delete': {
      const [start, end] = call.keys
      const rows = sorted(state.rows).filter(({ key }) => key >= start && key < end)
      const after = remove(state, rows)
      return { state: after, answer: `@${after.revision} ${list(rows)}` }
    }
    case 'swap':
      return swap(state, call)
    case 'get':
      return {
        state,
        answer: readAt(state, call.revision, ({ rows }) => showRow(rows.get(call.key))),
      }
    case 'all': {
      const read = ({ rows }: StoreState): string => `@${state.revision} ${list(sorted(rows))}`
      return { state, answer: readAt(state, call.revision, read) }
    }
    case 'grant': {
      if (state.leases.has(call.lease)) return { state, answer: 'KV_LEASE_EXISTS' }
      const leases = new Set([...state.leases, call.lease])
      const path = `${state.path};grant ${call.lease}`
      return { state: { ...state, leases, path }, answer: 'granted' }
    }
    case 'revoke':
      return revoke(state, call.lease)
    case 'compact':
      return compact(state, call.revision)
    case 'events':
      return { state, answer: eventsBetween(state, call.from, call.to) }
  }
}

function sorted(rows: Rows): readonly Row[] {
  return [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
}

function list(rows: readonly Row[]): string {
  return rows.map((row) => showRow(row)).join(' ')
}

type Written = Pick<Row, 'key' | 'value' | 'lease'>

function write(state: StoreState, puts: readonly Written[]): StoreState {
  const revision = state.revision + 1
  const rows = new Map(state.rows)
  for (const { key, value, lease } of puts) {
    const { createRevision = revision, version = 0 } = rows.get(key) ?? {}
    rows.set(key, {
      ...{ key, value, lease, createRevision },
      ...{ modRevision: revision, version: version + 1 },
    })
  }
  const events = puts.map(({ key, value }) => showEvent('put', key, value))
  const path = `${state.path};${events.join()}`
  return { ...state, revision, rows, events, before: state, path }
}

/** No revision where nothing is removed. */
function remove(state: StoreState, removed: readonly Row[]): StoreState {
  if (removed.length === 0) return state
  const rows = new Map(state.rows)
  for (const { key } of removed) rows.delete(key)
  const events = removed.map(({ key }) => showEvent('delete', key, ''))
  const path = `${state.path};${events.join()}`
  return { ...state, revision: state.revision + 1, rows, events, before: state, path }
}

function swap(state: StoreState, call: StoreCall & { type: 'swap' }): Outcome {
  const [first, second] = call.keys
  if (state.rows.get(first)?.value !== call.from) {
    const rows = [first, second].map((key) => showRow(state.rows.get(key)))
    return { state, answer: `@${state.revision} ${rows.join(' ')}` }
  }
  const after = write(state, [
    { key: first, value: call.value, lease: 0 },
    { key: second, value: `${call.value}'`, lease: 0 },
  ])
  return { state: after, answer: `@${after.revision} done` }
}

function revoke(state: StoreState, lease: number): Outcome {
  if (!state.leases.has(lease)) return { state, answer: 'KV_LEASE_NOT_FOUND' }
  const removed = sorted(state.rows).filter((row) => row.lease === lease)
  const leases = new Set([...state.leases].filter((id) => id !== lease))
  const after = remove(state, removed)
  const path = `${after.path};revoke ${lease}`
  return { state: { ...after, leases, path }, answer: `@${after.revision}` }
}

function compact(state: StoreState, revision: number): Outcome {
  if (revision > state.revision) return { state, answer: 'KV_FUTURE_REVISION' }
  if (revision <= state.compacted) return { state, answer: 'KV_COMPACTED' }
  const path = `${state.path};compact ${revision}`
  return { state: { ...state, compacted: revision, path }, answer: 'compacted' }
}

function readAt(state: StoreState, at: number, read: (then: StoreState) => string): StoreAnswer {
  if (at > state.revision) return 'KV_FUTURE_REVISION'
  if (at !== 0 && at < state.compacted) return 'KV_COMPACTED'
  let then: StoreState | undefined = state
  while (at !== 0 && then !== undefined && then.revision > at) then = then.before
  return read(then ?? state)
}

/** What a watch says; it waits for what is still to come, which no moment before that answers. */
function eventsBetween(state: StoreState, from: number, to: number): StoreAnswer {
  if (to > state.revision) return 'not yet'
  if (from > to) return ''
  if (from < state.compacted) return 'KV_COMPACTED'
  const told: string[] = []
  for (let then: StoreState | undefined = state; then !== undefined; then = then.before) {
    const { revision, events } = then
    if (revision < from || revision > to) continue
    told.unshift(...events.map((event) => `${revision}:${event}`))
  }
  return told.join(' ')
}
