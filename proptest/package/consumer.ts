/**
 * The package as a user gets it: packed, then installed into an empty project.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type NodeVersion, ROOT, environmentOf, npmScript } from './node-versions.ts'

const runFile = promisify(execFile)

/** A packed package. */
export interface Packed {
  /** The archive's path. */
  readonly archive: string
  /** What is in it. */
  readonly files: readonly string[]
}

/** A new folder, empty, with symbolic links in its path resolved. */
export function emptyFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), 'revbolt-package-')))
}

/** Builds and packs the project into `folder`. */
export async function pack(folder: string): Promise<Packed> {
  const options = ['pack', '--json', '--silent', '--pack-destination', folder]
  const { stdout } = await runFile(process.execPath, [await npmScript(), ...options], { cwd: ROOT })
  const reports = JSON.parse(stdout.slice(stdout.indexOf('['))) as readonly {
    readonly filename: string
    readonly files: readonly { readonly path: string }[]
  }[]
  const report = reports[0]
  if (report === undefined) throw new Error(`npm pack reported nothing: ${stdout}`)
  return {
    archive: join(folder, report.filename),
    files: report.files.map((file) => file.path),
  }
}

/** An empty project that has the package installed. */
export class Consumer {
  readonly folder: string
  readonly #version: NodeVersion

  constructor(folder: string, version: NodeVersion) {
    this.folder = folder
    this.#version = version
  }

  /** Installs `packed` with npm, run by that version of Node.js, as a user of it would. */
  static async install(
    packed: Packed,
    version: NodeVersion,
    options: readonly string[] = [],
  ): Promise<Consumer> {
    const consumer = new Consumer(emptyFolder(), version)
    const manifest = { name: 'consumer', private: true, allowScripts: { 'fs-ext': true } }
    consumer.write('package.json', JSON.stringify(manifest))
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
    await consumer.node([await npmScript(), 'install', packed.archive, ...quiet, ...options])
    return consumer
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true })
    writeFileSync(join(this.folder, path), text)
  }

  /** Runs Node.js in the project; resolves to what it printed, rejects unless it ends with 0. */
  async node(argv: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    try {
      const { stdout } = await runFile(this.#version.node, argv, {
        cwd: this.folder,
        env: { ...environmentOf(this.#version), ...env },
        maxBuffer: 64 * 2 ** 20,
      })
      return stdout
    } catch (error) {
      const printed = error instanceof Error && 'stdout' in error ? String(error.stdout) : ''
      throw new Error(`${String(error)}\n${printed}`, { cause: error })
    }
  }

  /** Writes a program and runs it. */
  async run(path: string, text: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    this.write(path, text)
    return await this.node([path], env)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
