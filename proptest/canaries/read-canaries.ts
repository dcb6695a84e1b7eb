/** Canaries of point reads and of opening. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

export const READ_CANARIES: readonly Canary[] = [
  {
    name: 'a child taken though the signpost can not tell it from its neighbour',
    file: 'engine/signpost.ts',
    find: '    if (other === head) return UNKNOWN\n',
    replace: '',
    test: 'engine/signpost.test.ts',
    testName: 'names the child that the page does, or none, whatever the keys share',
  },
  {
    name: 'a key taken for the one whose head it has',
    file: 'engine/key-place.ts',
    find: 'return isKey(leaf, index, key) ? index : -1',
    replace: 'return index',
    test: 'engine/signpost.test.ts',
    testName: 'finds the keys that are there and no others, without heads and with them',
  },
  {
    name: 'a segment split by the hashes of other keys while keys are loaded',
    file: 'mvcc/key-table.ts',
    find: '  if (segment.hashes !== undefined) segment.hashes[at] = hash\n',
    replace: '',
    test: 'mvcc/key-table.test.ts',
    testName: 'holds the same whether keys were loaded or added, and takes no more room',
    mayHang: true,
  },
  {
    name: 'heads sorted that were read behind what not all keys share',
    file: 'mvcc/record-sort.ts',
    find: '  if (shared === guess) return shared\n',
    replace: '  if (shared <= guess) return shared\n',
    test: 'mvcc/record-sort.test.ts',
    testName: 'orders any keys as bytes are ordered',
  },
  {
    name: 'keys of a loaded leaf that branches do not count',
    file: 'mvcc/key-tree.ts',
    find: '      nodes.addLive(this.#path[level] as number, nodes.live(leaf))\n',
    replace: '',
    test: 'mvcc/key-index.test.ts',
    testName: 'agrees with the model after any puts, tombstones, undos and prunes',
  },
  {
    name: 'a row kept that was only glanced at',
    file: 'mvcc/range-scan.ts',
    find: 'value: this.#source.rows.get(key, state).value',
    replace: 'value: this.#source.rows.glance(key, state).value',
    test: 'proptest/behaviour/in-process.test.ts',
    testName: 'by value, in the order of bytes',
  },
  {
    name: 'pages read ahead that were written meanwhile',
    file: 'engine/pager.ts',
    find: '    this.#changes++\n    this.#enter(page)\n',
    replace: '    this.#enter(page)\n',
    test: 'engine/read-ahead.test.ts',
    testName: 'an engine that reads ahead while it is written to',
  },
  {
    name: 'a walk that goes on with what a checkpoint has written over',
    file: 'engine/pager.ts',
    find: '    this.#changes++\n    page.isDirty = false\n',
    replace: '    page.isDirty = false\n',
    test: 'engine/checkpoint.test.ts',
    testName: 'a walk of a root finds it whole, though a checkpoint writes its pages meanwhile',
  },
]
