/** Canaries of the command line. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

export const CLI_CANARIES: readonly Canary[] = [
  {
    name: 'a control character of a value that reaches the terminal',
    file: 'cli/store/bytes.ts',
    find: '/i.test(text) && isPrintable(text)',
    replace: '/i.test(text)',
    test: 'proptest/cli/any-bytes.test.ts',
    testName: 'disturbs no terminal',
  },
  {
    name: 'text that is shown as if it were hex',
    file: 'cli/store/bytes.ts',
    find: '|^"|^0x/i',
    replace: '|^"/i',
    test: 'proptest/cli/any-bytes.test.ts',
    testName: 'says which bytes it is',
  },
  {
    name: 'a value from standard input that was read as text',
    file: 'cli/store/input.ts',
    find: 'return Buffer.concat(chunks)',
    replace: 'return Buffer.from(Buffer.concat(chunks).toString())',
    test: 'proptest/cli/any-bytes.test.ts',
    testName: 'put, then get --json gives back any bytes',
  },
  {
    name: 'a delete that makes a store where there is none',
    file: 'cli/store/opening.ts',
    find: "if (access !== 'create') throw",
    replace: "if (access === 'read') throw",
    test: 'cli/store/store.test.ts',
    testName: 'makes no store where there is none',
  },
  {
    name: 'a store made among the files of something else',
    file: 'cli/store/opening.ts',
    find: 'if (foreign === undefined) return true',
    replace: 'return true',
    test: 'cli/store/store.test.ts',
    testName: 'a directory of something else is left alone',
  },
  {
    name: 'a watch of the history that ends one revision early',
    file: 'cli/store/events.ts',
    find: 'if (revisionOf(event) > end) return',
    replace: 'if (revisionOf(event) >= end) return',
    test: 'cli/store/changes.test.ts',
    testName: 'watch --once shows the history',
  },
]
