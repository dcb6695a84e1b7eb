/**
 * Which history a run loads: the repository that was named; else the one this program lies in;
 * else, where that can't be read or has hardly any commits, the export that comes with the
 * program.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openBundle } from './bundle.ts'
import { openGitHistory } from './git-history.ts'
import { GitError } from './git-process.ts'
import type { History } from './history.ts'
import { newestCommits } from './history.ts'
import { plural } from './format.ts'

/** With fewer there is nothing to show; a shallow clone often has one. */
const COMMITS_MIN = 10

const BUNDLE = join('testdata', 'history', 'revbolt.history.br')

export interface Source {
  readonly history: History
  /** Why it is the bundled export; undefined where it is not. */
  readonly bundledBecause: string | undefined
}

export interface SourceOptions {
  /** The directory of a repository, absolute. */
  readonly repository?: string | undefined
  readonly commitsMax?: number | undefined
  /** The directory of this program's package. */
  readonly home: string
}

/** The directory of the package that this file is part of, compiled or not. */
export function findHome(): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(directory, 'package.json'))) {
    const parent = dirname(directory)
    if (parent === directory) throw new Error('no package.json above this program')
    directory = parent
  }
  return directory
}

/** Where the bundled export lies. */
export function bundlePath(home: string): string {
  return join(home, BUNDLE)
}

/**
 * @throws {GitError} where the named repository can't be read; {BundleError} where the export
 * can't
 */
export async function openSource(options: SourceOptions): Promise<Source> {
  const { repository, commitsMax, home } = options
  if (repository !== undefined) {
    return { history: await openGitHistory(repository, { commitsMax }), bundledBecause: undefined }
  }
  const own = await openOwn(home, commitsMax)
  if (typeof own !== 'string') return { history: own, bundledBecause: undefined }
  const bundle = await openBundle(bundlePath(home))
  const history = commitsMax === undefined ? bundle : newestCommits(bundle, commitsMax)
  return { history, bundledBecause: own }
}

/** This project's own history, or why it is not at hand. */
async function openOwn(home: string, commitsMax: number | undefined): Promise<History | string> {
  try {
    const whole = await openGitHistory(home, { mustBeRoot: true })
    if (whole.commitCount < COMMITS_MIN)
      return `this copy has only ${plural(whole.commitCount, 'commit')}`
    const history = commitsMax === undefined ? whole : await openGitHistory(home, { commitsMax })
    return { ...history, title: "this project's own git history" }
  } catch (error) {
    if (error instanceof GitError) return error.message
    throw error
  }
}
