/**
 * The promises of a watch, each as a function that finds the first place where a record breaks it.
 *
 * They are those that etcd documents and its robustness tests check. The first seven
 * judge which events come and when; `previous` and `version` what they say of their keys. They
 * overlap on purpose: each has a name to fail under.
 *
 * Source of the list: etcd tests/robustness/validate/watch.go.
 */
import type { ModelEvent } from '../model/row.ts'
import {
  expectedEvents,
  firstRevision,
  keyOf,
  matches,
  nextRevision,
  revisionOf,
  showEvent,
  showRow,
} from './watch-record.ts'
import type { Replay, SeenBatch, SeenEvent, WatchRecord } from './watch-record.ts'

/** What is wrong; undefined: nothing. */
type Fault = string | undefined

export type Validator = (record: WatchRecord, replay: Replay) => Fault

interface Seen {
  readonly event: SeenEvent
  readonly batch: SeenBatch
}

function seenOf(record: WatchRecord): readonly Seen[] {
  return record.batches.flatMap((batch) => batch.events.map((event) => ({ event, batch })))
}

/** Only events of the keys and the kind that were asked for, none older than the start. */
const filter: Validator = (record) => {
  const first = firstRevision(record)
  for (const { event } of seenOf(record)) {
    if (!matches(record, event)) return `${showEvent(event)} was not asked for`
    if (revisionOf(event) < first) return `${showEvent(event)} is older than the start, ${first}`
  }
  return undefined
}

/** Events come in the order of their revisions. */
const ordered: Validator = (record) => {
  let newest = 0
  for (const { event } of seenOf(record)) {
    if (revisionOf(event) < newest) return `${showEvent(event)} comes after revision ${newest}`
    newest = revisionOf(event)
  }
  return undefined
}

/** No event comes twice. */
const unique: Validator = (record) => {
  const found = new Set<string>()
  for (const { event } of seenOf(record)) {
    const name = `${event.type} of ${keyOf(event)} at ${revisionOf(event)}`
    if (found.has(name)) return `${name} comes twice`
    found.add(name)
  }
  return undefined
}

/** The events of one revision come in one batch. */
const atomic: Validator = (record) => {
  let last: number | undefined
  for (const { events } of record.batches) {
    const [first] = events
    if (first === undefined) continue
    if (revisionOf(first) === last) return `revision ${last} is split over two batches`
    const end = events.at(-1)
    last = end === undefined ? last : revisionOf(end)
  }
  return undefined
}

/** Every event from the start to where the watch has come, with what it put, and no other. */
const reliable: Validator = (record, replay) => {
  const reached = Math.max(nextRevision(record) - 1, record.drainedTo ?? 0)
  const span = { first: firstRevision(record), last: reached }
  const wanted = expectedEvents(record, replay, span)
  const seen = seenOf(record)
  for (let i = 0; i < Math.max(wanted.length, seen.length); i++) {
    const [found, expected] = [seen[i]?.event, wanted[i]]
    const shown = found === undefined ? 'nothing' : showSeen(found)
    const asked = expected === undefined ? 'nothing' : showSeen(expected)
    if (shown !== asked) return `event ${i}: ${shown} where there was ${asked}`
  }
  return undefined
}

/** An event with all that it says of its key, save what that held before. */
function showSeen(event: SeenEvent): string {
  return `@${revisionOf(event)} ${showEvent(event)}`
}

/**
 * A watch that begins at a revision shows first what came first from there on; and one that a
 * compaction has overtaken says where it stopped and where one can go on.
 */
