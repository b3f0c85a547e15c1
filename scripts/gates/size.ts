import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import esbuildPlugin from '@size-limit/esbuild'
import filePlugin from '@size-limit/file'
import sizeLimit from 'size-limit'
import { type Gate, type Problem, packagesInScope } from '../lib/gate.ts'
import { type Package, shown } from '../lib/workspace.ts'

const HEADROOM = 1.1

interface Budgets {
  [specifier: string]: number
}

/** Bundled and compressed, an import costs no more than its budget. */
export const size: Gate = {
  name: 'size',
  description: 'brotli size of every public entry within scripts/budgets.json (pnpm check size --update records them)',
  scoped: true,
  async run(context) {
    const path = join(context.root, 'scripts', 'budgets.json')
    const file = shown(context.root, path)
    const budgets = (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}) as Budgets
    const problems: Problem[] = []
    let entries = 0
    for (const item of packagesInScope(context)) {
      for (const [subpath, built] of builtEntries(item)) {
        const specifier = item.name + subpath.slice(1)
        const bytes = await measure(item, built)
        entries++
        const budget = budgets[specifier]
        if (context.update) budgets[specifier] = Math.ceil((bytes * HEADROOM) / 10) * 10
        else if (budget === undefined) problems.push({ file, message: `${specifier} (${bytes} bytes) has no budget` })
        else if (bytes > budget)
          problems.push({ file, message: `${specifier} is ${bytes} bytes, its budget ${budget}` })
      }
    }
    if (context.update) {
      const sorted = Object.fromEntries(Object.entries(budgets).sort(([a], [b]) => (a < b ? -1 : 1)))
      writeFileSync(path, `${JSON.stringify(sorted, null, 2)}\n`)
    }
    return { passed: entries - problems.length, problems }
  },
}

/** Subpaths of a package and the files that the build wrote for them. */
export function builtEntries(item: Package): [subpath: string, file: string][] {
  const found: [string, string][] = []
  for (const [subpath, target] of Object.entries(item.manifest.exports ?? {})) {
    const file = typeof target === 'string' ? undefined : (target.browser ?? target.default)
    if (typeof file === 'string' && file.endsWith('.js')) found.push([subpath, join(item.dir, file)])
  }
  return found
}

/** What an import does not bring along: other packages of the house, peers, and what only Node has. */
export function externals(item: Package): string[] {
  const { dependencies = {}, peerDependencies = {}, optionalDependencies = {} } = item.manifest
  const house = Object.keys(dependencies).filter((name) => name.startsWith('@regimen/'))
  const names = [...house, ...Object.keys(peerDependencies), ...Object.keys(optionalDependencies)]
  return ['node:*', ...names.flatMap((name) => [name, `${name}/*`])]
}

async function measure(item: Package, file: string): Promise<number> {
  const checks = [{ files: [file], ignore: externals(item) }]
  const results = (await sizeLimit([esbuildPlugin, filePlugin], { checks })) as { size?: number }[]
  return results[0]?.size ?? 0
}
