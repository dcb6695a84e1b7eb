/** Canaries of what goes to etcd and comes from it. registry.ts says what a row is. */

import type { Canary } from './registry.ts'

export const ETCD_CANARIES: readonly Canary[] = [
  {
    name: 'an imported store that a power cut takes away again',
    file: 'store/new-store.ts',
    find: '    disk.syncDirectory(target)\n',
    replace: '',
    test: 'store/etcd-import.test.ts',
    testName: 'by nothing, it is durable',
  },
  {
    name: 'half an import taken for a store',
    file: 'store/new-store.ts',
    find: "const PARTIAL = 'db.importing'",
    replace: "const PARTIAL = 'db'",
    test: 'store/etcd-import.test.ts',
    testName: 'by the power, wherever it is cut',
  },
  {
    name: 'what an import made left behind when it fails',
    file: 'store/new-store.ts',
    find: '    removeIfThere(disk, made)\n    throw error\n',
    replace: '    throw error\n',
    test: 'store/etcd-import.test.ts',
    testName: 'by a failing disk, wherever it fails',
  },
  {
    name: 'an import over what is there',
    file: 'store/new-store.ts',
    find: '  if (foreign === undefined) return\n',
    replace: '  if (foreign !== undefined) return\n',
    test: 'store/etcd-import.test.ts',
    testName: 'a directory that holds something',
  },
  {
    name: 'the alarms of a cluster in a store of its own',
    file: 'store/etcd-import.ts',
    find: "'cluster', 'alarm'] as const",
    replace: "'cluster'] as const",
    test: 'store/etcd-import.test.ts',
    testName: 'takes a member out of its cluster',
  },
  {
    name: 'a snapshot whose checksum nobody compares',
    file: 'store/etcd-file.ts',
    find: '    if (equalBytes(told, hash.digest())) return true\n',
    replace: '    if (hash.digest().length === told.length) return true\n',
    test: 'store/etcd-import.test.ts',
    testName: 'a snapshot with a wrong checksum',
  },
  {
    name: 'a store without its log taken for a file of etcd',
    file: 'store/etcd-file.ts',
    find: '  if (engine.stamp?.isOwn !== true) return\n',
    replace: '  if (engine.path !== "") return\n',
    test: 'store/etcd-import.test.ts',
    testName: 'its file',
  },
  {
    name: 'a schema that is not known taken for one that is',
    file: 'store/etcd-file.ts',
    find: '  if (KNOWN_VERSION.test(version)) return\n',
    replace: '  if (version !== "") return\n',
    test: 'store/etcd-import.test.ts',
    testName: 'a schema of a version to come',
  },
]
