import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import type { Gate, GateContext } from '../lib/gate.ts'
import { publicPackages, runTool, shown, walk } from '../lib/workspace.ts'

/** The whole workspace compiles under the strict settings. */
export const types: Gate = {
  name: 'types',
  description: 'tsc over packages, tests, examples, benchmarks and scripts',
  scoped: true,
  async run(context) {
    const checked = await runTool(
      'typescript',
      ['-p', join(context.root, 'tsconfig.json'), '--noEmit', '--pretty', 'false'],
      {
        bin: 'tsc',
        cwd: context.root,
      },
    )
    const found = [...checked.stdout.matchAll(/^(.+?)\((\d+),\d+\): error (TS\d+: .*)$/gm)]
    const problems = found
      .map((match) => ({ file: match[1]!.split('\\').join('/'), line: Number(match[2]), message: match[3]! }))
      .filter((problem) => !context.package || problem.file.startsWith(`packages/${context.package}/`))
    if (problems.length === 0) problems.push(...declarations(context))
    if (checked.code !== 0 && found.length === 0)
      problems.push({ file: 'tsconfig.json', line: 1, message: checked.output })
    return { passed: problems.length === 0 ? 1 : 0, problems }
  },
}

/** What `isolatedDeclarations` asks of the sources; the workspace's program leaves it out for the sake of the tests. */
function declarations(context: GateContext): { file: string; line: number; message: string }[] {
  const compilerOptions = { declaration: true, isolatedDeclarations: true, verbatimModuleSyntax: true }
  return publicPackages(context.root).flatMap((item) =>
    walk(join(item.dir, 'src'), (path) => /(?<!\.d)\.ts$/.test(path)).flatMap((path) => {
      const text = readFileSync(path, 'utf8')
      const { diagnostics = [] } = ts.transpileDeclaration(text, {
        fileName: path,
        reportDiagnostics: true,
        compilerOptions,
      })
      return diagnostics.map((diagnostic) => ({
        file: shown(context.root, path),
        line: text.slice(0, diagnostic.start ?? 0).split('\n').length,
        message: `TS${diagnostic.code}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, ' ')}`,
      }))
    }),
  )
}
