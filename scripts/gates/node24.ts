import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Gate } from '../lib/gate.ts'
import { listPackages, run, shown, walk } from '../lib/workspace.ts'
import { vitest } from './unit.ts'

/** What differs between versions of Node more than arithmetic does: its own modules, and addons of machine code. */
const REACHES = /['"](node:[\w/]+|onnxruntime-node|better-sqlite3)['"]/
/** These compare two providers inside one addon, or look at pages: another Node changes nothing. */
const ELSEWHERE = /(^|\/)gpu\.test\.ts$|^packages\/report\//

/** The unit tests hold on the next long-term line of Node too. */
export const node24: Gate = {
  name: 'node24',
  description:
    'unit tests on Node 24, from the npm package `node`: with --ci those that reach for Node, with --full all',
  scoped: false,
  alone: true,
  async run(context) {
    if (process.versions.node.startsWith('24.')) return { passed: 0, problems: [], note: 'this is Node 24' }
    const before = ['--yes', 'node@24']
    const shell = process.platform === 'win32'
    const version = await run('npx', [...before, '--version'], { cwd: context.root, seconds: 300, shell })
    if (version.code !== 0 || !version.stdout.trim().startsWith('v24.')) {
      return { passed: 0, problems: [], note: 'skipped: Node 24 cannot be had here' }
    }
    const files = context.full ? [] : filesForNode(context.root)
    const verdict = await vitest({ ...context, full: false }, 'npx', before, files)
    const which = context.full ? '' : `${files.length} files that reach for Node`
    return { ...verdict, note: [version.stdout.trim(), which, verdict.note].filter(Boolean).join(', ') }
  },
}

/**
 * Test files on which another Node may tell: all of a package whose sources reach for Node, all of the pipeline, which runs
 * the families together, and of the others those that reach for it themselves.
 */
export function filesForNode(root: string): string[] {
  const reaches = (path: string): boolean => REACHES.test(readFileSync(path, 'utf8'))
  const files = listPackages(root).flatMap(({ short, dir }) => {
    const tests = walk(join(dir, 'test'), (path) => path.endsWith('.test.ts'))
    const whole = short === 'pipeline' || walk(join(dir, 'src'), (path) => path.endsWith('.ts')).some(reaches)
    return whole ? tests : tests.filter(reaches)
  })
  files.push(...walk(join(root, 'scripts', 'test'), (path) => path.endsWith('bootstrap.test.ts')))
  return files.map((path) => shown(root, path)).filter((file) => !ELSEWHERE.test(file))
}
