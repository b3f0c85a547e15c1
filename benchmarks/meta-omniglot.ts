import '@tensorflow/tfjs'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import {
  evaluate,
  type MetaLearner,
  type MetaNet,
  maml,
  matching,
  metaTrain,
  prototypical,
  type RelationScale,
  relation,
  reptile,
  sampleEpisodes,
  type Weights,
} from '@regimen/meta'
import {
  activation,
  batchNorm,
  conv2d,
  cosineDecay,
  dense,
  flatten,
  type Net,
  type Schedule,
  sequential,
  softmaxCrossEntropy,
  type TensorTree,
} from '@regimen/tensor'
import { type BenchContext, bench, type Figure } from './harness.ts'
import { distorted, type Omniglot, omniglot, SIDE } from './meta-omniglot.lib.ts'

/** Accuracy with batch norm by running averages, and by the batch at hand (transductive: query samples see each other). */
interface Cell {
  readonly running: readonly [accuracy: number, interval: number]
  readonly transductive: readonly [accuracy: number, interval: number]
  readonly iterations: number
  readonly seconds: number
}

type Cells = { [cell: string]: Cell }

/** One way of training: what it serves, and how. */
interface Plan {
  /** Classes of a training task. */
  readonly ways: number
  /** Support samples of a class in training; Reptile trains on support and query together. */
  readonly shots: number
  readonly queries: number
  readonly iterations: number
  readonly tasksPerBatch: number
  readonly rate: Schedule
  /** Inner steps in the test. */
  readonly steps?: number
  learner(ways: number): MetaLearner
}

const FILTERS = 32
const MLP = [256, 128, 64, 64]

/** Published accuracies, in per cent, with about 1,200 training characters. */
const PUBLISHED: { readonly [cell: string]: number } = {
  'maml-mlp-5-1': 89.7,
  'maml-mlp-5-5': 97.5,
  'maml-conv-5-1': 98.7,
  'maml-conv-5-5': 99.9,
  'maml-conv-20-1': 95.8,
  'maml-conv-20-5': 98.9,
  'reptile-5-1': 97.68,
  'reptile-5-5': 99.48,
  'reptile-20-1': 89.43,
  'reptile-20-5': 97.12,
  'prototypical-5-1': 98.8,
  'prototypical-5-5': 99.7,
  'prototypical-20-1': 96.0,
  'prototypical-20-5': 98.9,
  'matching-5-1': 98.1,
  'matching-5-5': 98.9,
  'matching-20-1': 93.8,
  'matching-20-5': 98.5,
  'relation-5-1': 99.6,
  'relation-5-5': 99.8,
  'relation-20-1': 97.6,
  'relation-20-5': 99.1,
}

export default bench({
  name: 'meta-omniglot',
  description:
    'few-shot accuracy on characters of alphabets that were never seen, with batch norm by running averages and transductive (--only prototypical-5-5 for one cell, --results FILE to keep cells and go on, --tests 300, --scale 1 on the iterations, --validation to judge on the alphabet for choices)',
  async run(context) {
    const data = omniglot(context)
    if (!data) return { figures: { skipped: 'the Omniglot archives are not present' } }
    const file = option(context, 'results')
    const cells: Cells = file && existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Cells) : {}
    const only = option(context, 'only')
    for (const [name, plan] of Object.entries(plans())) {
      const wanted = cellsOf(name).filter((cell) => !(cell in cells) && (only === undefined || only === cell))
      if (wanted.length === 0) continue
      Object.assign(cells, await measure(name, plan, data, context))
      if (file) writeFileSync(file, `${JSON.stringify(cells, null, 2)}\n`)
    }
    return { figures: { ...sizes(data), ...figuresOf(cells) } }
  },
})

/** Which cells a training fills: nets that compare embeddings serve any number of classes. */
function cellsOf(name: string): string[] {
  const [learner, ways, shots] = name.split('/') as [string, string, string]
  return (ways === 'any' ? ['5', '20'] : [ways]).map((count) => `${learner}-${count}-${shots}`)
}

