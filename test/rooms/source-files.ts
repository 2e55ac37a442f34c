import { readdirSync, readFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript-5.9'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** A source file; its path is from the root of the repository, with slashes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** One arrow from a file to what it asks for. */
export interface Import {
  readonly from: string
  /** As written; `global:fetch` for a call of the global function, which opens a socket without an import. */
  readonly specifier: string
  /** Gone once compiled. */
  readonly typeOnly: boolean
}

/** A package or app of the workspace, as its package.json describes it. */
export interface Member {
  readonly folder: string
  readonly name: string
  readonly dependencies: readonly string[]
  readonly peers: readonly string[]
  /** Specifiers by which others may import it: its name, and its name with a subpath of `exports`. */
  readonly doors: readonly string[]
}

/** The members below a folder of the repository, `packages` or `apps`. */
export function readMembers(parent: string): readonly Member[] {
  const folders = readdirSync(root + parent, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return folders.map(({ name }) => readMember(`${parent}/${name}`))
}

function readMember(folder: string): Member {
  const manifest: {
    readonly name: string
    readonly exports?: Readonly<Record<string, unknown>>
    readonly dependencies?: Readonly<Record<string, string>>
    readonly peerDependencies?: Readonly<Record<string, string>>
  } = JSON.parse(readFileSync(`${root}${folder}/package.json`, 'utf8'))
  return {
    folder,
    name: manifest.name,
    dependencies: Object.keys(manifest.dependencies ?? {}),
    peers: Object.keys(manifest.peerDependencies ?? {}),
    doors: Object.keys(manifest.exports ?? {}).map((subpath) => manifest.name + subpath.slice(1)),
  }
}

/** The TypeScript files of a member. */
export function readSources({ folder }: Pick<Member, 'folder'>): readonly SourceFile[] {
  return readdirSync(`${root}${folder}/src`, { recursive: true, encoding: 'utf8' })
    .map((path) => `${folder}/src/${path.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts'))
    .map((path) => ({ path, text: readFileSync(root + path, 'utf8') }))
}

/** Every arrow that leaves a file: import and export statements, `import()`, `require()`, types, augmentations. */
export function importsOf({ path, text }: SourceFile): readonly Import[] {
  const found: Import[] = []
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  visit(source)
  return found

  function visit(node: ts.Node): void {
    if (ts.isImportDeclaration(node)) {
      // Not `import { type A }`: verbatimModuleSyntax leaves `import {} from` of that.
      add(node.moduleSpecifier, node.importClause?.isTypeOnly === true)
    } else if (ts.isExportDeclaration(node)) {
      add(node.moduleSpecifier, node.isTypeOnly)
    } else if (ts.isImportEqualsDeclaration(node) && ts.isExternalModuleReference(node.moduleReference)) {
      add(node.moduleReference.expression, node.isTypeOnly)
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node.argument.literal, true)
    } else if (ts.isModuleDeclaration(node) && ts.isStringLiteral(node.name)) {
      add(node.name, true)
    } else if (ts.isCallExpression(node)) {
      if (node.expression.kind === ts.SyntaxKind.ImportKeyword || isNamed(node.expression, 'require')) {
        add(node.arguments[0], false)
      }
      if (isNamed(node.expression, 'fetch'))
        found.push({ from: path, specifier: 'global:fetch', typeOnly: false })
    }
    ts.forEachChild(node, visit)
  }

  function add(specifier: ts.Node | undefined, typeOnly: boolean): void {
    if (specifier === undefined) return
    const text = ts.isStringLiteralLike(specifier) ? specifier.text : 'an expression'
    found.push({ from: path, specifier: text, typeOnly })
  }
}

function isNamed(node: ts.Node, name: string): boolean {
  return ts.isIdentifier(node) && node.text === name
}

/** The path of the file that a relative import asks for, whether it is there or not; null for a package. */
export function fileOf({ from, specifier }: Pick<Import, 'from' | 'specifier'>): string | null {
  if (!specifier.startsWith('.')) return null
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts')
}

/** The package behind an import; null for a file, a module of Node or a global. */
export function packageOf({ specifier }: Pick<Import, 'specifier'>): string | null {
  if (/^(?:\.|node:|global:)/.test(specifier)) return null
  // Without `node:` a module of Node looks like a package, and a package of that name could take its place.
  if (builtinModules.includes(specifier)) return specifier
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}
