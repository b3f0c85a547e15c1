import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type BenchDefinition, createContext, toJson, toTable } from '../benchmarks/harness.ts'
import { record } from './lib/record.ts'
import { build, ROOT } from './lib/workspace.ts'

/** Names of the benchmarks: every file of `benchmarks/` but the harness. */
export function benchNames(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && !/^(harness|.*\.lib|.*\.d)\.ts$/.test(file))
    .map((file) => file.slice(0, -3))
    .sort()
}

async function load(folder: string, name: string): Promise<BenchDefinition> {
  const module = (await import(pathToFileURL(join(folder, `${name}.ts`)).href)) as { default?: BenchDefinition }
  if (typeof module.default?.run !== 'function')
    throw new Error(`benchmarks/${name}.ts has no default export bench({…}).`)
  return module.default
}

async function main(argv: readonly string[]): Promise<number> {
  const folder = join(ROOT, 'benchmarks')
  const names = benchNames(folder)
  const json = argv.includes('--json')
  const [name, ...rest] = argv.filter((arg) => !['--json', '--record', '--'].includes(arg))
  if (name !== undefined && !names.includes(name)) {
    console.error(`No benchmark ${name}. There are: ${names.join(', ')}.`)
    return 1
  }
  await build()
  if (name === undefined) {
    const width = Math.max(0, ...names.map((item) => item.length))
    for (const item of names) console.log(`${item.padEnd(width)}  ${(await load(folder, item)).description}`)
    return 0
  }
  const definition = await load(folder, name)
  const result = await definition.run(createContext(rest))
  console.log(toTable(`${definition.name}: ${definition.description}`, result))
  if (json) console.log(toJson(definition.name, result))
  if (argv.includes('--record')) {
    const day = new Date().toISOString().slice(0, 10)
    console.log(`recorded as benchmarks/results/${record(join(folder, 'results'), name, rest, result, day)}`)
  }
  return 0
}

if (process.argv[1]?.endsWith('bench.ts')) process.exit(await main(process.argv.slice(2)))
