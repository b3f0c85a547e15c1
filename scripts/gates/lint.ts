import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, resolve, sep } from 'node:path'
import ts from 'typescript'
import { allInScope, type Gate, type GateContext, ofAlgorithm, type Problem } from '../lib/gate.ts'
import { listPackages, type Package, ROOT, run, runTool, shown, walk } from '../lib/workspace.ts'

/** Floors of the house (docs/architecture.md). A package that is not named here stands on the family floor. */
const FLOORS: { readonly [name: string]: number } = {
  core: 0,
  tensor: 1,
  market: 1,
  report: 1,
  pipeline: 3,
  orchestrator: 3,
  server: 3,
  cluster: 3,
  cli: 4,
}
const FAMILY = 2
/** On the family floor, but not a family: it sees only snapshots, and systems may hold it. */
const STORE = 'store'
const IN_BROWSERS = new Set(['core', 'tensor', 'market', 'report', 'meta', 'continual', 'evolve', 'bayes', 'regimes'])
const WITHOUT_TFJS = new Set(['core', 'market', 'report', 'regimes', 'evolve', 'bayes', 'store'])
const CLOCK_FILE = 'packages/core/src/clock.ts'
const AMBIENT = new Map([
  ['Math.random', "Take a seed and use core's Rng."],
  ['Date.now', 'Take a Clock.'],
  ['performance.now', 'Take a Clock.'],
])
const MACHINE_PATH = /(?:^|[^\w.~-])(\/(?:work|home|root|Users)\/[\w.-]+|[A-Z]:\\+Users\\+\w+)/
const UNFINISHED = /@ts-(?:ignore|nocheck|expect-error)|biome-ignore|eslint-disable|\b(?:TODO|FIXME|XXX)\b/
const TEXT = /\.(?:ts|mts|tsx|js|mjs|cjs|json|md|yaml|yml|toml|html|css|py|txt)$|(?:^|\/)\.ci\/run$/

/** Biome's rules and the house's own. */
export const lint: Gate = {
  name: 'lint',
  description: 'Biome, ambient time and randomness, node: imports, floor order, deep imports, machine paths',
  scoped: true,
  async run(context) {
    const problems: Problem[] = []
    let files = 0
    const packages = listPackages(context.root)
    for (const item of allInScope(context)) {
      const sources = walk(join(item.dir, 'src'), (path) => path.endsWith('.ts'))
      const tests = walk(join(item.dir, 'test'), (path) => path.endsWith('.ts'))
      for (const path of [...sources, ...tests]) {
        const file = shown(context.root, path)
        if (!ofAlgorithm(context, file)) continue
        files++
        problems.push(...inspect(file, path, readFileSync(path, 'utf8'), item, packages, sources.includes(path)))
      }
    }
    if (!context.package) {
      for (const folder of ['examples', 'benchmarks']) {
        for (const path of walk(join(context.root, folder), (name) => name.endsWith('.ts'))) {
          files++
          problems.push(...outside(shown(context.root, path), path, readFileSync(path, 'utf8'), context.root))
        }
      }
      for (const file of await tracked(context.root)) {
        const text = readFileSync(join(context.root, file), 'utf8')
        for (const [at, line] of text.split('\n').entries()) {
          const found = MACHINE_PATH.exec(line)
          if (found) problems.push({ file, line: at + 1, message: `names a path of a machine: ${found[1]}` })
        }
      }
    }
    if (context.root === ROOT) problems.push(...(await biome(context)))
    return {
      passed: Math.max(0, files - new Set(problems.map((problem) => problem.file)).size),
      problems,
      note: `${files} files`,
    }
  },
}

