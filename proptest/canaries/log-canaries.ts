/** Canaries of the log by itself. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

const POWER_CUT = {
  test: 'proptest/wal/power-cut.test.ts',
  testName: 'the log keeps what it acknowledged',
} as const

const BOTH_PATHS = {
  test: 'proptest/wal/power-cut.test.ts',
  testName: 'the blocking path overtakes',
} as const

const FULL_DISK = {
  test: 'proptest/wal/full-disk.test.ts',
  testName: 'a disk that is full at any reservation',
} as const

export const LOG_CANARIES: readonly Canary[] = [
  {
    name: 'the emergency reserve of the log given to anybody',
    file: 'wal/admission.ts',
    find: 'isEmergency === true ? 0 : this.#limits.emergencyBytes',
    replace: 'isEmergency === true ? 0 : 0',
    ...FULL_DISK,
  },
  {
    name: 'room in the log promised twice',
    file: 'wal/admission.ts',
    find: 'total: this.#reservedBytes + sizeBytes + reserve',
    replace: 'total: sizeBytes + reserve',
    ...FULL_DISK,
  },
  {
    name: 'the end of a segment and the next one counted as one room',
    file: 'wal/admission.ts',
    find: 'return need.total <= this.#log.leftBytes || need.total <= prepared',
    replace: 'return need.total <= this.#log.leftBytes + prepared',
    ...FULL_DISK,
  },
  {
    name: 'a segment that is cut too short for who has a reservation',
    file: 'wal/log.ts',
    find: 'Math.max(wanted, this.#admission.promisedSegmentBytes)',
    replace: 'wanted',
    test: 'wal/log.test.ts',
    testName: 'leaves room for who has a reservation',
  },
  {
    name: 'the room of a batch that is being written used again',
    file: 'wal/log.ts',
    find: 'if (!queued.isInFlight) this.#spares.keep',
    replace: 'this.#spares.keep',
    ...BOTH_PATHS,
  },
  {
    name: 'the blocking path in the next segment before the last one is synced',
    file: 'wal/log.ts',
    find: "        if (isUnsynced || this.syncMode !== 'full') this.#current.direct.sync('data')\n",
    replace: '',
    ...BOTH_PATHS,
  },
  {
    name: 'a segment begun by the blocking path without a sync of its directory',
    file: 'wal/segment.ts',
    find: '    this.#disk.syncDirectory(this.#directory)\n',
    replace: '',
    ...BOTH_PATHS,
  },
  {
    name: 'the next segment begun while the last one is in the page cache',
    file: 'wal/log.ts',
    find: "    if (this.syncMode !== 'full') await this.#syncCurrent()\n",
    replace: '',
    ...POWER_CUT,
  },
  {
    name: 'a tail written again that gets its name before it is synced',
    file: 'wal/recovery.ts',
    find: "    file.sync('full')\n    disk.rename(",
    replace: '    disk.rename(',
    ...POWER_CUT,
  },
  {
    name: 'a tail written again whose name is not synced',
    file: 'wal/recovery.ts',
    find: '    disk.syncDirectory(directory)\n    // Where',
    replace: '    // Where',
    ...POWER_CUT,
  },
  {
    name: 'a segment of the log dropped too early',
    file: 'wal/segment-list.ts',
    find: 'next.firstTxid > txid)',
    replace: 'next.firstTxid > txid + 1)',
    ...POWER_CUT,
  },
  {
    name: 'segments of the log dropped without a sync of their directory',
    file: 'wal/segment-list.ts',
    find: '    await this.#disk.syncDirectoryAsync(this.#directory)\n    return paths',
    replace: '    return paths',
    test: 'wal/log.test.ts',
    testName: 'dropBefore() removes what is older',
  },
  {
    name: 'a value above 255 bytes written as a short one',
    file: 'wal/group-writer.ts',
    find: '    if (size < 0x100) {\n      bytes[at] = 0xc4',
    replace: '    if (size < 0x101) {\n      bytes[at] = 0xc4',
    test: 'wal/group-writer.test.ts',
    testName: 'writes what msgpackr writes',
  },
  {
    name: 'an end that is damaged taken for a torn one',
    file: 'wal/inspect.ts',
    find: "  if (damage !== undefined) return { kind: 'damaged'",
    replace: "  if (damage === '') return { kind: 'damaged'",
    test: 'cli/wal/wal.test.ts',
    testName: 'damage: exit code 1',
  },
]
