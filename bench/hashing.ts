/** Password hashes that keep libuv's pool busy. */

import { pbkdf2 } from 'node:crypto'

export const HASHES = 8
const ITERATIONS = 40_000

function hash(): Promise<void> {
  return new Promise((resolve, reject) => {
    pbkdf2('password', 'salt', ITERATIONS, 32, 'sha512', (error) =>
      error === null ? resolve() : reject(error),
    )
  })
}

/** Keeps eight queued until the returned function is called; it waits for the last. */
export function keepHashing(): () => Promise<void> {
  let isWanted = true
  const workers = Array.from({ length: HASHES }, async () => {
    while (isWanted) await hash()
  })
  return async () => {
    isWanted = false
    await Promise.all(workers)
  }
}