const resumable: Validator = (record, replay) => {
  const { startRevision, overtaken } = record
  if (overtaken !== undefined) {
    const { requested, compacted } = overtaken
    // It may have passed over revisions without an event that it wanted.
    if (requested < nextRevision(record)) return `goes on at ${requested}, again`
    const missed = { first: nextRevision(record), last: requested - 1 }
    const [lost] = expectedEvents(record, replay, missed)
    if (lost !== undefined) return `goes on at ${requested}, and ${showEvent(lost)} never came`
    if (compacted <= requested) return `overtaken at ${requested} by a compaction to ${compacted}`
  }
  const [first] = seenOf(record)
  if (startRevision === undefined || first === undefined) return undefined
  const span = { first: startRevision, last: replay.revision }
  const [expected] = expectedEvents(record, replay, span)
  const shown = expected === undefined ? 'nothing' : showSeen(expected)
  if (showSeen(first.event) === shown) return undefined
  return `from ${startRevision} on ${shown} was first, ${showSeen(first.event)} was shown`
}

/**
 * What a batch says of how far the watch has come is true: nothing at or below it comes later, it
 * is not ahead of the store, and it goes up.
 */
const bookmarkable: Validator = (record, replay) => {
  let told = 0
  for (const { revision, events } of record.batches) {
    for (const event of events) {
      if (revisionOf(event) <= told) return `${showEvent(event)} comes after progress ${told}`
      if (revisionOf(event) > revision) return `${showEvent(event)} is above its batch, ${revision}`
    }
    if (revision <= told) return `progress ${revision} comes after ${told}`
    if (revision > replay.revision)
      return `progress ${revision}, the store is at ${replay.revision}`
    if (events.length === 0 && !record.progress) return `an empty batch, not asked for`
    told = revision
  }
  return undefined
}

/**
 * What a key held before is what it held, and is there whenever it was asked for, unless there was
 * nothing or it may have been compacted.
 */
const previous: Validator = (record, replay) => {
  for (const { event, batch } of seenOf(record)) {
    const before = eventIn(replay, event)?.previous
    if (event.previous === undefined) {
      const mayBeGone = revisionOf(event) - 1 < batch.compacted
      if (record.previous && before !== undefined && !mayBeGone) {
        return `${showEvent(event)} comes without ${showRow(before)}`
      }
      continue
    }
    if (!record.previous) return `${showEvent(event)} comes with what nobody asked for`
    if (showRow(event.previous) !== showRow(before)) {
      return `${showEvent(event)} comes with ${showRow(event.previous)}, it was ${showRow(before)}`
    }
  }
  return undefined
}

/** A put says whether it made its key, and how often the key was put since. */
const version: Validator = (record, replay) => {
  for (const { event } of seenOf(record)) {
    if (event.type !== 'put') continue
    const { row } = event
    const before = eventIn(replay, event)?.previous
    const isCreate = row.createRevision === row.modRevision
    if (isCreate !== (before === undefined)) {
      return `${showEvent(event)} ${isCreate ? 'makes' : 'keeps'} a key that was ${showRow(before)}`
    }
    const expected = (before?.version ?? 0) + 1
    if (row.version !== expected) return `${showEvent(event)} is no version ${expected}`
  }
  return undefined
}

function eventIn(replay: Replay, event: SeenEvent): ModelEvent | undefined {
  const at = revisionOf(event)
  if (at < 1 || at > replay.revision) return undefined
  return replay
    .eventsOf(at)
    .find((each) => keyOf(each) === keyOf(event) && each.type === event.type)
}

export type Promised =
  | 'filter'
  | 'ordered'
  | 'unique'
  | 'atomic'
  | 'reliable'
  | 'resumable'
  | 'bookmarkable'
  | 'previous'
  | 'version'

export const WATCH_VALIDATORS: Readonly<Record<Promised, Validator>> = {
  filter,
  ordered,
  unique,
  atomic,
  reliable,
  resumable,
  bookmarkable,
  previous,
  version,
}

/** Every promise that the record breaks, and where. */
export function watchFaults(record: WatchRecord, replay: Replay): readonly string[] {
  return Object.entries(WATCH_VALIDATORS).flatMap(([name, validate]) => {
    const fault = validate(record, replay)
    return fault === undefined ? [] : [`${record.name}: not ${name}: ${fault}`]
  })
}
