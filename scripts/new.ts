import { newAlgorithm, newPackage, type Written } from './lib/scaffold.ts'
import { ROOT, runTool } from './lib/workspace.ts'

const USAGE = 'Usage: pnpm new package NAME | pnpm new algorithm PACKAGE NAME'

async function main([kind, ...names]: readonly string[]): Promise<number> {
  let written: Written
  let next: string[]
  const [first, second] = names
  try {
    if (kind === 'package' && first !== undefined && names.length === 1) {
      written = newPackage(ROOT, first)
      next = [
        'pnpm install',
        `pnpm new algorithm ${first} NAME`,
        `add a row for it to README.md and docs/architecture.md`,
      ]
    } else if (kind === 'algorithm' && first !== undefined && second !== undefined && names.length === 2) {
      written = newAlgorithm(ROOT, first, second)
      next = [
        'write the worked example in the test, then the algorithm, then every TODO',
        `pnpm check api ${first} --update`,
        `pnpm check ${second}`,
      ]
    } else {
      console.error(USAGE)
      return 1
    }
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    return 1
  }
  await runTool('@biomejs/biome', ['check', '--write', ...written.filter((path) => path.endsWith('.ts'))], {
    bin: 'biome',
  })
  console.log(`Written:\n${written.map((path) => `  ${path}`).join('\n')}`)
  console.log(`Next:\n${next.map((step) => `  ${step}`).join('\n')}`)
  return 0
}

process.exitCode = await main(process.argv.slice(2))
