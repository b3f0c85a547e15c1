import type { Gate } from '../lib/gate.ts'
import { run } from '../lib/workspace.ts'
import { vitest } from './unit.ts'

/** The unit tests hold on the next long-term line of Node too. */
export const node24: Gate = {
  name: 'node24',
  description: 'the unit tests on Node 24, from the npm package `node` (with --ci or --full)',
  scoped: false,
  async run(context) {
    if (process.versions.node.startsWith('24.')) return { passed: 0, problems: [], note: 'this is Node 24' }
    const before = ['--yes', 'node@24']
    const shell = process.platform === 'win32'
    const version = await run('npx', [...before, '--version'], { cwd: context.root, seconds: 300, shell })
    if (version.code !== 0 || !version.stdout.trim().startsWith('v24.')) {
      return { passed: 0, problems: [], note: 'skipped: Node 24 cannot be had here' }
    }
    const verdict = await vitest({ ...context, full: false }, 'npx', before)
    return { ...verdict, note: [version.stdout.trim(), verdict.note].filter(Boolean).join(', ') }
  },
}