async function tracked(root: string): Promise<string[]> {
  const listed = await run('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root })
  const files =
    listed.code === 0
      ? listed.stdout.split('\n').filter(Boolean)
      : walk(root, () => true).map((path) => shown(root, path))
  return files.filter((file) => TEXT.test(file) && ts.sys.fileExists(join(root, file)))
}

async function biome(context: GateContext): Promise<Problem[]> {
  const target = context.package ? `packages/${context.package}` : '.'
  const checked = await runTool(
    '@biomejs/biome',
    ['check', '--colors=off', '--max-diagnostics=50', '--error-on-warnings', target],
    {
      bin: 'biome',
    },
  )
  if (checked.code === 0) return []
  const places = [...checked.output.matchAll(/^(\S+?)(?::(\d+):\d+)? (\S+).*━{3,}\n\n\s*([×!])\s*(.*)$/gm)]
  const found = places.filter((match) => match[1] !== 'check')
  const problems = found.map((match) => ({
    file: match[1]!,
    ...(match[2] ? { line: Number(match[2]) } : {}),
    message: `${match[3]} ${match[5]}`,
  }))
  return problems.length > 0 ? problems : [{ message: checked.output.slice(-2000) }]
}

function inspect(
  file: string,
  path: string,
  text: string,
  owner: Package,
  packages: readonly Package[],
  isSource: boolean,
): Problem[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true)
  const problems: Problem[] = []
  const add = (node: ts.Node, message: string): void => {
    problems.push({ file, line: source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1, message })
  }
  const visit = (node: ts.Node, inFunction: boolean): void => {
    if (isSource && file !== CLOCK_FILE) {
      if (ts.isPropertyAccessExpression(node)) {
        const wayOut = AMBIENT.get(node.getText(source).replace(/^globalThis\./, ''))
        if (wayOut) add(node, `${node.getText(source)} is ambient. ${wayOut}`)
      }
      if (ts.isNewExpression(node) && node.expression.getText(source) === 'Date' && !node.arguments?.length) {
        add(node, 'new Date() is ambient. Take a Clock.')
      }
      if (ts.isAwaitExpression(node) && !inFunction)
        add(node, 'top-level await keeps require() from loading the package.')
    }
    const specifier = moduleOf(node)
    if (specifier) {
      for (const message of judgeImport(specifier.text, file, path, owner, packages, isSource)) add(specifier, message)
    }
    const inside = inFunction || ts.isFunctionLike(node)
    ts.forEachChild(node, (child) => visit(child, inside))
  }
  visit(source, false)
  for (const [at, line] of text.split('\n').entries()) {
    const found = UNFINISHED.exec(line)
    if (found) problems.push({ file, line: at + 1, message: `${found[0]} stays in nothing that is committed` })
  }
  return problems
}

function moduleOf(node: ts.Node): ts.StringLiteral | undefined {
  let found: ts.Node | undefined
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) found = node.moduleSpecifier
  else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) found = node.argument.literal
  else if (
    ts.isCallExpression(node) &&
    (node.expression.kind === ts.SyntaxKind.ImportKeyword || node.expression.getText() === 'require')
  ) {
    found = node.arguments[0]
  }
  return found && ts.isStringLiteral(found) ? found : undefined
}

function judgeImport(
  specifier: string,
  file: string,
  path: string,
  owner: Package,
  packages: readonly Package[],
  isSource: boolean,
): string[] {
  const messages: string[] = []
  if (specifier.startsWith('.')) {
    const target = resolve(dirname(path), specifier)
    if (!target.startsWith(owner.dir + sep)) messages.push(`${specifier} leaves the package. Import a published name.`)
    return messages
  }
  const match = /^@regimen\/([^/]+)(\/.*)?$/.exec(specifier)
  if (match?.[2]?.startsWith('/src'))
    messages.push(`${specifier} reaches into another package. Import a published name.`)
  if (!isSource) return messages
  if (isBuiltin(specifier) && IN_BROWSERS.has(owner.short) && !file.endsWith('.node.ts')) {
    messages.push(`${specifier} does not exist in a browser. Put it into a *.node.ts file behind a conditional export.`)
  }
  if (specifier.startsWith('@tensorflow/') && WITHOUT_TFJS.has(owner.short))
    messages.push(`${owner.name} does without tfjs.`)
  const short = match?.[1]
  if (short === undefined || short === owner.short) return messages
  const { dependencies = {}, peerDependencies = {} } = owner.manifest
  const name = `@regimen/${short}`
  if (!(name in dependencies) && !(name in peerDependencies))
    messages.push(`${name} is not among the dependencies of ${owner.name}.`)
  if (!packages.some((item) => item.short === short)) messages.push(`there is no package ${name}.`)
  const refused = floorRefuses(owner.short, short)
  if (refused) messages.push(refused)
  return messages
}

/** Why `from` may not import `to`; undefined where it may. */
export function floorRefuses(from: string, to: string): string | undefined {
  const [here, there] = [FLOORS[from] ?? FAMILY, FLOORS[to] ?? FAMILY]
  if (from !== 'testing' && to === 'testing') return 'testing is for tests only.'
  if (from === 'testing') return undefined
  if (there > here) return `${from} (floor ${here}) may not import ${to} (floor ${there}).`
  if (here === FAMILY && there === FAMILY) return `${from} and ${to} are siblings on the family floor.`
  if (here === 3 && there === FAMILY && to !== STORE) return `families are injected into ${from}, not imported by it.`
  if (to === 'tensor' && WITHOUT_TFJS.has(from)) return `${from} does without tfjs.`
  return undefined
}

function outside(file: string, path: string, text: string, root: string): Problem[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true)
  const problems: Problem[] = []
  const visit = (node: ts.Node): void => {
    const specifier = moduleOf(node)?.text
    const reaches =
      specifier?.startsWith('.') && resolve(dirname(path), specifier).startsWith(join(root, 'packages') + sep)
    if (reaches || /^@regimen\/[^/]+\/src/.test(specifier ?? '')) {
      const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
      problems.push({ file, line, message: `${specifier} reaches into a package. Import a published name.` })
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return problems
}
