import { api } from './gates/api.ts'
import { attw } from './gates/attw.ts'
import { browser } from './gates/browser.ts'
import { consumer } from './gates/consumer.ts'
import { docs } from './gates/docs.ts'
import { examples } from './gates/examples.ts'
import { knip } from './gates/knip.ts'
import { lint } from './gates/lint.ts'
import { node24 } from './gates/node24.ts'
import { orphans } from './gates/orphans.ts'
import { publint } from './gates/publint.ts'
import { shake } from './gates/shake.ts'
import { size } from './gates/size.ts'
import { types } from './gates/types.ts'
import { unit } from './gates/unit.ts'
import { format, type Gate, type GateContext, type Verdict } from './lib/gate.ts'
import { build, listPackages, ROOT, shown, walk } from './lib/workspace.ts'

/** All gates, the quick ones first. */
export const GATES: readonly Gate[] = [
  lint,
  types,
  orphans,
  api,
  docs,
  size,
  shake,
  publint,
  attw,
  knip,
  examples,
  consumer,
  browser,
  unit,
  node24,
]

/** Finds the package and the algorithm that a name stands for. */
export function scopeOf(root: string, name: string): { package: string; algorithm?: string } | undefined {
  const packages = listPackages(root)
  const owner = packages.find((item) => item.short === name || item.name === name)
  if (owner) return { package: owner.short }
  for (const item of packages) {
    const found = walk(`${item.dir}/src`, (path) => path.endsWith('.ts')).some((path) =>
      shown(item.dir, path)
        .split('/')
        .some((part) => part === name || part === `${name}.ts`),
    )
    if (found) return { package: item.short, algorithm: name }
  }
  return undefined
}

/** Comes before all others, which judge what is built. */
const building: Gate = {
  name: 'build',
  description: 'every package builds',
  scoped: true,
  async run() {
    await build()
    return { passed: 1, problems: [] }
  },
}

export interface Row {
  readonly gate: string
  readonly verdict: Verdict
  readonly seconds: number
}

async function check(gate: Gate, context: GateContext): Promise<Row> {
  const begin = performance.now()
  let verdict: Verdict
  try {
    verdict = await gate.run(context)
  } catch (error) {
    verdict = {
      passed: 0,
      problems: [{ message: error instanceof Error ? error.message : String(error) }],
    }
  }
  const row = { gate: gate.name, verdict, seconds: (performance.now() - begin) / 1000 }
  const { passed, problems } = verdict
  console.log(
    `${problems.length === 0 ? 'ok  ' : 'FAIL'} ${gate.name} (${row.seconds.toFixed(1)} s): ${passed} passed, ${problems.length} failed`,
  )
  for (const problem of problems) console.log(`  ${format(problem).split('\n').join('\n  ')}`)
  return row
}

/** Runs the gates two at a time, then those that want the machine for themselves. The rows come in the gates' order. */
export async function checkAll(gates: readonly Gate[], context: GateContext): Promise<Row[]> {
  const rows = new Map<string, Row>()
  const queue = gates.filter(({ alone }) => !alone)
  const lane = async (): Promise<void> => {
    for (let gate = queue.shift(); gate; gate = queue.shift()) rows.set(gate.name, await check(gate, context))
  }
  await Promise.all([lane(), lane()])
  for (const gate of gates) if (gate.alone) rows.set(gate.name, await check(gate, context))
  return gates.map(({ name }) => rows.get(name)!)
}

function table(rows: readonly Row[]): string {
  const width = Math.max(...rows.map((row) => row.gate.length))
  return rows
    .map(({ gate, verdict, seconds }) => {
      const state = verdict.problems.length === 0 ? 'ok  ' : 'FAIL'
      const counts = `${String(verdict.passed).padStart(5)} passed ${String(verdict.problems.length).padStart(4)} failed`
      return `${state} ${gate.padEnd(width)} ${counts} ${seconds.toFixed(1).padStart(6)} s  ${verdict.note ?? ''}`.trimEnd()
    })
    .join('\n')
}

async function main(argv: readonly string[]): Promise<number> {
  const flags = new Set(argv.filter((arg) => arg.startsWith('--') && arg !== '--'))
  const skip = new Set(
    [...flags].filter((flag) => flag.startsWith('--skip=')).flatMap((flag) => flag.slice(7).split(',')),
  )
  const names = argv.filter((arg) => !arg.startsWith('--'))
  let gates = GATES
  let scope: { package?: string; algorithm?: string } = {}
  for (const name of names) {
    const gate = GATES.filter((item) => item.name === name)
    if (gate.length > 0) gates = gates === GATES ? gate : [...gates, ...gate]
    else {
      const found = scopeOf(ROOT, name)
      if (!found) {
        console.error(`No gate, package or algorithm ${name}. Gates: ${GATES.map((item) => item.name).join(', ')}.`)
        return 1
      }
      scope = found
      if (gates === GATES) gates = GATES.filter((item) => item.scoped)
    }
  }
  const context: GateContext = {
    root: ROOT,
    update: flags.has('--update'),
    full: flags.has('--full') || process.env.REGIMEN_FULL === '1',
    ...scope,
  }
  if (context.full) process.env.REGIMEN_FULL = '1'
  // A second Node is fetched only where somebody wants all of it.
  if (!flags.has('--ci') && !context.full && !names.includes(node24.name)) skip.add(node24.name)
  const rows: Row[] = []
  console.log('building what changed')
  rows.push(await check(building, context))
  rows.push(
    ...(await checkAll(
      gates.filter(({ name }) => !skip.has(name)),
      context,
    )),
  )
  console.log(`\n${table(rows)}\n`)
  const passed = rows.reduce((sum, row) => sum + row.verdict.passed, 0)
  const failed = rows.reduce((sum, row) => sum + row.verdict.problems.length, 0)
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

if (process.argv[1]?.endsWith('check.ts')) process.exit(await main(process.argv.slice(2)))
