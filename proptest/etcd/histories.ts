/** Random histories of a store in a directory, with leases that last beyond any test. */

import fc from 'fast-check'
import type { Command } from '../behaviour/commands.ts'
import { apply, commands } from '../behaviour/commands.ts'
import type { StoreOf } from '../behaviour/backend.ts'

const TTL_SECONDS = 5000

export interface PlannedHistory {
  readonly commands: readonly Command[]
  /** Leases granted first: all of a store's, at times that of the commands' puts. */
  readonly leases: readonly bigint[]
  /** One of them is revoked before this command; none where there is no such command. */
  readonly revokedBefore: number
}

export const histories: fc.Arbitrary<PlannedHistory> = fc.record({
  commands: commands({
    nestedTxn: true,
    reopen: false,
    stableTies: true,
    openEndedDuplicates: true,
  }),
  leases: fc.subarray([7n, -8n, 2n ** 63n - 1n], { minLength: 0 }),
  revokedBefore: fc.nat(60),
})

export async function live(store: StoreOf<'bytes'>, planned: PlannedHistory): Promise<void> {
  const [revoked] = planned.leases
  for (const [i, id] of planned.leases.entries()) {
    await store.grant({ id, ttlSeconds: TTL_SECONDS * (i + 1) })
  }
  for (const [i, command] of planned.commands.entries()) {
    if (i === planned.revokedBefore && revoked !== undefined) await store.revoke(revoked)
    if (command.call === 'reopen') continue
    await apply(store, command, (await store.status()).revision)
  }
}
