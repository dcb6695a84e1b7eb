/** What a record says about the machine, the versions and the commit. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { fileURLToPath } from 'node:url'
import { goVersions } from './go-build.ts'
import type { Machine, Occasion, Versions } from './record.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const PEER_PACKAGES = ['lmdb', 'better-sqlite3', 'classic-level', 'tinybench']

function ask(program: string, ...arguments_: readonly string[]): string | undefined {
  const run = spawnSync(program, arguments_, { cwd: ROOT, encoding: 'utf8' })
  return run.status === 0 ? run.stdout.trim() : undefined
}

/** The type of the file system under a path, as mount(8) names it. */
export function fileSystemOf(path: string): string {
  return ask('df', '--output=fstype', path)?.split('\n').at(-1)?.trim() ?? 'unknown'
}

export function describeMachine(dataFolder: string): Machine {
  const processors = cpus()
  return {
    cpu: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    fileSystem: fileSystemOf(dataFolder),
  }
}

function versionIn(path: string): string | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
    const hasVersion = typeof content === 'object' && content !== null && 'version' in content
    return hasVersion ? String(content.version) : undefined
  } catch {
    return undefined
  }
}

export function readVersions(withGo: boolean): Versions {
  const versions: Record<string, string> = {
    revbolt: versionIn('../package.json') ?? 'unknown',
    node: process.versions.node,
    v8: process.versions.v8,
  }
  for (const name of PEER_PACKAGES) {
    const version = versionIn(`./node_modules/${name}/package.json`)
    if (version !== undefined) versions[name] = version
  }
  return withGo ? { ...versions, ...goVersions() } : versions
}

export function currentCommit(): string {
  const commit = ask('git', 'rev-parse', 'HEAD')
  if (commit === undefined) return 'unknown'
  return ask('git', 'status', '--porcelain', '--untracked-files=no') === ''
    ? commit
    : `${commit}-dirty`
}

/** To be called before anything is measured. */
export function describeOccasion(dataFolder: string, withGo: boolean): Occasion {
  const [loadBefore = 0] = loadavg()
  return {
    startedAt: new Date().toISOString(),
    commit: currentCommit(),
    machine: describeMachine(dataFolder),
    versions: readVersions(withGo),
    loadBefore,
  }
}
