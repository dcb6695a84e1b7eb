/** Canaries of the quota, alarms and defragmentation. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

export const SPACE_CANARIES: readonly Canary[] = [
  {
    name: 'writes of one turn judged each by itself',
    file: 'store/space.ts',
    find: '      this.#addedBytes += cost\n      return\n',
    replace: '      return\n',
    test: 'store/space.test.ts',
    testName: 'counts all the writes of a turn',
  },
  {
    name: 'a record told of a turn later where it went behind its pages',
    file: 'engine/logged.ts',
    find: '      return log.append(group)\n',
    replace: '      return log.append(group).then(() => Promise.resolve())\n',
    test: 'engine/logged.test.ts',
    testName: 'tells of records that are durable together in their order',
  },
  {
    name: 'pages that are free counted against the quota',
    file: 'engine/standing.ts',
    find: '  return head.highWaterMark - listed + newRun\n',
    replace: '  return head.highWaterMark + newRun\n',
    test: 'store/space.test.ts',
    testName: 'a compaction makes room for as many writes again',
  },
  {
    name: 'an alarm that ends though the quota is still hit',
    file: 'store/space.ts',
    find: 'const wanted = Math.max(this.#lackedBytes, leastBytes)',
    replace: 'const wanted = Math.min(this.#lackedBytes, leastBytes) * 0',
    test: 'store/space.test.ts',
    testName: 'NOSPACE is raised by a refusal',
  },
  {
    name: 'a moved page used again while the generation before needs it',
    file: 'engine/core.ts',
    find: '    if (this.previous !== undefined) pins.push(this.previous.txid)\n',
    replace: '',
    test: 'store/defragment.test.ts',
    testName: 'wherever the power is cut',
  },
  {
    name: 'a moved page used again under an open view',
    file: 'engine/core.ts',
    find: '    for (const reader of this.readers) pins.push(reader.id)\n',
    replace: '',
    test: 'store/defragment.test.ts',
    testName: 'goes on beside writes and a view',
  },
  {
    name: 'the file cut as soon as its newest generation is short',
    file: 'engine/commit.ts',
    find: 'let highest = Math.max(core.meta.highWaterMark, core.previous?.highWaterMark ?? 0)',
    replace: 'let highest = core.meta.highWaterMark',
    test: 'store/defragment.test.ts',
    testName: 'both generations of the file are whole',
  },
  {
    name: 'a separator left behind when rows move to the neighbour',
    file: 'engine/defragment.ts',
    find: '      rest.isFirstChanged = true\n',
    replace: '',
    test: 'store/defragment.test.ts',
    testName: 'puts thin pages together',
  },
  {
    name: 'a step that moved nothing taken for one that is on its way',
    file: 'mvcc/write-txn.ts',
    find: '    this.#isDirty = wasDirty || progress.isChanged\n    return progress\n',
    replace: '    return progress\n',
    test: 'store/defragment.test.ts',
    testName: 'a step with nothing to move shows nothing that is not durable',
  },
]
