import {
  type MetaLearner,
  type MetaNet,
  maml,
  matching,
  prototypical,
  type RelationScale,
  relation,
  reptile,
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
import { SIDE } from './meta-omniglot.lib.ts'

/** One way of training: what it serves, and how. */
export interface Plan {
  /** Classes of a training task. */
  readonly ways: number
  /** Support samples of a class in training; Reptile trains on support and query together, and then serves any number. */
  readonly shots: number
  readonly queries: number
  readonly iterations: number
  readonly tasksPerBatch: number
  readonly rate: Schedule
  /** Inner steps in the test. */
  readonly steps?: number
  learner(ways: number, shots: number): MetaLearner
}

/** Filters of the four convolutions where embeddings are compared, and where nets are adapted, which costs several times as much. */
const WIDE = [32, 64, 128, 128]
const NARROW = [32, 32, 32, 32]
const MLP = [256, 128, 64, 64]

/** Which cells a training fills: nets that compare embeddings serve any number of classes, Reptile any number of samples. */
export function cellsOf(name: string): string[] {
  const [learner, ways, shots] = name.split('/') as [string, string, string]
  return (ways === 'any' ? ['5', '20'] : [ways]).flatMap((count) =>
    (shots === 'any' ? ['5', '1'] : [shots]).map((samples) => `${learner}-${count}-${samples}`),
  )
}

/** Trainings by `learner/ways/shots`, the most telling first. The filters are those of the nets that compare. */
export function plans(filters: readonly number[] = WIDE): { [name: string]: Plan } {
  const embedding = 4 * filters.at(-1)!
  const net = (): MetaNet => chain([...blocks(filters), flatten()])
  const list: { [name: string]: Plan } = {}
  const comparing = (name: string, shots: number, learner: Plan['learner']): void => {
    // More classes than will be asked for (Snell et al. 2017, section 3.1); then one training serves any number.
    const sizes = { ways: 20, shots, queries: 5, tasksPerBatch: 1 }
    list[`${name}/any/${shots}`] = { ...sizes, ...annealed(2000), learner }
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
    comparing('prototypical', shots, (ways) => prototypical({ net: net(), ways, embedding }))
    comparing('matching', shots, (ways) => matching({ net: net(), ways, embedding }))
    comparing('relation', shots, (ways) => relation({ ways, scales: [relating(filters)] }))
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
      // Averages of their own for the support before the step and for the queries after it (Antoniou et al. 2019).
      adapting('maml-mlp-per-step', ways, shots, {
        ...size,
        steps: inner.steps,
        ...annealed(ways === 5 ? 4000 : 1500),
        learner: () => maml({ ...inner, net: perceptron(ways, inner.steps + 1) }),
      })
      adapting('maml-conv', ways, shots, {
        ...size,
        ...annealed(ways === 5 ? 1000 : 600),
        tasksPerBatch: ways === 5 ? 8 : 2,
        learner: () => maml({ ...inner, net: classifier(ways) }),
      })
    }
  }
  for (const ways of [5, 20]) {
    // Ten samples of each class, two of them in each of five steps, whatever the test has (Nichol et al. 2018, table of Omniglot).
    const iterations = ways === 5 ? 2000 : 1000
    list[`reptile/${ways}/any`] = {
      ways,
      shots: 5,
      queries: 5,
      iterations,
      tasksPerBatch: ways === 5 ? 5 : 2,
      rate: (update) => 1 - update / iterations,
      steps: 10,
      learner: (ways, parts) =>
        reptile({ net: classifier(ways), loss: softmaxCrossEntropy, steps: 5, rate: 1e-3, parts }),
    }
  }
  return list
}

const annealed = (iterations: number): Pick<Plan, 'iterations' | 'rate'> => ({
  iterations,
  rate: cosineDecay({ from: 2e-3, to: 4e-5, steps: iterations }),
})

/** Layers of any kind one after the other. */
function chain(layers: readonly unknown[]): MetaNet {
  const net = sequential<unknown[]>(layers as readonly Net<unknown>[])
  return {
    init: net.init,
    apply: (params, x, context) => net.apply(params as readonly TensorTree[] as unknown[], x, context),
  }
}

const scaled = (features: number): unknown[] => [batchNorm({ features }), activation('relu')]

/** 28 → 14 → 7 → 4 → 2, so 2 × 2 places are left: convolutions of stride 2, as MAML has them on Omniglot. */
function blocks(filters: readonly number[]): unknown[] {
  return filters.flatMap((outputs, i) => [
    conv2d({ ...LAYER, inputs: filters[i - 1] ?? 1, outputs }),
    ...scaled(outputs),
  ])
}

const LAYER = { window: 3, stride: 2, initializer: 'heUniform', bias: false } as const

/** Maps of 4 × 4 are compared, by one more convolution and two layers. */
function relating(filters: readonly number[]): RelationScale {
  const [first, outputs] = filters as [number, number]
  return {
    net: chain(blocks([first, outputs, outputs])),
    relation: chain([
      conv2d({ ...LAYER, inputs: 2 * outputs, outputs }),
      ...scaled(outputs),
      flatten(),
      dense({ inputs: 4 * outputs, outputs: 8, activation: 'relu', initializer: 'heUniform' }),
      dense({ inputs: 8, outputs: 1 }),
    ]),
  }
}

const classifier = (outputs: number): MetaNet =>
  chain([...blocks(NARROW), flatten(), dense({ inputs: 4 * NARROW.at(-1)!, outputs })])

function perceptron(outputs: number, rows = 0): MetaNet {
  const layer = { bias: false, initializer: 'heUniform' } as const
  const statistics = rows > 0 ? ({ statistics: 'perStep', steps: rows } as const) : {}
  const layers = MLP.flatMap((size, i) => [
    dense({ ...layer, inputs: MLP[i - 1] ?? SIDE * SIDE, outputs: size }),
    batchNorm({ features: size, ...statistics }),
    activation('relu'),
  ])
  return chain([flatten(), ...layers, dense({ inputs: MLP.at(-1)!, outputs })])
}

/** Without its averages batch norm measures the batch at hand. */
export function withoutAverages(params: Weights): Weights {
  if (Array.isArray(params)) return params.map(withoutAverages)
  if ('data' in params && 'shape' in params) return params
  const entries = Object.entries(params as { [name: string]: Weights })
  return Object.fromEntries(
    entries
      .filter(([name]) => name !== 'mean' && name !== 'variance')
      .map(([name, one]) => [name, withoutAverages(one)]),
  )
}
