/**
 * The registry of canaries: for each safety property a mutation of the code that its test catches.
 *
 * To add one, add a row and run `npm run canaries -- <part of its name>`:
 *
 *   name      the fault, as a person would say it
 *   file      the source to change
 *   find      text that occurs in it exactly once; a row whose text is gone fails, so that no
 *             canary dies quietly when the code moves on
 *   replace   what stands there instead; the file must still load
 *   test      the test file that catches it, and
 *   testName  part of the full name of the narrowest test that does (groups and name, joined by
 *             blanks). It must pass on the code as it is, and fail on the changed one.
 *   mayHang   the fault may show as an endless loop: the time limit then counts as caught
 *
 * Properties run with one fixed seed here, so a canary is caught every time or never.
 */

import { BACKUP_CANARIES } from './backup-canaries.ts'
import { ARCHIVE_CANARIES } from './archive-canaries.ts'
import { CLI_CANARIES } from './cli-canaries.ts'
import { ETCD_BUG_CANARIES } from './etcd-bug-canaries.ts'
import { DIFF_CANARIES } from './diff-canaries.ts'
import { ENCODING_CANARIES } from './encoding-canaries.ts'
import { ETCD_CANARIES } from './etcd-canaries.ts'
import { GRPC_CANARIES } from './grpc-canaries.ts'
import { LEASE_CANARIES } from './lease-canaries.ts'
import { LINEARIZABILITY_CANARIES } from './linearizability-canaries.ts'
import { LINES_CANARIES } from './lines-canaries.ts'
import { LOG_CANARIES } from './log-canaries.ts'
import { LOGGED_CANARIES } from './logged-canaries.ts'
import { MVCC_CANARIES } from './mvcc-canaries.ts'
import { NAMESPACE_CANARIES } from './namespace-canaries.ts'
import { OWNER_CANARIES } from './owner-canaries.ts'
import { READ_CANARIES } from './read-canaries.ts'
import { RECIPE_CANARIES } from './recipe-canaries.ts'
import { RPC_CANARIES } from './rpc-canaries.ts'
import { SPACE_CANARIES } from './space-canaries.ts'
import { STORE_CANARIES } from './store-canaries.ts'
import { VALIDATE_CANARIES } from './validate-canaries.ts'
import { WATCH_CANARIES } from './watch-canaries.ts'

export interface Canary {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
  readonly test: string
  readonly testName: string
  readonly mayHang?: boolean
}

