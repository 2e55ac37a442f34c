import ts from 'typescript-5.9'
import { fileOf, type Member, type SourceFile } from './source-files.js'

/** What can be imported by one specifier. */
export interface Door {
  /** Names that are there at run time. */
  readonly values: readonly string[]
  readonly types: readonly string[]
  /** Names whose declaration, in whatever file or package it stands, has no docstring. */
  readonly undocumented: readonly string[]
}

/** Reads the doors of members by their specifiers, through all re-exports. */
export function readDoors(
  members: readonly Member[],
  files: readonly SourceFile[],
): ReadonlyMap<string, Door> {
  const doorFiles = new Map(
    members.flatMap((member) => member.doors.map((door) => [door, doorFile(member, door)] as const)),
  )
  const program = createProgram(
    [...doorFiles.values()],
    new Map(files.map(({ path, text }) => [path, text])),
    doorFiles,
  )
  return new Map([...doorFiles].map(([specifier, path]) => [specifier, readDoor(program, path)]))
}

/** `wimse` opens on `src/index.ts`, and `wimse/explain` on `src/explain.ts`. */
function doorFile({ folder, name }: Member, specifier: string): string {
  return `${folder}/src/${specifier.slice(name.length + 1) || 'index'}.ts`
}

function readDoor(program: ts.Program, path: string): Door {
  const checker = program.getTypeChecker()
  const module = checker.getSymbolAtLocation(program.getSourceFile(path)!)
  const symbols = module === undefined ? [] : checker.getExportsOfModule(module)
  return {
    values: namesOf(symbols.filter(isValue)),
    types: namesOf(symbols.filter((symbol) => !isValue(symbol))),
    undocumented: namesOf(
      symbols.filter((symbol) => original(symbol).getDocumentationComment(checker).length === 0),
    ),
  }

  function isValue(symbol: ts.Symbol): boolean {
    // A class by `export type` is there for the compiler alone.
    if (symbol.declarations?.some(ts.isTypeOnlyExportDeclaration) === true) return false
    return (original(symbol).flags & ts.SymbolFlags.Value) !== 0
  }

  function original(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  }
}

function namesOf(symbols: readonly ts.Symbol[]): readonly string[] {
  return symbols.map(({ name }) => name).sort()
}

/** From memory, and without third-party packages: none of their names goes through a door of ours. */
function createProgram(
  rootNames: readonly string[],
  texts: ReadonlyMap<string, string>,
  doors: ReadonlyMap<string, string>,
): ts.Program {
  const host: ts.CompilerHost = {
    getSourceFile: (path, version) => {
      const text = texts.get(path)
      return text === undefined ? undefined : ts.createSourceFile(path, text, version)
    },
    resolveModuleNameLiterals: (literals, from) =>
      literals.map(({ text: specifier }) => {
        const path = fileOf({ from, specifier }) ?? doors.get(specifier)
        if (path === undefined || !texts.has(path)) return { resolvedModule: undefined }
        return { resolvedModule: { resolvedFileName: path, extension: ts.Extension.Ts } }
      }),
    fileExists: (path) => texts.has(path),
    readFile: (path) => texts.get(path),
    getDefaultLibFileName: () => 'no-lib.d.ts',
    getCurrentDirectory: () => '',
    getCanonicalFileName: (path) => path,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => '\n',
    writeFile: () => undefined,
  }
  const options = { noLib: true, module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ESNext }
  return ts.createProgram({ rootNames, options, host })
}
