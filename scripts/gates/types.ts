import { join } from 'node:path'
import type { Gate } from '../lib/gate.ts'
import { runTool } from '../lib/workspace.ts'

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
    if (checked.code !== 0 && found.length === 0)
      problems.push({ file: 'tsconfig.json', line: 1, message: checked.output })
    return { passed: problems.length === 0 ? 1 : 0, problems }
  },
}
