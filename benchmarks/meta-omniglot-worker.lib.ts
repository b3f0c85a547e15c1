import '@tensorflow/tfjs'
import { evaluate, metaTrain, sampleEpisodes, type Weights } from '@regimen/meta'
import { createContext } from './harness.ts'
import { distorted, omniglot } from './meta-omniglot.lib.ts'
import { cellsOf, type Plan, plans, withoutAverages } from './meta-omniglot-plans.lib.ts'

/** Accuracy with batch norm by running averages, and by the batch at hand (transductive: query samples see each other). */
export interface Cell {
  readonly running: readonly [accuracy: number, interval: number]
  readonly transductive: readonly [accuracy: number, interval: number]
  readonly iterations: number
  readonly seconds: number
}

export type Cells = { [cell: string]: Cell }

/** What a process is started with. */
export interface Settings {
  /** Factor on the iterations. */
  readonly scale: number
  readonly tests: number
  /** Judges on the alphabet for choices. */
  readonly validation: boolean
  /** Of the nets that compare embeddings. */
  readonly filters?: readonly number[] | undefined
}

/** What a process answers: progress, or the cells that a training filled. */
export type Answer = { readonly progress: string } | { readonly cells: Cells }

const { scale, tests, validation, filters } = JSON.parse(process.argv[2]!) as Settings
const data = omniglot(createContext([]))!
const say = (answer: Answer): boolean => process.send!(answer)
process.on('message', async (name: string) => say({ cells: await measure(name, plans(filters)[name]!) }))

/** Trains, then judges the same parameters with both kinds of statistics. */
async function measure(name: string, plan: Plan): Promise<Cells> {
  const iterations = Math.max(1, Math.round(plan.iterations * scale))
  const begin = performance.now()
  const sampler = distorted(sampleEpisodes(data.train, { ...plan, seed: 'train' }), 'distort')
  const { model } = await metaTrain(plan.learner(plan.ways, plan.shots), sampler, {
    ...plan,
    iterations,
    onReport({ iteration, loss }) {
      if (iteration % 100 !== 0) return
      const pace = (performance.now() - begin) / iteration
      say({ progress: `${name} ${iteration} of ${iterations}: ${loss.toFixed(3)}, ${pace.toFixed(0)} ms` })
    },
  })
  const seconds = (performance.now() - begin) / 1000
  const cells: Cells = {}
  for (const cell of cellsOf(name)) {
    const [ways, shots] = cell.split('-').slice(-2).map(Number) as [number, number]
    const part = validation ? data.validation : data.test
    const tasks = await sampleEpisodes(part, { ways, shots, queries: 5, seed: 'test' }).batch(0, tests)
    const judge = async (params: Weights): Promise<[number, number]> => {
      const { accuracies } = await evaluate({ learner: plan.learner(ways, shots), params }, tasks, {
        ...(plan.steps ? { steps: plan.steps } : {}),
        tasksPerCall: 8,
      })
      const { mean, interval } = accuracies!.at(-1)!
      return [mean, interval]
    }
    const running = await judge(model.params)
    cells[cell] = { running, transductive: await judge(withoutAverages(model.params)), iterations, seconds }
  }
  return cells
}
