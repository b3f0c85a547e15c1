import { existsSync } from 'node:fs'
import { join, sep } from 'node:path'
import ts from 'typescript'
import type { Package } from './workspace.ts'

/** A public module of a package: `.` or a subpath, and the file behind it. */
export interface Entry {
  readonly subpath: string
  readonly file: string
}

/** A public name. */
export interface Exported {
  readonly name: string
  readonly subpath: string
  readonly kind: 'function' | 'class' | 'const' | 'type'
  readonly symbol: ts.Symbol
  readonly declarations: readonly ts.Declaration[]
  /** True where the name comes from another package. */
  readonly foreign: boolean
}

/** Public entries of a package: their sources, or the declarations that the build wrote. */
export function entries(item: Package, what: 'source' | 'types'): Entry[] {
  const found: Entry[] = []
  for (const [subpath, target] of Object.entries(item.manifest.exports ?? {})) {
    if (typeof target === 'string') continue
    const file = target[what === 'source' ? '@regimen/source' : 'types']
    if (typeof file === 'string' && existsSync(join(item.dir, file)))
      found.push({ subpath, file: join(item.dir, file) })
  }
  return found
}

/** A compiler program over the given files, for reading declarations: it knows no built-in types, which is fast. */
export function readProgram(files: readonly string[], source: boolean): ts.Program {
  return ts.createProgram({
    rootNames: [...files],
    options: {
      target: ts.ScriptTarget.ES2022,
      noLib: true,
      types: [],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      ...(source ? { customConditions: ['@regimen/source'] } : {}),
    },
  })
}

const libraryFiles = new Map<string, ts.SourceFile | undefined>()

/** A compiler host that parses the declarations of TypeScript itself and of `@types` once a process. */
export function cachingHost(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options)
  const read = host.getSourceFile.bind(host)
  host.getSourceFile = (name, ...rest) => {
    if (!/node_modules\/(?:typescript\/lib|@types)\//.test(name)) return read(name, ...rest)
    if (!libraryFiles.has(name)) libraryFiles.set(name, read(name, ...rest))
    return libraryFiles.get(name)
  }
  return host
}

/** The public names of an entry, in alphabetical order. */
export function exportsOf(program: ts.Program, item: Package, entry: Entry): Exported[] {
  const checker = program.getTypeChecker()
  const source = program.getSourceFile(entry.file)
  const module = source && checker.getSymbolAtLocation(source)
  if (!module) return []
  return checker
    .getExportsOfModule(module)
    .map((symbol) => {
      const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
      const declarations = target.declarations ?? []
      return {
        name: symbol.name,
        subpath: entry.subpath,
        kind: kindOf(target),
        symbol: target,
        declarations,
        foreign: !declarations.some((node) => inside(node.getSourceFile().fileName, item.dir)),
      }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function inside(file: string, dir: string): boolean {
  const path = file.split('/').join(sep)
  return path.startsWith(dir + sep) && !path.slice(dir.length).includes(`${sep}node_modules${sep}`)
}

function kindOf(symbol: ts.Symbol): Exported['kind'] {
  if (symbol.flags & ts.SymbolFlags.Class) return 'class'
  if (symbol.flags & ts.SymbolFlags.Function) return 'function'
  if (symbol.flags & (ts.SymbolFlags.Variable | ts.SymbolFlags.Enum | ts.SymbolFlags.ValueModule)) return 'const'
  return 'type'
}
