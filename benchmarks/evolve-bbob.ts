// How many of the 24 noiseless BBOB functions does each algorithm solve? Each cell is one line of the file given by
// --results, so that a long run can be continued.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { cmaEs, jso, lshade, minimize, type OptimizeResult, particleSwarm, xnes } from '@regimen/evolve'
import { BBOB_NAMES, bbobProblem } from '@regimen/testing/bbob'
import { bench, type Figure } from './harness.ts'

const TARGET = 1e-8

interface Cell {
  readonly algorithm: string
  readonly id: number
  readonly dimension: number
  /** Instances that were solved, and how many were tried. */
  readonly solved: number
  readonly instances: number
  /** Evaluations until the target, median over the solved instances. */
  readonly evaluations: number | null
}

type Objective = (x: Float64Array) => number
type Run = (
  objective: Objective,
  dimension: number,
  evaluations: number,
  seed: number,
) => Promise<OptimizeResult<Float64Array>>

const boxed = (dimension: number) => ({ dimension, lower: -5, upper: 5 })
const ALGORITHMS: { readonly [name: string]: Run } = {
  'cma-es ipop': (f, d, evaluations, seed) =>
    minimize(f, boxed(d), {
      optimizer: cmaEs,
      options: { sigma: 2, restarts: 'ipop' },
      evaluations,
      target: TARGET,
      seed,
    }),
  'cma-es bipop': (f, d, evaluations, seed) =>
    minimize(f, boxed(d), {
      optimizer: cmaEs,
      options: { sigma: 2, restarts: 'bipop' },
      evaluations,
      target: TARGET,
      seed,
    }),
  jso: (f, d, evaluations, seed) =>
    minimize(f, boxed(d), {
      optimizer: jso,
      options: { maxEvaluations: evaluations },
      evaluations,
      target: TARGET,
      seed,
    }),
  'l-shade': (f, d, evaluations, seed) =>
    minimize(f, boxed(d), {
      optimizer: lshade,
      options: { maxEvaluations: evaluations },
      evaluations,
      target: TARGET,
      seed,
    }),
  xnes: (f, d, evaluations, seed) => minimize(f, boxed(d), { optimizer: xnes, evaluations, target: TARGET, seed }),
  'particle swarm': (f, d, evaluations, seed) =>
    minimize(f, boxed(d), { optimizer: particleSwarm, evaluations, target: TARGET, seed }),
}

const listed = (args: readonly string[], name: string): string[] | undefined => {
  const at = args.indexOf(`--${name}`)
  return at < 0 ? undefined : args[at + 1]?.split(',')
}

export default bench({
  name: 'evolve-bbob',
  description:
    'share of the 24 noiseless BBOB functions solved to 1e-8 (--only NAMES --functions 1,2 --dimensions 5,10 --instances 15 --budget 10000 a dimension --results FILE)',
  async run(context) {
    const instances = context.number('instances', 15)
    const budget = context.number('budget', 10_000)
    const names = listed(context.args, 'only') ?? Object.keys(ALGORITHMS)
    const functions = listed(context.args, 'functions')?.map(Number) ?? BBOB_NAMES.map((_, i) => i + 1)
    const dimensions = listed(context.args, 'dimensions')?.map(Number) ?? [5, 10]
    const file = listed(context.args, 'results')?.[0]
    const cells: Cell[] =
      file && existsSync(file)
        ? readFileSync(file, 'utf8')
            .split('\n')
            .filter(Boolean)
            .map((line) => JSON.parse(line) as Cell)
        : []
    for (const algorithm of names) {
      const run = ALGORITHMS[algorithm]
      if (!run) throw new Error(`there is no ${algorithm}: ${Object.keys(ALGORITHMS).join(', ')}`)
      for (const dimension of dimensions) {
        for (const id of functions) {
          const same = (cell: Cell): boolean =>
            cell.algorithm === algorithm &&
            cell.id === id &&
            cell.dimension === dimension &&
            cell.instances === instances
          if (cells.some(same)) continue
          const needed: number[] = []
          for (let instance = 1; instance <= instances; instance++) {
            const { evaluate } = bbobProblem(id, dimension, instance)
            const { value, evaluations } = await run(evaluate, dimension, budget * dimension, instance)
            if (value <= TARGET) needed.push(evaluations)
          }
          needed.sort((a, b) => a - b)
          const evaluations = needed.length > 0 ? needed[needed.length >> 1]! : null
          const cell: Cell = { algorithm, id, dimension, solved: needed.length, instances, evaluations }
          cells.push(cell)
          if (file) appendFileSync(file, `${JSON.stringify(cell)}\n`)
          context.log(`${algorithm}, ${dimension}-D, f${id} ${BBOB_NAMES[id - 1]}: ${needed.length} of ${instances}`)
        }
      }
    }
    const figures: { [name: string]: Figure } = {}
    for (const algorithm of names) {
      for (const dimension of dimensions) {
        const own = cells.filter(
          (cell) => cell.algorithm === algorithm && cell.dimension === dimension && functions.includes(cell.id),
        )
        const solved = own.reduce((total, cell) => total + cell.solved, 0)
        const tried = own.reduce((total, cell) => total + cell.instances, 0)
        const missed = own.filter((cell) => cell.solved === 0).map(({ id }) => `f${id}`)
        figures[`${algorithm} ${dimension}-D`] = {
          value: Number((solved / tried).toFixed(3)),
          note: `${solved} of ${tried}${missed.length > 0 ? `; none of ${missed.join(' ')}` : ''}`,
        }
      }
    }
    return { figures }
  },
})
