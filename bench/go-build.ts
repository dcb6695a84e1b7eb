/**
 * Builds the Go program in `bench/bbolt`, once for a given source: the binary is kept under
 * bench/node_modules/.cache.
 *
 * bbolt's source comes from Debian's golang-github-coreos-bbolt-dev where it is installed, else
 * from Go's module cache or proxy.
 */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const DEBIAN_GOPATH = '/usr/share/gocode'
const SOURCE = fileURLToPath(new URL('./bbolt', import.meta.url))
const CACHE = fileURLToPath(new URL('./node_modules/.cache/revbolt-bench', import.meta.url))
/** What Debian packages, and what go.mod names. */
const BBOLT_VERSION = '1.3.6'

const isDebian = existsSync(join(DEBIAN_GOPATH, 'src', 'go.etcd.io', 'bbolt'))

function go(arguments_: readonly string[]): string {
  const module = isDebian
    ? { GO111MODULE: 'off', GOPATH: DEBIAN_GOPATH }
    : { GO111MODULE: 'on', GOFLAGS: '' }
  const run = spawnSync('go', arguments_, {
    cwd: SOURCE,
    env: { ...process.env, GOCACHE: join(CACHE, 'go'), ...module },
    encoding: 'utf8',
  })
  if (run.error !== undefined) {
    throw new Error(
      `bbolt can't be measured: there is no Go on this machine; leave it out by --sides`,
    )
  }
  if (run.status !== 0) throw new Error(`go ${arguments_.join(' ')}:\n${run.stderr}`)
  return run.stdout.trim()
}

/** The path of the program. Throws where it can't be built, and says why. */
export function buildProgram(): string {
  const hash = createHash('sha256').update(go(['version']))
  for (const name of readdirSync(SOURCE).toSorted()) {
    hash.update(name).update(readFileSync(join(SOURCE, name)))
  }
  const path = join(CACHE, `bbolt-bench-${hash.digest('hex').slice(0, 24)}`)
  if (existsSync(path)) return path
  mkdirSync(CACHE, { recursive: true })
  const partial = `${path}.${process.pid}`
  go(['build', '-o', partial, '.'])
  renameSync(partial, path)
  return path
}

export function goVersions(): Record<string, string> {
  const debian = spawnSync(
    'dpkg-query',
    ['--show', '--showformat=${Version}', 'golang-github-coreos-bbolt-dev'],
    { encoding: 'utf8' },
  )
  const packaged = isDebian && debian.status === 0 ? ` (Debian ${debian.stdout})` : ''
  return { go: go(['env', 'GOVERSION']), bbolt: `${BBOLT_VERSION}${packaged}` }
}
