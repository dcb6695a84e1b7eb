/** lmdb-js with the same single values, for reads beside `view().get`. */

import { open } from 'lmdb'
import type { ReadPeer } from '../../versioned/reads.ts'

export async function makeReadPeer(
  path: string,
  keys: Iterable<Buffer>,
  value: Buffer,
): Promise<ReadPeer> {
  const db = open<Buffer, Buffer>({
    path,
    encoding: 'binary',
    keyEncoding: 'binary',
    compression: false,
  })
  await db.transaction(() => {
    for (const key of keys) db.putSync(key, value)
  })
  return { get: (key) => db.get(key), close: () => db.close() }
}
