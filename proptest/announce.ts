/**
 * Says once, at the start of a run, how its properties can be repeated, should it hang or die.
 */
import { seed, size } from './effort.ts'

const ANNOUNCED = 'PROPTEST_ANNOUNCED'

export function setup(): void {
  // Each project of the run asks.
  if (process.env[ANNOUNCED] === String(process.pid)) return
  process.env[ANNOUNCED] = String(process.pid)
  console.log(`\nproperties: PROPTEST_SIZE=${size} PROPTEST_SEED=${seed}`)
}
