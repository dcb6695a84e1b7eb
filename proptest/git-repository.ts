/**
 * Git repositories for tests, made by `git fast-import` from plain data: any name, any content, any
 * size.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** A file with its mode; for a submodule (`160000`) the content is the hash of its commit. */
export interface PlannedFile {
  readonly mode: '100644' | '100755' | '120000' | '160000'
  readonly content: string | Uint8Array
}

export interface PlannedCommit {
  readonly subject: string
  /** Seconds since 1970. */
  readonly date: number
  /** Path to what it becomes: a file, the content of a plain file, or null to delete it. */
  readonly files: readonly (readonly [
    path: string | Uint8Array,
    file: PlannedFile | string | Uint8Array | null,
  ])[]
  /** Places of the parents in the plan. Default: the one before; none for the first. */
  readonly parents?: readonly number[]
}

export const hasGit: boolean = spawnSync('git', ['--version']).status === 0

/** A path as fast-import reads it back byte for byte. */
function quoted(path: string | Uint8Array): string {
  let text = ''
  for (const byte of Buffer.from(path)) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
    text += isPlain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`
  }
  return `"${text}"`
}

function* data(content: string | Uint8Array): Generator<string | Uint8Array> {
  const bytes = Buffer.from(content)
  yield `data ${bytes.length}\n`
  yield bytes
  yield '\n'
}

function* fileCommands([path, file]: PlannedCommit['files'][number]): Generator<
  string | Uint8Array
> {
  if (file === null) {
    yield `D ${quoted(path)}\n`
    return
  }
  const isPlain = typeof file === 'string' || file instanceof Uint8Array
  const { mode, content } = isPlain ? { mode: '100644', content: file } : file
  if (mode === '160000') {
    yield `M ${mode} ${Buffer.from(content).toString()} ${quoted(path)}\n`
    return
  }
  yield `M ${mode} inline ${quoted(path)}\n`
  yield* data(content)
}

function* commands(plan: Iterable<PlannedCommit>): Generator<string | Uint8Array> {
  let number = 0
  for (const { subject, date, files, parents } of plan) {
    const [parent, ...merged] = parents ?? (number === 0 ? [] : [number - 1])
    yield `commit refs/heads/main\nmark :${number + 1}\n`
    yield `author Test <test@example.org> ${date} +0000\n`
    yield `committer Test <test@example.org> ${date} +0000\n`
    yield* data(subject)
    if (parent !== undefined) yield `from :${parent + 1}\n`
    for (const other of merged) yield `merge :${other + 1}\n`
    for (const file of files) yield* fileCommands(file)
    number++
  }
}

/** Runs git in a directory and returns what it prints, as bytes. */
export function git(directory: string, ...args: readonly string[]): Buffer {
  const { status, stdout, stderr } = spawnSync('git', ['-C', directory, ...args], {
    maxBuffer: 256 * 1024 * 1024,
  })
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr.toString()}`)
  return stdout
}

/**
 * Makes a repository without a work tree's files; its branch is `main`, at the plan's last commit.
 */
export async function makeRepository(
  directory: string,
  plan: Iterable<PlannedCommit>,
): Promise<void> {
  git('.', 'init', '--quiet', '--initial-branch=main', directory)
  const child = spawn('git', ['-C', directory, 'fast-import', '--quiet', '--date-format=raw'], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const ended = once(child, 'close')
  await pipeline(Readable.from(commands(plan)), child.stdin)
  await ended
  if (child.exitCode !== 0) throw new Error(`git fast-import ended with ${child.exitCode}`)
}
