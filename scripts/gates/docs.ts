import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { cachingHost } from '../lib/exports.ts'
import { type Fence, findFences, toRunnable } from '../lib/fences.ts'
import { type Gate, type GateContext, ofAlgorithm, type Problem, type Verdict } from '../lib/gate.ts'
import { listPackages, type Package, ROOT, run, shown, toolEnv, walk } from '../lib/workspace.ts'

const RUNNER = fileURLToPath(new URL('../lib/fence-runner.mjs', import.meta.url))

interface Job {
  readonly id: string
  readonly fence: Fence
  readonly group: string
  readonly module: string
  readonly source: string
  readonly assertions: number
}

/** Every `ts` fence of the documentation compiles and runs against what the packages build. */
export const docs: Gate = {
  name: 'docs',
  description: 'every ts fence of JSDoc, READMEs and docs type-checks and runs; // => and // ≈ hold',
  scoped: true,
  async run(context) {
    const { root } = context
    const packages = listPackages(root)
    const fences = documents(context, packages).flatMap((file) =>
      findFences(shown(root, file), readFileSync(file, 'utf8')),
    )
    const base = join(root, '.regimen', 'docs')
    // One folder a run, so that two checks at a time do not meet.
    const folder = join(base, String(process.pid))
    rmSync(folder, { recursive: true, force: true })
    linkPackages(join(base, 'node_modules'), packages)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
    try {
      return await verify(root, folder, fences)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
}

function documents(context: GateContext, packages: readonly Package[]): string[] {
  const { root } = context
  const files: string[] = []
  for (const item of packages) {
    if (context.package && item.short !== context.package) continue
    files.push(
      ...walk(join(item.dir, 'src'), (path) => path.endsWith('.ts')).filter((path) =>
        ofAlgorithm(context, shown(root, path)),
      ),
    )
    if (existsSync(join(item.dir, 'README.md'))) files.push(join(item.dir, 'README.md'))
  }
  if (context.package) return files
  for (const name of ['README.md', 'CONTRIBUTING.md']) if (existsSync(join(root, name))) files.push(join(root, name))
  files.push(...walk(join(root, 'docs'), (path) => path.endsWith('.md')))
  files.push(...walk(join(root, 'examples'), (path) => path.endsWith('README.md')))
  return files
}

/** Makes every package of the workspace, and all that they depend on, importable by name from the generated modules. */
function linkPackages(target: string, packages: readonly Package[]): void {
  const link = (name: string, to: string): void => {
    const place = join(target, name)
    if (existsSync(place)) return
    mkdirSync(dirname(place), { recursive: true })
    rmSync(place, { force: true })
    symlinkSync(to, place, 'junction')
  }
  for (const item of packages) link(item.name, item.dir)
  for (const item of packages) {
    const modules = join(item.dir, 'node_modules')
    if (!existsSync(modules)) continue
    for (const name of readdirSync(modules)) {
      if (name.startsWith('.')) continue
      if (!name.startsWith('@')) link(name, join(modules, name))
      else for (const inner of readdirSync(join(modules, name))) link(`${name}/${inner}`, join(modules, name, inner))
    }
  }
}

async function verify(root: string, folder: string, fences: readonly Fence[]): Promise<Verdict> {
  const problems: Problem[] = []
  const jobs: Job[] = []
  fences.forEach((fence, index) => {
    const runnable = toRunnable(fence.code)
    for (const problem of runnable.problems) {
      problems.push({ file: fence.file, line: fence.line + problem.line, message: problem.message })
    }
    const id = `fence-${String(index).padStart(4, '0')}`
    const source = join(folder, `${id}.ts`)
    writeFileSync(source, fence.code)
    const module = join(folder, `${id}.mjs`)
    const group = fence.file.split('/').slice(0, 2).join('/')
    jobs.push({ id, fence, group, module, source, assertions: runnable.assertions })
    if (!fence.noRun) writeFileSync(module, transpile(runnable.code, `${id}.ts`))
  })
  const broken = typecheck(jobs, problems)
  const runs = jobs.filter((job) => !job.fence.noRun && !broken.has(job.id))
  const groups = [...new Set(runs.map((job) => job.group))].map((group) => runs.filter((job) => job.group === group))
  let assertions = 0
  await inParallel(groups, Math.min(4, availableParallelism()), async (group) => {
    const held = await execute(root, folder, group, problems)
    assertions += held
  })
  const bad = new Set(problems.map((problem) => `${problem.file}`))
  const failedJobs = jobs.filter(
    (job) => bad.has(job.fence.file) && problems.some((problem) => within(problem, job.fence)),
  )
  return {
    passed: jobs.length - failedJobs.length,
    problems: problems.sort((a, b) => (a.file ?? '').localeCompare(b.file ?? '') || (a.line ?? 0) - (b.line ?? 0)),
    note: `${jobs.length} fences, ${assertions} assertions`,
  }
}

function within(problem: Problem, fence: Fence): boolean {
  const line = problem.line ?? 0
  return problem.file === fence.file && line >= fence.line - 1 && line <= fence.line + fence.code.split('\n').length
}

function transpile(code: string, fileName: string): string {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    inlineSourceMap: true,
  }
  return ts.transpileModule(code, { compilerOptions: options, fileName }).outputText
}

function typecheck(jobs: readonly Job[], problems: Problem[]): Set<string> {
  const broken = new Set<string>()
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.dom.d.ts', 'lib.dom.asynciterable.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    moduleDetection: ts.ModuleDetectionKind.Force,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules', '@types')],
  }
  const program = ts.createProgram({ rootNames: jobs.map((job) => job.source), options, host: cachingHost(options) })
  for (const diagnostic of program.getGlobalDiagnostics()) {
    problems.push({ message: ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n') })
  }
  for (const job of jobs) {
    const source = program.getSourceFile(job.source)
    if (!source) continue
    for (const diagnostic of [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]) {
      const line = source.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line
      const text = ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')
      problems.push({ file: job.fence.file, line: job.fence.line + line, message: `TS${diagnostic.code} ${text}` })
      broken.add(job.id)
    }
  }
  return broken
}

/** Runs a group of fences in one process; where one takes the process down, the rest goes on in another. */
async function execute(root: string, folder: string, group: readonly Job[], problems: Problem[]): Promise<number> {
  let rest = [...group]
  let assertions = 0
  while (rest.length > 0) {
    const results = join(folder, `${rest[0]!.id}.results`)
    const list = join(folder, `${rest[0]!.id}.list`)
    writeFileSync(results, '')
    writeFileSync(list, JSON.stringify(rest.map(({ id, module }) => ({ id, module }))))
    const ended = await run(process.execPath, ['--no-warnings', '--enable-source-maps', RUNNER, results, list], {
      cwd: root,
      env: toolEnv(),
      seconds: 300,
    })
    const done = new Set<string>()
    let last: Job | undefined
    for (const line of readFileSync(results, 'utf8').split('\n').filter(Boolean)) {
      const entry = JSON.parse(line) as {
        id: string
        started?: boolean
        assertions?: number
        failure?: { line: number; message: string }
      }
      const job = rest.find((item) => item.id === entry.id)!
      if (entry.started) last = job
      else {
        done.add(entry.id)
        const written = job.assertions
        assertions += entry.assertions ?? 0
        if (entry.failure) {
          const { line: offset, message } = entry.failure
          problems.push({ file: job.fence.file, line: job.fence.line + offset, message })
        } else if ((entry.assertions ?? 0) < written) {
          const message = `only ${entry.assertions} of ${written} assertions were reached`
          problems.push({ file: job.fence.file, line: job.fence.line, message })
        }
      }
    }
    if (last === undefined) {
      problems.push({ message: `the fence runner did not start: ${ended.output.slice(-500)}` })
      break
    }
    if (!done.has(last.id)) {
      const message = `ended the process (exit code ${ended.code}) ${ended.stderr.slice(-300)}`.trim()
      problems.push({ file: last.fence.file, line: last.fence.line, message })
      done.add(last.id)
    }
    rest = rest.filter((job) => !done.has(job.id))
  }
  return assertions
}

async function inParallel<T>(items: readonly T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item)
    }),
  )
}
