/** Canaries of what many callers are told at once. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

const HISTORIES = {
  test: 'proptest/linearizability/store.test.ts',
  testName: 'histories of many callers are linearizable',
} as const

export const LINEARIZABILITY_CANARIES: readonly Canary[] = [
  {
    name: 'a reader let in at the root that was visible before',
    file: 'store/read-root.ts',
    find: '    this.#revision = revision\n    this.refresh()\n',
    replace: '    this.#revision = revision\n',
    ...HISTORIES,
  },
  {
    name: 'what was judged at the head told before the head is durable',
    file: 'store/group-queue.ts',
    find: '        this.#follow(ran, this.#durable)\n',
    replace: '        this.#follow(ran, Promise.resolve())\n',
    ...HISTORIES,
  },
  {
    name: 'an order of calls found that the times of their answers forbid',
    file: 'proptest/linearizability/checker.ts',
    find: '      if (end?.isCall === true) {',
    replace:
      '      while (end?.isCall === false) end = end.after\n      if (end?.isCall === true) {',
    test: 'proptest/linearizability/checker.test.ts',
    testName: 'refuses',
  },
  {
    name: 'a call that nobody answered placed after it could no longer take effect',
    file: 'proptest/linearizability/checker.ts',
    find: '      if (end?.isCall === true) {',
    replace:
      '      while (end?.isCall === false && !this.#isAnswered(end)) end = end.after\n' +
      '      if (end?.isCall === true) {',
    test: 'proptest/linearizability/checker.test.ts',
    testName: 'refuses',
  },
]
