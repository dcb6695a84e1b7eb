/**
 * Recipes: what programs build on a versioned store, on its public interface alone. They work on
 * any store, the one in this process and any other.
 *
 * @module revbolt/recipes
 */

export { election } from './election.ts'
export type { CampaignOptions, Election, Leadership } from './election.ts'
export type { Held, LineOptions } from './line.ts'
export { lock, tryLock } from './lock.ts'
export type { Lock, LockOptions } from './lock.ts'
export { queue } from './queue.ts'
export type { PushOptions, Queue } from './queue.ts'
export type { RecipeStore } from './recipe-store.ts'
export { registry } from './registry.ts'
export type { Instance, Instances, Registration, Registry } from './registry.ts'
export { openSession } from './session.ts'
export type { Session, SessionOptions } from './session.ts'
