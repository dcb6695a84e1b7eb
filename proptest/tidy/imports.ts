/**
 * What a file loads: imports, re-exports, `import()`, `require()` and `import('x').T` in types.
 * `import type` counts like any other.
 */
import { posix } from 'node:path'
import ts from 'typescript'
import type { TextFile } from './tree.ts'

/** One mention of a module. */
export interface ModuleUse {
  readonly specifier: string
  /** Path inside the project where the specifier is relative, else undefined. */
  readonly path: string | undefined
  readonly line: number
  /** Whether it hands on what it loads: `export … from`. */
  readonly reExports: boolean
}

function specifierOf(node: ts.Node): ts.Expression | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return ts.isStringLiteral(node.argument.literal) ? node.argument.literal : undefined
  }
  if (ts.isCallExpression(node)) {
    const callee = node.expression
    const loads =
      callee.kind === ts.SyntaxKind.ImportKeyword ||
      (ts.isIdentifier(callee) && callee.text === 'require')
    return loads ? node.arguments[0] : undefined
  }
  return undefined
}

/** Every module that `file` mentions by a literal name. */
export function moduleUses(file: TextFile): readonly ModuleUse[] {
  const uses: ModuleUse[] = []
  for (const node of file.nodes()) {
    const specifier = specifierOf(node)
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) continue
    const isRelative = specifier.text.startsWith('.')
    uses.push({
      specifier: specifier.text,
      path: isRelative
        ? posix.normalize(posix.join(posix.dirname(file.path), specifier.text))
        : undefined,
      line: file.lineOf(specifier),
      reExports: ts.isExportDeclaration(node),
    })
  }
  return uses
}
