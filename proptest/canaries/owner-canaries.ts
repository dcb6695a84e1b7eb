/** Canaries of what an owner of a store sees and holds. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

export const OWNER_CANARIES: readonly Canary[] = [
  {
    name: "a view's pin let go with its first read",
    file: 'store/view-hold.ts',
    find: 'return this.#held().pin()',
    replace: 'return this.#held()',
    test: 'store/snapshot.test.ts',
    testName: 'keeps what it may read while that is compacted and pruned',
  },
  {
    name: 'stats off after a rollback',
    file: 'mvcc/mvcc.ts',
    find: '    this.#host.takeBackRevisions()\n',
    replace: '',
    test: 'store/statistics.test.ts',
    testName: 'counts what is there after any writes',
  },
  {
    name: 'stats told by a head that is older than the newest',
    file: 'store/statistics.ts',
    find: 'if (head.group > this.#newest.group) ',
    replace: '',
    test: 'store/statistics.test.ts',
    testName: 'tells what is durable, not what is on its way',
  },
  {
    name: 'the finalizer closing a snapshot that is still iterated',
    file: 'store/snapshot.ts',
    find: 'pin: () => this.#hold.pin()',
    replace: 'pin: () => hold.pin()',
    test: 'store/open-views.test.ts',
    testName: 'is left alone by an iteration of it',
  },
  {
    name: 'a stack that keeps a forgotten view alive',
    file: 'store/open-views.ts',
    find: "  const { stack = '' } = trace\n  return stack.slice(stack.indexOf('\\n') + 1)\n",
    replace: '  return trace as string\n',
    test: 'store/open-views.test.ts',
    testName: 'is found though its stack is known',
  },
  {
    name: 'a forgotten view that is never let go',
    file: 'store/open-views.ts',
    find: '      this.#lost.register(view, hold, hold)\n',
    replace: '',
    test: 'store/open-views.test.ts',
    testName: 'is closed, and warned of',
  },
  {
    name: 'a view warned of over and over',
    file: 'store/view-ages.ts',
    find: '      this.#young.delete(hold)\n',
    replace: '      this.#setTimer(maxViewAgeMs)\n',
    test: 'store/store-log.test.ts',
    testName: 'warns of each view and snapshot that is older, once',
  },
  {
    name: 'a logger called from within the work of the store',
    file: 'store/store-log.ts',
    find: 'queueMicrotask(() => void call(',
    replace: 'Promise.resolve(void call(',
    test: 'store/store-log.test.ts',
    testName: 'warns of each view and snapshot that is older, once',
  },
  {
    name: 'a store in memory on a disk that keeps what was overwritten',
    file: 'store/in-memory.ts',
    find: 'isPlain: true, ',
    replace: '',
    test: 'store/in-memory.test.ts',
    testName: 'takes no more memory for',
  },
]
