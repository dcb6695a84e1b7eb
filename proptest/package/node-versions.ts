/**
 * Other versions of Node.js, each from the package that brings its binary and its headers. They are
 * kept in `.cache/` and stay off PATH, so that nothing else runs on them by accident.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url))

/** One version for each major that is supported. */
export const NODE_VERSIONS = ['20.20.2', '22.23.3', '24.9.0'] as const

export interface NodeVersion {
  readonly version: string
  /** The program. */
  readonly node: string
  /** Where its headers are, for building addons; undefined: wherever node-gyp finds them. */
  readonly headers: string | undefined
}

/** This process's own npm, as a script, so that any version of Node.js can run it. */
export async function npmScript(): Promise<string> {
  const own = process.env['npm_execpath']
  if (own !== undefined && own.endsWith('.js')) return own
  const { stdout } = await run('npm', ['root', '--global'])
  return join(stdout.trim(), 'npm', 'bin', 'npm-cli.js')
}

/** Installs a version of Node.js unless it is there, or is the one that runs this. */
export async function installNode(version: string): Promise<NodeVersion> {
  const major = version.split('.')[0]
  if (process.versions.node.split('.')[0] === major) {
    return { version: process.versions.node, node: process.execPath, headers: undefined }
  }
  const name = `node-${process.platform}-${process.arch}`
  const folder = join(ROOT, '.cache', `node-${version}`)
  const home = join(folder, 'node_modules', name)
  const node = join(home, 'bin', 'node')
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true })
    const options = ['--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--ignore-scripts']
    await run(process.execPath, [await npmScript(), 'install', ...options, `${name}@${version}`])
  }
  const { stdout } = await run(node, ['--version'])
  if (stdout.trim() !== `v${version}`)
    throw new Error(`${name}: expected ${version}, got ${stdout}`)
  return { version, node, headers: home }
}

/** The environment in which a version of Node.js is first on PATH and builds for itself. */
export function environmentOf(version: NodeVersion): NodeJS.ProcessEnv {
  const PATH = `${dirname(version.node)}:${process.env['PATH'] ?? ''}`
  const headers = version.headers
  const build = headers === undefined ? {} : { npm_config_nodedir: headers }
  const { NODE_OPTIONS: _options, KV_VERIFY: _verify, ...rest } = process.env
  return { ...rest, PATH, ...build }
}
