import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { summarize } from '../bootstrap.mjs'
import type { Gate, GateContext, Problem, Verdict } from '../lib/gate.ts'
import { ROOT, run, shown, toolEnv } from '../lib/workspace.ts'

interface Report {
  numPassedTests: number
  testResults: {
    name: string
    status: string
    message?: string
    assertionResults: {
      status: string
      fullName: string
      failureMessages?: string[]
      location?: { line: number } | null
    }[]
  }[]
}

/** The unit tests, which resolve to the sources. */
export const unit: Gate = {
  name: 'unit',
  description: 'vitest over packages and scripts',
  scoped: true,
  alone: true,
  run: (context) => vitest(context, process.execPath, []),
}

/** Runs vitest with a given Node, over some files or all, and reads its report. */
export async function vitest(
  context: GateContext,
  command: string,
  before: readonly string[],
  files: readonly string[] = [],
): Promise<Verdict> {
  const folder = join(context.root, 'node_modules', '.cache', 'regimen')
  const file = join(folder, `gate-${process.pid}.json`)
  mkdirSync(folder, { recursive: true })
  const args = [
    join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    '--reporter=json',
    `--outputFile=${file}`,
    ...files,
  ]
  if (context.package) args.push('--project', context.package)
  if (context.algorithm) args.push(context.algorithm, '--passWithNoTests')
  const ended = await run(command, [...before, ...args], {
    cwd: context.root,
    env: toolEnv(context.full ? { REGIMEN_FULL: '1' } : {}),
    seconds: context.full ? 7200 : 900,
    shell: process.platform === 'win32' && command === 'npx',
  })
  if (!existsSync(file))
    return { passed: 0, problems: [{ message: `vitest wrote no report:\n${ended.output.slice(-3000)}` }] }
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report
  rmSync(file, { force: true })
  const problems = failures(context.root, report)
  if (ended.code !== 0 && problems.length === 0) problems.push({ message: ended.output.slice(-3000) })
  const { passed, skipped } = summarize(report)
  return { passed, problems, ...(skipped > 0 ? { note: `${skipped} said that they skipped` } : {}) }
}

function failures(root: string, report: Report): Problem[] {
  const problems: Problem[] = []
  for (const file of report.testResults) {
    const failed = file.assertionResults.filter((test) => test.status === 'failed')
    for (const test of failed) {
      const reason = (test.failureMessages?.[0] ?? '').split('\n').slice(0, 4).join('\n')
      problems.push({ file: shown(root, file.name), message: `${test.fullName}: ${reason}` })
    }
    if (file.status === 'failed' && failed.length === 0)
      problems.push({ file: shown(root, file.name), message: file.message ?? 'did not load' })
  }
  return problems
}
