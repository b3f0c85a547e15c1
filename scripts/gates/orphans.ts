import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { type Exported, entries, exportsOf, readProgram } from '../lib/exports.ts'
import { type Gate, ofAlgorithm, type Problem, packagesInScope } from '../lib/gate.ts'
import { shown, walk } from '../lib/workspace.ts'

const NOT_A_FAMILY = new Set(['core', 'tensor', 'market', 'report', 'store', 'pipeline', 'cli'])

/** No public name without a doc, an example, a README row and a test; no learner without a contract suite. */
export const orphans: Gate = {
  name: 'orphans',
  description: 'every public name has its doc, example, README row and test; every learner its contract suite',
  scoped: true,
  async run(context) {
    const packages = packagesInScope(context)
    const program = readProgram(
      packages.flatMap((item) => entries(item, 'source').map((entry) => entry.file)),
      true,
    )
    const checker = program.getTypeChecker()
    const problems: Problem[] = []
    let names = 0
    for (const item of packages) {
      const readmeFile = join(item.dir, 'README.md')
      const rows = (existsSync(readmeFile) ? readFileSync(readmeFile, 'utf8') : '')
        .split('\n')
        .filter((line) => line.trimStart().startsWith('|'))
      const tests = walk(join(item.dir, 'test'), (path) => path.endsWith('.ts')).map((path) =>
        readFileSync(path, 'utf8'),
      )
      const seen = new Set<ts.Symbol>()
      for (const entry of entries(item, 'source')) {
        for (const one of exportsOf(program, item, entry)) {
          if (one.foreign || seen.has(one.symbol)) continue
          seen.add(one.symbol)
          const declaration = one.declarations[0]!
          const source = declaration.getSourceFile()
          const file = shown(context.root, source.fileName)
          if (!ofAlgorithm(context, file)) continue
          names++
          const line = source.getLineAndCharacterOfPosition(declaration.getStart(source)).line + 1
          const word = new RegExp(`(?<![\\w$])${one.name.replace(/\$/g, '\\$')}(?![\\w$])`)
          const contract = contractOf(checker, one)
          for (const message of missing(one, word, rows, tests, contract !== undefined))
            problems.push({ file, line, message })
          if (contract && !NOT_A_FAMILY.has(item.short)) {
            const proven = tests.some(
              (test) => word.test(test) && test.includes('@regimen/testing') && contract.test(test),
            )
            if (!proven)
              problems.push({ file, line, message: `${one.name} runs through no contract suite of @regimen/testing` })
          }
        }
      }
    }
    const bad = new Set(problems.map((problem) => `${problem.file}:${problem.line}`)).size
    return { passed: names - bad, problems, note: `${names} public names` }
  },
}

function missing(
  exported: Exported,
  word: RegExp,
  rows: readonly string[],
  tests: readonly string[],
  isLearner: boolean,
): string[] {
  const { name, kind } = exported
  const comment = exported.declarations.map(docOf).join('\n')
  const found: string[] = []
  if (!/[A-Za-z]/.test(comment)) found.push(`${name} has no doc`)
  if (kind === 'type') return found
  const callable = kind === 'function' || kind === 'class' || isLearner
  if (callable && !/^\s*\*\s*```ts/m.test(comment)) found.push(`${name} has no example (a ts fence) in its doc`)
  if (!rows.some((row) => word.test(row))) found.push(`${name} has no row in the package's README`)
  if (!tests.some((test) => word.test(test))) found.push(`${name} is in no test`)
  return found
}

function docOf(declaration: ts.Declaration): string {
  const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration
  const text = node.getSourceFile().text
  return (ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [])
    .map((range) => text.slice(range.pos, range.end))
    .filter((part) => part.startsWith('/**'))
    .join('\n')
}

/** The contract suites that a learner, a factory of learners or an optimizer must run through. */
function contractOf(checker: ts.TypeChecker, exported: Exported): RegExp | undefined {
  if (exported.kind === 'type') return undefined
  const type = checker.getTypeOfSymbol(exported.symbol)
  const has = (of: ts.Type, ...names: string[]): boolean => names.every((name) => of.getProperty(name) !== undefined)
  if (has(type, 'id', 'version', 'open')) return /\btest\w*(?:Live|Snapshot|Optimizer|Causal)\w*\s*(?:<[^()]*>)?\(/
  for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
    const result = signature.getReturnType()
    if (has(result, 'ask', 'tell', 'snapshot')) return /\btestOptimizer\w*\s*(?:<[^()]*>)?\(/
  }
  return undefined
}
