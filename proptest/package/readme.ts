/**
 * The programs of the README, of the documents and of `examples/`, as they stand there.
 */

export interface Block {
  readonly language: string
  readonly text: string
  /** Where it begins, counted from 1. */
  readonly line: number
}

/** The fenced blocks of a Markdown text. */
export function codeBlocks(markdown: string): readonly Block[] {
  const blocks: Block[] = []
  let open: { language: string; line: number; lines: string[] } | undefined
  markdown.split('\n').forEach((text, index) => {
    const fence = /^```(\w*)$/.exec(text)
    if (fence === null) {
      open?.lines.push(text)
    } else if (open === undefined) {
      open = { language: fence[1] ?? '', line: index + 1, lines: [] }
    } else {
      blocks.push({ language: open.language, line: open.line, text: `${open.lines.join('\n')}\n` })
      open = undefined
    }
  })
  if (open !== undefined) throw new Error(`the block from line ${open.line} on has no end`)
  return blocks
}

/** What a program's comments say it prints: `console.log(x) // → text`. */
export function expectedOutput(program: string): string {
  return [...program.matchAll(/console\.log\(.*\/\/ → (.*)$/gm)]
    .map((match) => `${match[1] ?? ''}\n`)
    .join('')
}

/** The output that an example's last comment shows: `// Prints:`, then `//   ` before each line. */
export function shownOutput(program: string): string {
  const block = /^\/\/ Prints:\n((?:\/\/   .*\n)+)$/m.exec(program)
  return (block?.[1] ?? '').replaceAll(/^\/\/   /gm, '')
}

/**
 * A program out of all blocks of a document, in their order: what one declares the later ones use.
 */
export function joinedProgram(blocks: readonly Block[]): string {
  return blocks.map(({ text }) => text).join('')
}
