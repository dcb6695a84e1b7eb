/** Canaries of namespaces: nothing outside is seen or changed. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

const UNIT = 'store/namespace.test.ts'
const SUITE = 'proptest/behaviour/namespace.test.ts'

export const NAMESPACE_CANARIES: readonly Canary[] = [
  {
    name: 'a namespace that ends one key too late',
    file: 'store/key-prefix.ts',
    find: 'this.#end = end === TO_LAST_KEY ? undefined : end',
    replace: 'this.#end = end === TO_LAST_KEY ? undefined : keyAfter(end)',
    test: UNIT,
    testName: 'ends where its prefix does, also where that is a byte of 0xff',
  },
  {
    name: 'a namespace that begins with the prefix itself',
    file: 'store/key-prefix.ts',
    find: 'this.#first = keyAfter(this.#bytes)',
    replace: 'this.#first = this.#bytes',
    test: SUITE,
    testName: 'Store: a namespace property',
  },
  {
    name: 'all keys of a namespace taken for all keys of the store',
    file: 'store/key-prefix.ts',
    find: '        return { ...given, prefix: undefined, ...this.#every }\n',
    replace: '        return given\n',
    test: UNIT,
    testName: 'names the keys that begin with its prefix, and no others',
  },
  {
    name: 'a range from a key on that goes beyond the namespace',
    file: 'store/key-prefix.ts',
    find: 'fromKey: undefined, ...this.#from(this.#bound(bound))',
    replace: 'fromKey: this.#bound(bound)',
    test: SUITE,
    testName: 'Store: a namespace property',
  },
  {
    name: 'a range up to an end that is not put behind the prefix',
    file: 'store/key-prefix.ts',
    find: 'end: end.length === 0 ? this.#bytes : this.#join(end),',
    replace: 'end,',
    test: SUITE,
    testName: 'Store: a namespace property',
  },
  {
    name: 'the compares of a transaction left outside its namespace',
    file: 'store/namespace.ts',
    find: 'compare: mapped(compare, (each) => this.#op(each, depth)),',
    replace: 'compare,',
    test: SUITE,
    testName: 'Store: a namespace txn',
  },
  {
    name: 'a transaction inside another left outside its namespace',
    file: 'store/namespace.ts',
    find: '      return this.#request(given, depth + 1)\n',
    replace: '      return given\n',
    test: SUITE,
    testName: 'Store: a namespace txn',
  },
  {
    name: 'a deleted key shown by its whole name to a watch',
    file: 'store/namespace-output.ts',
    find: 'key: this.#prefix.strip(event.key)',
    replace: 'key: event.key',
    test: SUITE,
    testName: 'Store: a namespace watch()',
  },
  {
    name: 'keys of a lease that are not of the namespace',
    file: 'store/namespace-output.ts',
    find: 'keys.filter((key) => this.#prefix.has(key)).map(',
    replace: 'keys.map(',
    test: UNIT,
    testName: "lists a lease's own keys",
  },
  {
    name: 'a write through a namespace that is closed',
    file: 'store/namespace.ts',
    find: 'return this.#closing.signal.aborted ? this.#untilClosed(options) : options',
    replace: 'return options',
    test: UNIT,
    testName: 'leaves the store open, and other namespaces of it',
  },
  {
    name: 'a watch that outlives its namespace',
    file: 'store/namespace.ts',
    find: '    if (!this.#closing.signal.aborted) this.#watches.add(mine)\n',
    replace: '',
    test: UNIT,
    testName: 'has ended its watches, its scans and its keeping alive',
    mayHang: true,
  },
]