/** Trainings by `learner/ways/shots`, the most telling first. */
function plans(): { [name: string]: Plan } {
  const list: { [name: string]: Plan } = {}
  const comparing = (name: string, shots: number, learner: Plan['learner']): void => {
    // More classes than will be asked for (Snell et al. 2017, section 3.1); then one training serves any number.
    const sizes = { ways: 20, shots, queries: 5, tasksPerBatch: 1 }
    list[`${name}/any/${shots}`] = { ...sizes, ...annealed(1200), learner }
  }
  const adapting = (
    name: string,
    ways: number,
    shots: number,
    plan: Omit<Plan, 'ways' | 'shots' | 'queries'>,
  ): void => {
    list[`${name}/${ways}/${shots}`] = { ways, shots, queries: shots, ...plan }
  }
  for (const shots of [5, 1]) {
    comparing('prototypical', shots, (ways) => prototypical({ net: convolutional(), ways, embedding: EMBEDDING }))
    comparing('matching', shots, (ways) => matching({ net: convolutional(), ways, embedding: EMBEDDING }))
    comparing('relation', shots, (ways) => relation({ ways, scales: [relating()] }))
    for (const ways of [5, 20]) {
      // Inner rates and steps of Finn et al. 2017, table in appendix A; fewer training steps with 20 classes.
      const inner = {
        rate: ways === 5 ? 0.4 : 0.1,
        steps: ways === 5 ? 1 : 2,
        loss: softmaxCrossEntropy,
        bound: Number.POSITIVE_INFINITY,
      }
      const size = { tasksPerBatch: ways === 5 ? 16 : 4, steps: ways === 5 ? 3 : 5 }
      adapting('maml-mlp', ways, shots, {
        ...size,
        ...annealed(ways === 5 ? 4000 : 1500),
        learner: () => maml({ ...inner, net: perceptron(ways) }),
      })
      adapting('maml-conv', ways, shots, {
        ...size,
        ...annealed(600),
        tasksPerBatch: ways === 5 ? 8 : 2,
        learner: () => maml({ ...inner, net: classifier(ways) }),
      })
      adapting('reptile', ways, shots, {
        tasksPerBatch: ways === 5 ? 5 : 2,
        iterations: 1000,
        rate: (update) => 1 - update / 1000,
        steps: 10,
        learner: () => reptile({ net: classifier(ways), loss: softmaxCrossEntropy, steps: 5, rate: 1e-3 }),
      })
    }
  }
  return list
}

const annealed = (iterations: number): Pick<Plan, 'iterations' | 'rate'> => ({
  iterations,
  rate: cosineDecay({ from: 2e-3, to: 4e-5, steps: iterations }),
})

/** Trains, then judges the same parameters with both kinds of statistics. */
async function measure(name: string, plan: Plan, data: Omniglot, context: BenchContext): Promise<Cells> {
  const iterations = Math.max(1, Math.round(plan.iterations * context.number('scale', 1)))
  const begin = performance.now()
  const sampler = distorted(sampleEpisodes(data.train, { ...plan, seed: 'train' }), 'distort')
  const { model } = await metaTrain(plan.learner(plan.ways), sampler, {
    ...plan,
    iterations,
    onReport({ iteration, loss }) {
      if (iteration % 100 !== 0) return
      context.log(
        `${name} ${iteration}: ${loss.toFixed(3)}, ${((performance.now() - begin) / iteration).toFixed(0)} ms`,
      )
    },
  })
  const seconds = (performance.now() - begin) / 1000
  const cells: Cells = {}
  for (const cell of cellsOf(name)) {
    const [ways, shots] = cell.split('-').slice(-2).map(Number) as [number, number]
    const part = context.flag('validation') ? data.validation : data.test
    const tasks = await sampleEpisodes(part, { ways, shots, queries: 5, seed: 'test' }).batch(
      0,
      context.number('tests', 300),
    )
    const judge = async (params: Weights): Promise<[number, number]> => {
      const { accuracies } = await evaluate({ learner: plan.learner(ways), params }, tasks, {
        ...(plan.steps ? { steps: plan.steps } : {}),
        tasksPerCall: 8,
      })
      const { mean, interval } = accuracies!.at(-1)!
      return [mean, interval]
    }
    cells[cell] = {
      running: await judge(model.params),
      transductive: await judge(withoutAverages(model.params)),
      iterations,
      seconds,
    }
    const [running, transductive] = [cells[cell].running, cells[cell].transductive].map((one) => one.map(percent))
    context.log(`${cell}: running ${running!.join(' ± ')}, transductive ${transductive!.join(' ± ')}, ${seconds | 0} s`)
  }
  return cells
}

