/**
 * Canaries of the validators of watches: one fault of the store for each, which the suite of
 * many writers and watches shows. registry.ts says what a row is.
 */

import type { Canary } from './registry.ts'

const CAUGHT = {
  test: 'proptest/watch/concurrent.test.ts',
  testName: 'of many writers keeps every promise',
} as const

export const VALIDATE_CANARIES: readonly Canary[] = [
  {
    name: 'not filter: puts shown to a watch of deletes alone',
    file: 'watch/watcher.ts',
    find: 'return this.#only === undefined || this.#only === type',
    replace: 'return true',
    ...CAUGHT,
  },
  {
    name: 'not ordered: a batch that begins with its newest revision',
    file: 'watch/watcher.ts',
    find: '[...found, event]',
    replace: '[event, ...found]',
    ...CAUGHT,
  },
  {
    name: 'not unique: the first event of a batch twice',
    file: 'watch/front.ts',
    find: 'const alone = [event]',
    replace: 'const alone = [event, event]',
    ...CAUGHT,
  },
  {
    name: 'not atomic: a queue of events in place of batches',
    file: 'watch/watcher.ts',
    find: '    this.#queue.push(batch)\n',
    replace: '    this.#queue.push(...batch.events.map((one) => ({ ...batch, events: [one] })))\n',
    ...CAUGHT,
  },
  {
    name: 'not reliable: a revision passed over by a watch that is moved aside',
    file: 'watch/watch-hub.ts',
    find: '      if (watcher.isOverfull) this.#leave(watcher)\n      else if',
    replace: '      if (watcher.isOverfull) watcher.next++\n      else if',
    ...CAUGHT,
  },
  {
    name: 'not resumable: a start that is exclusive',
    file: 'watch/watch-hub.ts',
    find: '? this.#revision + 1 : request.startRevision',
    replace: '? this.#revision + 1 : request.startRevision + 1',
    ...CAUGHT,
  },
  {
    name: 'not bookmarkable: a batch that says more than it holds',
    file: 'store/watches.ts',
    find: 'this.#event(event, wantsPrevious)), revision }',
    replace: 'this.#event(event, wantsPrevious)), revision: revision + 1 }',
    ...CAUGHT,
  },
  {
    name: 'not previous: what a key held one revision earlier still',
    file: 'mvcc/event-reader.ts',
    find: 'this.#previous(source, kv.key, at.main - 1)',
    replace: 'this.#previous(source, kv.key, at.main - 2)',
    ...CAUGHT,
  },
  {
    name: 'not version: an event that counts one put too many',
    file: 'mvcc/event-reader.ts',
    find: 'const owned = { ...ownKeyValue(kv), modRevision: at.main }',
    replace: 'const owned = { ...ownKeyValue(kv), modRevision: at.main, version: kv.version + 1 }',
    ...CAUGHT,
  },
  {
    name: 'a watch that is brought back one revision too late',
    file: 'watch/front.ts',
    find: 'watcher.next = Math.max(watcher.next, this.position + 1)',
    replace: 'watcher.next = Math.max(watcher.next, this.position + 1) + 1',
    ...CAUGHT,
  },
  {
    name: 'a revision shown to watches and readers before its record is written',
    file: 'store/group-queue.ts',
    find: '        this.#durable = tx.commitQueued()\n',
    replace: '        this.#durable = tx.commitQueued()\n        this.#publish(this.#mvcc.head)\n',
    ...CAUGHT,
  },
]
