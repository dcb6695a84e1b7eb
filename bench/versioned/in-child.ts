/** Parts of a case that need a process of their own: what one leaves in memory isn't another's. */

import { askOnce, nodeProgram } from '../one-shot.ts'
import type { OpenAsked, OpenMeasured } from './memory.ts'

export interface PartCommand extends OpenAsked {
  readonly part: 'fill' | 'open'
}

export interface PartAnswer extends OpenMeasured {
  readonly error?: string
}

export async function inChild(part: PartCommand['part'], asked: OpenAsked): Promise<PartAnswer> {
  const program = nodeProgram('versioned-part-worker.ts')
  return await askOnce<PartCommand, PartAnswer>(program, { part, ...asked }, part)
}
