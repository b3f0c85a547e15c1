import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromiumPath } from '@regimen/testing/browser'
import type { Gate, GateContext, Problem } from '../lib/gate.ts'
import { openExamplePage } from '../lib/page-example.ts'
import { listPackages, type Package, ROOT, run, shown } from '../lib/workspace.ts'

/** Seconds that an example may take. */
const LIMIT = 10

/** Every example runs from dist, in Node or in a page, says something, and asserts what it says. */
export const examples: Gate = {
  name: 'examples',
  description: `every example runs in under ${LIMIT} s, prints something and asserts it`,
  scoped: false,
  alone: true,
  run: (context) => runExamples(context, LIMIT),
}

/** The gate with another limit. */
export async function runExamples(context: GateContext, limit: number): Promise<Awaited<ReturnType<Gate['run']>>> {
  const problems: Problem[] = []
  const notes: string[] = []
  const all = listPackages(context.root, 'examples')
  for (const item of all) {
    if (!existsSync(join(item.dir, 'index.html'))) problems.push(...(await runProgram(context, item, limit)))
    else if (chromiumPath === undefined) notes.push(`${item.short} skipped: no Chromium here, set CHROMIUM_PATH`)
    else problems.push(...(await openExamplePage(context.root, item, limit)))
  }
  const passed = all.length - problems.length - notes.length
  return { passed, problems, ...(notes.length > 0 ? { note: notes.join('; ') } : {}) }
}

async function runProgram(context: GateContext, item: Package, limit: number): Promise<Problem[]> {
  const loader = pathToFileURL(join(ROOT, 'node_modules', 'tsx', 'dist', 'loader.mjs')).href
  const main = join(item.dir, 'src', 'main.ts')
  const file = shown(context.root, main)
  if (!existsSync(main)) return [{ file, message: 'is missing' }]
  const begin = performance.now()
  // Twice the limit before it is stopped: how long it took is more useful than that it was stopped.
  const ended = await run(process.execPath, ['--import', loader, main], { cwd: item.dir, seconds: limit * 2 })
  const seconds = (performance.now() - begin) / 1000
  if (ended.code !== 0) return [{ file, message: `ended with exit code ${ended.code}: ${ended.output.slice(-1500)}` }]
  if (seconds > limit) return [{ file, message: `took ${seconds.toFixed(1)} s, the limit is ${limit} s` }]
  if (ended.stdout.trim() === '') return [{ file, message: 'prints nothing' }]
  if (!/from 'node:assert/.test(readFileSync(main, 'utf8'))) return [{ file, message: 'asserts nothing (node:assert)' }]
  return []
}
