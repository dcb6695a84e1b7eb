/** Canaries of watching. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

export const WATCH_CANARIES: readonly Canary[] = [
  {
    name: 'a watch that is caught up one revision too far',
    file: 'watch/front.ts',
    find: 'watcher.next = Math.max(watcher.next, this.position + 1)',
    replace: 'watcher.next = Math.max(watcher.next, this.position + 2)',
    test: 'proptest/watch/histories.test.ts',
    testName: 'every watcher sees exactly what it wants',
  },
  {
    name: 'a watch that joins in the middle of what was read already',
    file: 'watch/watch-hub.ts',
    find: 'if (watcher.next > this.#synced.begun) {',
    replace: 'if (watcher.next >= this.#synced.position) {',
    test: 'proptest/watch/histories.test.ts',
    testName: 'every watcher sees exactly what it wants',
  },
  {
    name: 'an event again for a watch that comes back',
    file: 'watch/front.ts',
    find: ' || event.revision < watcher.next',
    replace: '',
    test: 'proptest/watch/watch-hub.test.ts',
    testName: 'delivers nothing older than a start that lies ahead',
  },
  {
    name: 'an event that is shown before it is durable',
    file: 'mvcc/event-reader.ts',
    find: '      if (at.main > source.revision) break\n',
    replace: '',
    test: 'proptest/watch/watch-hub.test.ts',
    testName: 'only when it is durable',
  },
  {
    name: 'a watch told of a revision whose record is on its way',
    file: 'store/group-queue.ts',
    find: '        this.#durable = tx.commitQueued()\n',
    replace: '        this.#durable = tx.commitQueued()\n        this.#publish(this.#mvcc.head)\n',
    test: 'store/watches.test.ts',
    testName: 'follows put() and putSync()',
    mayHang: true,
  },
  {
    name: 'the events of one revision split over two batches',
    file: 'mvcc/event-reader.ts',
    find: 'if (rowsLeft <= 0 || bytesLeft <= 0) return complete',
    replace:
      'if (rowsLeft <= 0 || bytesLeft <= 0) return [...complete, ...this.#partial.splice(0)]',
    test: 'proptest/watch/histories.test.ts',
    testName: 'every watcher sees exactly what it wants',
  },
  {
    name: 'a slow watch that loses what it was moved aside for',
    file: 'watch/watch-hub.ts',
    find: '      if (watcher.isOverfull) this.#leave(watcher)\n      else if',
    replace: '      if (watcher.isOverfull) watcher.next++\n      else if',
    test: 'proptest/watch/histories.test.ts',
    testName: 'every watcher sees exactly what it wants',
  },
  {
    name: 'a queue without bound for a slow watch',
    file: 'watch/watch-hub.ts',
    find: '      if (watcher.isOverfull) this.#leave(watcher)\n      else if',
    replace: '      if',
    test: 'proptest/watch/watch-hub.test.ts',
    testName: 'moves a slow consumer aside with a bounded queue',
  },
  {
    name: 'a watch that goes on behind a compaction',
    file: 'mvcc/read-txn.ts',
    find: 'if (next < compactedRevision) throw',
    replace: 'if (next < 0) throw',
    test: 'proptest/watch/watch-hub.test.ts',
    testName: 'ends those who catch up when the revision they are at is compacted',
  },
  {
    name: 'progress told of what is only half read',
    file: 'watch/front.ts',
    find: '    return this.#reader.position\n',
    replace: '    return this.#reader.begun\n',
    test: 'proptest/watch/histories.test.ts',
    testName: 'every watcher sees exactly what it wants',
  },
  {
    name: 'the furthest end forgotten when the tree of ranges turns',
    file: 'watch/interval-tree.ts',
    find: 'if (child !== undefined && compareEnds(child.furthest, end) > 0) end = child.furthest',
    replace:
      'if (child?.furthest !== undefined && compareEnds(child.furthest, end) > 0) end = child.end',
    test: 'watch/interval-tree.test.ts',
    testName: 'agrees with a list',
  },
]
