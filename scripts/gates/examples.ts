import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Gate, GateContext, Problem } from '../lib/gate.ts'
import { listPackages, ROOT, run, shown } from '../lib/workspace.ts'

/** Seconds that an example may take. */
const LIMIT = 10

/** Every example runs from dist, says something, and asserts what it says. */
export const examples: Gate = {
  name: 'examples',
  description: `every example runs in under ${LIMIT} s, prints something and asserts it`,
  scoped: false,
  run: (context) => runExamples(context, LIMIT),
}

/** The gate with another limit. */
export async function runExamples(context: GateContext, limit: number): Promise<Awaited<ReturnType<Gate['run']>>> {
  const problems: Problem[] = []
  const all = listPackages(context.root, 'examples')
  const loader = pathToFileURL(join(ROOT, 'node_modules', 'tsx', 'dist', 'loader.mjs')).href
  for (const item of all) {
    const main = join(item.dir, 'src', 'main.ts')
    const file = shown(context.root, main)
    if (!existsSync(main)) {
      problems.push({ file, message: 'is missing' })
      continue
    }
    const begin = performance.now()
    // Twice the limit before it is stopped: how long it took is more useful than that it was stopped.
    const ended = await run(process.execPath, ['--import', loader, main], { cwd: item.dir, seconds: limit * 2 })
    const seconds = (performance.now() - begin) / 1000
    if (ended.code !== 0)
      problems.push({ file, message: `ended with exit code ${ended.code}: ${ended.output.slice(-1500)}` })
    else if (seconds > limit) problems.push({ file, message: `took ${seconds.toFixed(1)} s, the limit is ${limit} s` })
    else if (ended.stdout.trim() === '') problems.push({ file, message: 'prints nothing' })
    else if (!/from 'node:assert/.test(readFileSync(main, 'utf8')))
      problems.push({ file, message: 'asserts nothing (node:assert)' })
  }
  return { passed: all.length - problems.length, problems }
}