export const CANARIES: readonly Canary[] = [
  ...ARCHIVE_CANARIES,
  ...LOG_CANARIES,
  ...LOGGED_CANARIES,
  ...MVCC_CANARIES,
  ...STORE_CANARIES,
  ...READ_CANARIES,
  ...RECIPE_CANARIES,
  ...SPACE_CANARIES,
  ...ETCD_CANARIES,
  ...ETCD_BUG_CANARIES,
  ...DIFF_CANARIES,
  ...ENCODING_CANARIES,
  ...BACKUP_CANARIES,
  ...GRPC_CANARIES,
  ...LEASE_CANARIES,
  ...NAMESPACE_CANARIES,
  ...LINES_CANARIES,
  ...OWNER_CANARIES,
  ...WATCH_CANARIES,
  ...CLI_CANARIES,
  ...VALIDATE_CANARIES,
  ...LINEARIZABILITY_CANARIES,
  ...RPC_CANARIES,
  {
    name: 'an upward import',
    file: 'base/bytes.ts',
    find: 'export const EMPTY_BYTES',
    replace: "import type {} from '../disk/disk.ts'\n\nexport const EMPTY_BYTES",
    test: 'tidy.test.ts',
    testName: 'holds: rooms import only downwards',
  },
  {
    name: 'a durable write answered before its sync, in memory',
    file: 'disk/memory-file.ts',
    find: "      await this.#host.later(() => this.#sync('data'))\n",
    replace: '',
    test: 'disk/memory-disk.test.ts',
    testName: 'writeDurablyAsync() what has settled outlives every power cut',
  },
  {
    name: 'a durable write answered before its sync, on the real disk',
    file: 'disk/real-lane-worker.ts',
    find: '    if (action === ${ACTION.writeAndDataSync}) fdatasyncSync(descriptor)\n',
    replace: '',
    test: 'disk/real-lane.test.ts',
    testName: 'a descriptor of /dev/null fails with KV_IO',
  },
  {
    name: 'a file written on after a durable write of it failed',
    file: 'disk/real-lane-worker.ts',
    find: '    failed.add(file)\n',
    replace: '',
    test: 'disk/real-lane.test.ts',
    testName: 'a large write and others made with it are kept apart',
  },
  {
    name: 'a process that ends with durable writes pending',
    file: 'disk/real-lane.ts',
    find: '    if (this.#pendingCount === 1) this.#worker.ref()\n',
    replace: '',
    test: 'disk/real-lane.test.ts',
    testName: 'a process waits for writes that are pending',
  },
  {
    name: 'an idle lane that keeps its process alive',
    file: 'disk/real-lane.ts',
    find: '    if (this.#pendingCount === 0) this.#worker.unref()\n',
    replace: '',
    test: 'disk/real-lane.test.ts',
    testName: 'a process ends while its store is open and idle',
  },
  {
    name: 'pending durable writes forgotten when the thread of the lane dies',
    file: 'disk/real-lane.ts',
    find: "    this.#worker.on('exit', () => this.#ended())\n",
    replace: '',
    test: 'disk/real-lane.test.ts',
    testName: 'a lane whose thread ends unasked rejects what is pending',
    mayHang: true,
  },
  {
    name: 'a shorter key sorted after what it begins',
    file: 'base/bytes.ts',
    find: 'return aSize - bSize',
    replace: 'return bSize - aSize',
    test: 'base/bytes.test.ts',
    testName: 'agrees with Buffer.compare()',
  },
  {
    name: 'a failed group leaves its changes in the key index',
    file: 'mvcc/mvcc.ts',
    find: '    this.#mvcc.index.undo(this.#mark)\n',
    replace: '',
    test: 'mvcc/mvcc.test.ts',
    testName: 'transactions a failure after the first write breaks the group',
  },
  {
    name: 'a removed key left as a separator of the key tree',
    file: 'mvcc/key-tree.ts',
    find: 'this.#replaceSeparator(this.#height, this.#record(leaf, 0))',
    replace: 'this.#record(leaf, 0)',
    test: 'mvcc/key-index.test.ts',
    testName: 'KeyIndex agrees with the model after any puts, tombstones, undos and prunes',
    mayHang: true,
  },
  {
    name: 'a reader sees what is not durable',
    file: 'store/directory-store.ts',
    find: 'revision: () => roots.revision,',
    replace: 'revision: () => setup.mvcc.revision,',
    test: 'store/group-queue.test.ts',
    testName: 'what is not durable is not visible',
  },
  {
    name: 'the first sync of a commit dropped',
    file: 'engine/commit.ts',
    find: "    phase = 'pages sync'\n    yield 'data'\n",
    replace: "    phase = 'pages sync'\n",
    test: 'proptest/faults/commit-order.test.ts',
    testName: 'a meta is never found without the pages',
  },
  {
    name: 'the last sync of a commit dropped',
    file: 'engine/commit.ts',
    find: "plan.meta.slot * core.pageSizeBytes)\n    yield 'data'\n",
    replace: 'plan.meta.slot * core.pageSizeBytes)\n',
    test: 'proptest/faults/commit-order.test.ts',
    testName: 'a commit that was acknowledged is there',
  },
  {
    name: 'pages of the previous generation reused',
    file: 'engine/core.ts',
    find: 'if (this.previous !== undefined) pins.push(this.previous.txid)',
    replace: '',
    test: 'proptest/faults/commit-order.test.ts',
    testName: 'pages of the generation before the newest are never written',
  },
  {
    name: 'pages of an open reader reused',
    file: 'engine/core.ts',
    find: 'for (const reader of this.readers) pins.push(reader.id)',
    replace: '',
    test: 'proptest/engine/model.test.ts',
    testName: 'in pages of 1 KiB',
  },
  {
    name: "a separator other than its child's first key",
    file: 'engine/tree.ts',
    find: '  pages.editor.setSeparator(place.parent, at, node)\n',
    replace: '',
    test: 'proptest/faults/commit-order.test.ts',
    testName: 'each separator is the first key',
  },
  {
    name: 'a separator left behind the keys that went before it',
    file: 'engine/tree.ts',
    find: '  pages.editor.setSeparator(place.parent, at, node)\n',
    replace: '',
    test: 'engine/balance.test.ts',
    testName: 'its separator is what it must be',
  },
  {
    name: 'the frame of a dropped page used again while a transaction may look at it',
    file: 'engine/pager.ts',
    find: 'else if (this.#mayBeSeen(page)) this.frames.retire(page, this.#now)\n    ',
    replace: '',
    test: 'engine/pager.test.ts',
    testName: 'a page from which bytes were lent keeps them',
  },
  {
    name: 'the frame of a page dropped by the operation under way used again by it',
    file: 'engine/pager.ts',
    find: 'else this.#cool(page)',
    replace: 'else this.#give(page)',
    test: 'engine/pager.test.ts',
    testName: 'the cache of pages',
  },
  {
    name: 'a cursor that does not look whether its pages are still there',
    file: 'engine/cursor.ts',
    find: 'if (!this.#isPathResident()) return true',
    replace: '',
    test: 'engine/pager.test.ts',
    testName: 'cursors find their places again',
  },
  {
    name: 'an entry read from a page that was dropped',
    file: 'engine/cursor.ts',
    find: ' || !this.#isLeafThere()',
    replace: '',
    test: 'engine/pager.test.ts',
    testName: 'cursors find their places again',
  },
  {
    name: 'a cursor believed after its bucket was edited',
    file: 'engine/tree.ts',
    find: '    this.pages.epoch++\n',
    replace: '',
    test: 'engine/cursor.test.ts',
    testName: 'Cursor in an edited bucket',
  },
  {
    name: 'a cursor back where its path was when another bucket is edited',
    file: 'engine/cursor.ts',
    find: "entry')\n    this.#notePlace()\n",
    replace: "entry')\n",
    test: 'engine/cursor.test.ts',
    testName: 'Cursor in an edited bucket',
  },
  {
    name: 'a leaf found by the number of a frame that it has left',
    file: 'engine/frames.ts',
    find: '    strike(page)\n    slab.pages',
    replace: '    slab.pages',
    test: 'engine/pager.test.ts',
    testName: 'the cache of pages',
  },
  {
    name: 'a page edited where it stands though its bytes were lent',
    file: 'engine/tx-pages.ts',
    find: 'lentAt(page) < this.#use && this.pager',
    replace: 'this.pager',
    test: 'proptest/engine/lent.test.ts',
    testName: 'an edit leaves what was lent of the page',
  },
  {
    name: 'a page edited where it stands though a reader sees it',
    file: 'engine/tx-pages.ts',
    find: ' && this.pager.isOnlyUse(this.#use)',
    replace: '',
    test: 'proptest/engine/lent.test.ts',
    testName: 'an edit leaves what was lent of the page',
  },
  {
    name: 'pages written early over a generation that was passed over',
    file: 'engine/early.ts',
    find: '  dropPassedOver(core)\n',
    replace: '',
    test: 'engine/early.test.ts',
    testName: 'a generation that was passed over',
  },
  {
    name: 'pages freed by a large transaction taken again by it',
    file: 'engine/allocation.ts',
    find: '    for (const pgid of pgids) returned.delete(pgid)\n',
    replace: '',
    test: 'proptest/engine/model.test.ts',
    testName: 'in pages of 1 KiB',
  },
  {
    name: 'a freelist of 65,535 ids in the narrow form',
    file: 'engine/freelist-page.ts',
    find: 'const isWide = ids.size >= FREELIST_COUNT_WIDE',
    replace: 'const isWide = ids.size > FREELIST_COUNT_WIDE',
    test: 'engine/freelist-page.test.ts',
    testName: 'changes its form at 65,535 ids',
  },
  {
    name: 'pages that the generation before needs handed out after reopening',
    file: 'engine/open.ts',
    find: '    free.deleteAll(held)\n    held.forEach((pgid) => runs.push(pgid, 1))\n',
    replace: '',
    test: 'proptest/faults/commit-order.test.ts',
    testName: 'pages that the generation before needs are held back',
  },
  {
    name: 'a meta written into the slot of the newest one',
    file: 'engine/commit.ts',
    find: 'slot: id % 2 === 0 ? 0 : 1',
    replace: 'slot: id % 2 === 0 ? 1 : 0',
    test: 'proptest/faults/commit-order.test.ts',
    testName: 'a meta goes into the slot',
  },
  {
    name: 'a meta believed that only the page cache knows',
    file: 'engine/open.ts',
    find: 'if (!isNew) confirmMeta(setup, meta)',
    replace: '',
    test: 'proptest/faults/commit-order.test.ts',
    testName: 'what was seen after a process was killed stays',
  },
  {
    name: 'a file grown without a full sync',
    file: 'engine/commit.ts',
    find: "      yield 'full'\n",
    replace: '',
    test: 'proptest/faults/commit-order.test.ts',
    testName: 'a file that grows is synced in full',
  },
  {
    name: 'a generation that was passed over left to come back',
    file: 'engine/commit.ts',
    find: 'if (core.passedOverSlot !== undefined) {',
    replace: 'if (core.passedOverSlot === -1) {',
    test: 'proptest/faults/passed-over.test.ts',
    testName: 'a generation passed over as asked',
  },
  {
    name: 'a full disk that leaves pages taken',
    file: 'engine/tx-pages.ts',
    find: 'this.allocation?.undo()',
    replace: '',
    test: 'proptest/faults/failing-disk.test.ts',
    testName: 'a full disk refuses',
  },
  {
    name: 'a failed sync that the handle survives',
    file: 'engine/commit.ts',
    find: "phase = 'grow sync'",
    replace: "phase = 'grow'",
    test: 'proptest/faults/failing-disk.test.ts',
    testName: 'a sync that runs out of space',
  },
]
