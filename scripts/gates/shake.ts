import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { build } from 'esbuild'
import ts from 'typescript'
import { entries, exportsOf, readProgram } from '../lib/exports.ts'
import { type Gate, type Problem, packagesInScope } from '../lib/gate.ts'
import { builtEntries, externals } from './size.ts'

/** Who imports one algorithm gets no other one. */
export const shake: Gate = {
  name: 'shake',
  description: 'a bundle that imports one name holds nothing of the files that this name does not reach',
  scoped: true,
  async run(context) {
    const packages = packagesInScope(context)
    const program = readProgram(
      packages.flatMap((item) => entries(item, 'source').map((entry) => entry.file)),
      true,
    )
    const problems: Problem[] = []
    let passed = 0
    for (const item of packages) {
      const built = new Map(builtEntries(item))
      for (const entry of entries(item, 'source')) {
        const file = built.get(entry.subpath)
        const values = exportsOf(program, item, entry).filter((one) => one.kind !== 'type' && !one.foreign)
        if (file === undefined || values.length < 2) continue
        const homes = values.map((one) => one.declarations[0]!.getSourceFile().fileName)
        const reaches = new Map(homes.map((home) => [home, closure(home)]))
        // The name that reaches least leaves most to be shaken off.
        let lightest = 0
        homes.forEach((home, index) => {
          if (reaches.get(home)!.size < reaches.get(homes[lightest]!)!.size) lightest = index
        })
        const reached = reaches.get(homes[lightest]!)!
        const unused = values.filter((_, index) => !reached.has(homes[index]!)).map((one) => one.name)
        const text = await bundle(file, values[lightest]!.name, externals(item))
        const kept = unused.filter((name) => new RegExp(`(?:function|class|const|let|var)\\*? ${name}\\b`).test(text))
        const specifier = item.name + entry.subpath.slice(1)
        if (kept.length === 0) passed++
        else {
          const message = `a bundle of { ${values[lightest]!.name} } from ${specifier} still holds ${kept.join(', ')}`
          problems.push({ file: `packages/${item.short}/package.json`, message })
        }
      }
    }
    return { passed, problems }
  },
}

/** The files that a source file reaches through relative imports of values, itself included. */
function closure(file: string, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(file) || !ts.sys.fileExists(file)) return seen
  seen.add(file)
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022)
  for (const statement of source.statements) {
    const isImport = ts.isImportDeclaration(statement) && !statement.importClause?.isTypeOnly
    const isExport = ts.isExportDeclaration(statement) && !statement.isTypeOnly
    const specifier = isImport || isExport ? statement.moduleSpecifier : undefined
    if (specifier && ts.isStringLiteral(specifier) && specifier.text.startsWith('.')) {
      closure(resolve(dirname(file), specifier.text).split('\\').join('/'), seen)
    }
  }
  return seen
}

async function bundle(file: string, name: string, external: readonly string[]): Promise<string> {
  const result = await build({
    stdin: {
      contents: `import { ${name} } from ${JSON.stringify(file)}\nconsole.log(${name})`,
      resolveDir: dirname(file),
    },
    bundle: true,
    write: false,
    format: 'esm',
    treeShaking: true,
    external: [...external],
    logLevel: 'silent',
  })
  return result.outputFiles[0]!.text
}
