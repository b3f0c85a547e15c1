import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem, type } from 'node:os'
import { join } from 'node:path'
import { type BenchResult, toJson } from '../../benchmarks/harness.ts'
import { ROOT } from './workspace.ts'

/** Packages whose versions decide what a figure means, with where they are installed. */
const VERSIONS: Readonly<Record<string, string>> = {
  '@regimen/tensor': 'packages/tensor',
  '@tensorflow/tfjs-core': 'packages/tensor/node_modules/@tensorflow/tfjs-core',
  'onnxruntime-node': 'packages/tensor/node_modules/onnxruntime-node',
  webgpu: 'packages/tensor/node_modules/webgpu',
}

/** Keeps the figures of a sitting in a folder, as its README.md says; returns the file's name. */
export function record(
  folder: string,
  name: string,
  args: readonly string[],
  result: BenchResult,
  day: string,
): string {
  const { figures, peers } = JSON.parse(toJson(name, result)) as { figures: Record<string, unknown>; peers: unknown }
  const processors = cpus()
  const processor = processors[0]?.model.trim() ?? 'unknown'
  const card = typeof figures.adapter === 'string' ? figures.adapter : undefined
  const machine = {
    processor,
    cores: processors.length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    ...(card === undefined ? {} : { card }),
    system: `${type()} ${release()}`,
  }
  const versions: Record<string, string> = { node: process.versions.node }
  for (const [item, path] of Object.entries(VERSIONS)) {
    const manifest = join(ROOT, path, 'package.json')
    if (existsSync(manifest))
      versions[item] = (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
  }
  const file = `${name}-${slug(card ?? processor)}-${day}.json`
  const command = ['npx tsx scripts/bench.ts', name, ...args].join(' ')
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, file),
    `${JSON.stringify({ bench: name, command, date: day, machine, versions, figures, peers }, null, 2)}\n`,
  )
  return file
}

/** A machine's name for a file's. */
export function slug(text: string): string {
  const words: string[] = text.toLowerCase().match(/[a-z0-9]+/g) ?? []
  return words
    .filter((word, i) => words.indexOf(word) === i && !/^(r|tm|cpu|0x\w+|software|card)$/.test(word))
    .slice(0, 4)
    .join('-')
}