const EMBEDDING = 4 * FILTERS

/** Layers of any kind one after the other. */
function chain(layers: readonly unknown[]): MetaNet {
  const net = sequential<unknown[]>(layers as readonly Net<unknown>[])
  return {
    init: net.init,
    apply: (params, x, context) => net.apply(params as readonly TensorTree[] as unknown[], x, context),
  }
}

const scaled = (features: number): unknown[] => [batchNorm({ features }), activation('relu')]

/** 28 → 14 → 7 → 4 → 2: four convolutions of stride 2, as MAML has them on Omniglot. */
function blocks(count = 4): unknown[] {
  const layer = { outputs: FILTERS, window: 3, stride: 2, initializer: 'heUniform', bias: false } as const
  return Array.from({ length: count }, (_, i) => [
    conv2d({ ...layer, inputs: i === 0 ? 1 : FILTERS }),
    ...scaled(FILTERS),
  ]).flat()
}

/** Maps of 4 × 4 are compared, by one more convolution and two layers. */
function relating(): RelationScale {
  const layer = { window: 3, stride: 2, initializer: 'heUniform', bias: false } as const
  return {
    net: chain(blocks(3)),
    relation: chain([
      conv2d({ ...layer, inputs: 2 * FILTERS, outputs: FILTERS }),
      ...scaled(FILTERS),
      flatten(),
      dense({ inputs: EMBEDDING, outputs: 8, activation: 'relu', initializer: 'heUniform' }),
      dense({ inputs: 8, outputs: 1 }),
    ]),
  }
}

const convolutional = (): MetaNet => chain([...blocks(), flatten()])

const classifier = (outputs: number): MetaNet => chain([...blocks(), flatten(), dense({ inputs: EMBEDDING, outputs })])

function perceptron(outputs: number): MetaNet {
  const layer = { bias: false, initializer: 'heUniform' } as const
  const layers = MLP.flatMap((size, i) => [
    dense({ ...layer, inputs: MLP[i - 1] ?? SIDE * SIDE, outputs: size }),
    ...scaled(size),
  ])
  return chain([flatten(), ...layers, dense({ inputs: MLP.at(-1)!, outputs })])
}

/** Without its averages batch norm measures the batch at hand. */
function withoutAverages(params: Weights): Weights {
  if (Array.isArray(params)) return params.map(withoutAverages)
  if ('data' in params && 'shape' in params) return params
  const entries = Object.entries(params as { [name: string]: Weights })
  return Object.fromEntries(
    entries
      .filter(([name]) => name !== 'mean' && name !== 'variance')
      .map(([name, one]) => [name, withoutAverages(one)]),
  )
}

function figuresOf(cells: Cells): { [name: string]: Figure } {
  const figures: { [name: string]: Figure } = {}
  for (const [cell, { running, transductive, seconds }] of Object.entries(cells)) {
    const published = PUBLISHED[cell] === undefined ? '' : `, published ${PUBLISHED[cell]}`
    const note = (interval: number) => `± ${percent(interval)}${published}, ${Math.round(seconds)} s`
    figures[cell] = { value: 100 * running[0], unit: '%', note: note(running[1]) }
    figures[`${cell}_transductive`] = { value: 100 * transductive[0], unit: '%', note: note(transductive[1]) }
  }
  return figures
}

function sizes(data: Omniglot): { [name: string]: Figure } {
  return {
    train_characters: data.train.characters,
    validation_characters: data.validation.characters,
    test_characters: data.test.characters,
  }
}

const percent = (share: number): string => (100 * share).toFixed(1)

function option(context: BenchContext, name: string): string | undefined {
  const at = context.args.indexOf(`--${name}`)
  return at < 0 ? undefined : context.args[at + 1]
}
