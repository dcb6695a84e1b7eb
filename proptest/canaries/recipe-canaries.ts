/** Canaries of transactions by a function, and of the recipes. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

const TRANSACT = {
  test: 'proptest/recipes/transact.test.ts',
  testName: 'concurrent transactions are as if one ran after the other',
} as const

const LOCK = {
  test: 'proptest/recipes/lock.test.ts',
  testName: 'excludes all but one, and its guard all who lost it',
} as const

const QUEUE = {
  test: 'proptest/recipes/queue.test.ts',
  testName: 'gives each item to one, in order, and loses none',
} as const

export const RECIPE_CANARIES: readonly Canary[] = [
  {
    name: 'transact(): a key that was missing not compared',
    file: 'store/read-set.ts',
    find: '    else if (rows.length === 0) this.#addKey(span.key, undefined)\n',
    replace: '',
    ...TRANSACT,
  },
  {
    name: 'transact(): a range not compared, so that keys may appear in it',
    file: 'store/read-set.ts',
    find: '      ...spans.map(({ span, revision }) => olderCompare(span, revision)),\n',
    replace: '',
    ...TRANSACT,
  },
  {
    name: 'transact(): keys found in a range not compared, so that they may be deleted',
    file: 'store/read-set.ts',
    find: 'for (const row of rows) this.#addKey(row.key, row)',
    replace: 'if (span.end === undefined) for (const row of rows) this.#addKey(row.key, row)',
    ...TRANSACT,
  },
  {
    name: 'transact(): a range compared with the revision that answered, not the one that was read',
    file: 'store/transaction.ts',
    find: 'const read = revision ?? found.revision',
    replace: 'const read = found.revision',
    test: 'store/transact.test.ts',
    testName: 'a range read later is compared with the revision that was read',
  },
  {
    name: 'transact(): later reads from a newer revision',
    file: 'store/transaction.ts',
    find: 'return await this.#ask(span, revision)\n',
    replace: 'return await this.#ask(span, revision === 0 ? 0 : undefined)\n',
    test: 'proptest/behaviour/model.test.ts',
    testName: 'transact() reads one revision, also with several reads under way',
  },
  {
    name: 'transact(): own writes not seen',
    file: 'store/transaction.ts',
    find: 'return overlay.rows.length === 0 ? rows : inKeyOrder([...rows, ...overlay.rows])',
    replace: 'return rows',
    ...TRANSACT,
  },
  {
    name: 'transact(): own deletions not seen',
    file: 'store/transaction.ts',
    find: 'stored.filter(({ key }) => !overlay.hides(key))',
    replace: 'stored',
    ...TRANSACT,
  },
  {
    name: 'transact(): a deleted range left out where a key was put in it after',
    file: 'store/write-set.ts',
    find: '      return spanWithout(span, keys)\n',
    replace: '      return keys.length === 0 ? [span] : []\n',
    ...TRANSACT,
  },
  {
    name: 'transact(): committed though a read was refused',
    file: 'store/transaction.ts',
    find: '    if (this.#refusal !== undefined) throw this.#refusal.error\n',
    replace: '',
    test: 'store/transact.test.ts',
    testName: 'a read that failed keeps the transaction from being committed',
  },
  {
    name: 'lock(): had though another one is before',
    file: 'store/recipes/line.ts',
    find: '      if (last === undefined) return revision\n',
    replace: '      return revision\n',
    ...LOCK,
  },
  {
    name: 'lock(): a guard that holds for whoever lost it',
    file: 'store/recipes/line.ts',
    find: "this.guard = compare(key).createRevision('=', revision)",
    replace: "this.guard = compare(key).createRevision('<', revision + 1)",
    ...LOCK,
  },
  {
    name: 'lock(): a lost lease not told to its holder',
    file: 'store/recipes/line.ts',
    find: '        return this.#lose(undefined)\n      } catch (error) {\n        if (',
    replace: '        return\n      } catch (error) {\n        if (',
    ...LOCK,
  },
  {
    name: 'queue(): an item given to two',
    file: 'store/recipes/queue.ts',
    find: "compare(key).modRevision('=', first.modRevision),",
    replace: "compare(key).modRevision('<', first.modRevision + 1),",
    ...QUEUE,
  },
  {
    name: 'queue(): an item pushed over another',
    file: 'store/recipes/queue.ts',
    find: "compare: [compare({ start: key, end: numbers.end }).createRevision('=', 0)],",
    replace: 'compare: [],',
    ...QUEUE,
  },
  {
    name: 'queue(): a more urgent item passed over',
    file: 'store/recipes/queue.ts',
    find: "            compare({ start: this.#prefix, end: key }).createRevision('=', 0),\n",
    replace: '',
    ...QUEUE,
  },
  {
    name: 'registry(): a change between the first look and the watch missed',
    file: 'store/recipes/current-set.ts',
    find: 'startRevision: revision + 1, signal })',
    replace: 'signal })',
    test: 'proptest/recipes/following.test.ts',
    testName: 'show what the history says',
  },
  {
    name: 'election(): the youngest followed for the leader',
    file: 'store/recipes/election.ts',
    find: 'if (order < 0 || isBefore) found = each',
    replace: 'if (order > 0 || isBefore || found === undefined) found = each',
    test: 'proptest/recipes/following.test.ts',
    testName: 'show what the history says',
  },
  {
    name: 'registry(): an instance that lost its lease stays away',
    file: 'store/recipes/registry.ts',
    find: 'if (this.#closed === undefined) this.#again = this.#registerAgain()',
    replace: 'this.#again = undefined',
    test: 'store/recipes/registry.test.ts',
    testName: 'registers again when the lease was lost',
  },
]
