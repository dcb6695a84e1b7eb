/**
 * Builds the Go program in `interop/bbolt`, once for a given source: the binary is kept under
 * node_modules/.cache.
 *
 * bbolt's own source comes from Debian's golang-github-coreos-bbolt-dev where it is installed, else
 * from Go's module cache or proxy. Where it can't be built, suites are skipped and a line says so;
 * with REVBOLT_REQUIRE_GO=1 they fail instead.
 */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const DEBIAN_GOPATH = '/usr/share/gocode'
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const SOURCE = join(ROOT, 'interop', 'bbolt')
const CACHE = join(ROOT, 'node_modules', '.cache', 'revbolt-interop')

type Built = { readonly path: string } | { readonly reason: string }

function goEnvironment(): NodeJS.ProcessEnv {
  // One cache for all: what one test process has compiled, another one need not.
  const environment = { ...process.env, GOCACHE: join(CACHE, 'go'), GOFLAGS: '' }
  if (existsSync(join(DEBIAN_GOPATH, 'src', 'go.etcd.io', 'bbolt'))) {
    return { ...environment, GO111MODULE: 'off', GOPATH: DEBIAN_GOPATH }
  }
  return { ...environment, GO111MODULE: 'on' }
}

/** Where the binary of this very source belongs. */
function binaryPath(version: string): string {
  const key = createHash('sha256').update(version)
  for (const name of readdirSync(SOURCE).toSorted()) {
    if (/\.(go|mod|sum)$/.test(name)) key.update(name).update(readFileSync(join(SOURCE, name)))
  }
  return join(CACHE, `bbolt-${key.digest('hex').slice(0, 24)}`)
}

function build(): Built {
  const version = spawnSync('go', ['version'], { encoding: 'utf8' })
  if (version.status !== 0) return { reason: 'there is no Go on this machine' }
  const path = binaryPath(version.stdout)
  if (existsSync(path)) return { path }
  mkdirSync(CACHE, { recursive: true })
  // Two test processes may build at once: each builds its own, and the renames agree.
  const workspace = mkdtempSync(join(CACHE, 'build-'))
  try {
    const target = join(workspace, 'bbolt')
    const run = spawnSync('go', ['build', '-o', target, '.'], {
      cwd: SOURCE,
      env: goEnvironment(),
      encoding: 'utf8',
    })
    if (run.status !== 0) return { reason: `Go can not build interop/bbolt:\n${run.stderr}` }
    renameSync(target, path)
  } finally {
    rmSync(workspace, { recursive: true, force: true })
  }
  return { path }
}

const built = build()

/** Whether suites that ask bbolt are to be skipped: `describe.skipIf(isWithoutGo)`. */
export const isWithoutGo: boolean = 'reason' in built && process.env['REVBOLT_REQUIRE_GO'] !== '1'

if (isWithoutGo && 'reason' in built) {
  process.stderr.write(`tests that ask bbolt itself are skipped: ${built.reason}\n`)
}

/** The program. Throws where it could not be built, and says why. */
export function programPath(): string {
  if ('path' in built) return built.path
  throw new Error(`bbolt itself can not be asked: ${built.reason}`)
}
