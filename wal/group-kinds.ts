/** What tells the operations of a payload apart; group.ts says what follows each. */

export const PATH = 0
export const PUT = 1
export const DELETE = 2
export const CREATE_BUCKET = 3
export const DELETE_BUCKET = 4
export const MOVE_BUCKET = 5
export const SET_SEQUENCE = 6

/** How deep a path may be; the engine's buckets are far from it. */
export const DEPTH_MAX = 1024
