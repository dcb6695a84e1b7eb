/**
 * The project's files as the rules see them: text, and for TypeScript its syntax tree.
 *
 * A tree is read from disk once, or planted from literals to prove that a rule can fail.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

/** Where a rule was broken. `line` counts from 1. */
export interface Finding {
  readonly path: string
  readonly line: number
  readonly message: string
}

/** A rule of the house: what it asks for, in one claim, and how it is judged. */
export interface Rule {
  readonly claim: string
  check(tree: Tree): readonly Finding[]
}

/** One file. `path` is relative to the project, with forward slashes. */
export class TextFile {
  readonly path: string
  readonly text: string
  #lines: readonly string[] | undefined
  #syntax: ts.SourceFile | undefined

  constructor(path: string, text: string) {
    this.path = path
    this.text = text
  }

  get lines(): readonly string[] {
    this.#lines ??= this.text.split('\n')
    return this.#lines
  }

  /** The first folder of the path, '' for a file at the top. */
  get room(): string {
    const slash = this.path.indexOf('/')
    return slash === -1 ? '' : this.path.slice(0, slash)
  }

  get isTypeScript(): boolean {
    return this.path.endsWith('.ts')
  }

  get isTest(): boolean {
    return this.path.endsWith('.test.ts')
  }

  get syntax(): ts.SourceFile {
    this.#syntax ??= ts.createSourceFile(this.path, this.text, ts.ScriptTarget.ES2023, true)
    return this.#syntax
  }

  /** The line of a syntax node, counted from 1. */
  lineOf(node: ts.Node): number {
    const start = node.getStart(this.syntax)
    return this.syntax.getLineAndCharacterOfPosition(start).line + 1
  }

  /** Every syntax node, parents before children. */
  *nodes(): Generator<ts.Node> {
    const queue: ts.Node[] = [this.syntax]
    for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
      yield node
      const children: ts.Node[] = []
      ts.forEachChild(node, (child) => void children.push(child))
      queue.push(...children.reverse())
    }
  }
}

export class Tree {
  readonly files: readonly TextFile[]
  readonly #byPath: ReadonlyMap<string, TextFile>

  constructor(files: readonly TextFile[]) {
    this.files = files
    this.#byPath = new Map(files.map((file) => [file.path, file]))
  }

  get(path: string): TextFile | undefined {
    return this.#byPath.get(path)
  }

  /** The TypeScript sources, tests among them. */
  get sources(): readonly TextFile[] {
    return this.files.filter((file) => file.isTypeScript)
  }
}

/** A tree of literals: what a canary plants. */
export function plant(files: Readonly<Record<string, string>>): Tree {
  return new Tree(Object.entries(files).map(([path, text]) => new TextFile(path, text)))
}

const SKIPPED = new Set(['node_modules', 'dist', 'coverage', 'data', 'testdata', '.git', '.cache'])
const TEXT = /\.(ts|js|mjs|cjs|json|md|go|sh|yml|yaml)$|^\.ci\/run$|^\.(npmrc|gitignore)$/

function listFiles(root: string, folder: string, found: string[]): void {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory()) {
      if (!SKIPPED.has(entry.name)) listFiles(root, path, found)
    } else if (entry.isFile() && TEXT.test(path)) {
      found.push(path)
    }
  }
}

/** Reads the project under `root`, without what is installed, built or data. */
export function readTree(root: string): Tree {
  const paths: string[] = []
  listFiles(root, '', paths)
  paths.sort()
  return new Tree(paths.map((path) => new TextFile(path, readFileSync(join(root, path), 'utf8'))))
}
