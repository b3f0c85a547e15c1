import type { Gate, Problem } from '../lib/gate.ts'
import { runTool } from '../lib/workspace.ts'

interface Issue {
  readonly file: string
  readonly [kind: string]: string | readonly { readonly name: string; readonly line?: number }[]
}

/** Nothing in the repository is unused: files, exports, dependencies. */
export const knip: Gate = {
  name: 'knip',
  description: 'knip: unused files, exports and dependencies, and dependencies that nobody declared',
  scoped: false,
  async run(context) {
    const checked = await runTool('knip', ['--no-progress', '--no-config-hints', '--reporter', 'json'], {
      cwd: context.root,
    })
    const line = checked.stdout.split('\n').find((text) => text.startsWith('{'))
    if (line === undefined) return { passed: 0, problems: [{ message: checked.output.trim() }] }
    const { issues } = JSON.parse(line) as { issues: Issue[] }
    const problems: Problem[] = []
    for (const { file, ...kinds } of issues) {
      for (const [kind, found] of Object.entries(kinds)) {
        if (!Array.isArray(found)) continue
        for (const one of found as { name: string; line?: number }[]) {
          problems.push({
            file,
            ...(one.line ? { line: one.line } : {}),
            message: `unused or undeclared (${kind}): ${one.name}`,
          })
        }
      }
    }
    if (checked.code !== 0 && problems.length === 0) problems.push({ message: checked.output.trim() })
    return { passed: problems.length === 0 ? 1 : 0, problems }
  },
}
