import { check, describe } from '@regimen/core'
import { softmaxCrossEntropy, type TensorTree, valueAndGradient } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import {
  applyOwn,
  checkPositive,
  type InnerLoop,
  leavesOf,
  lossOptions,
  nameOwn,
  ownStart,
  queryLosses,
} from '../gradient/inner-loop.ts'
import type { MetaLearner, MetaNet, SetTensors, TaskLoss, Weights } from '../learner.ts'
import { moveStatistics, type StatisticChange } from '../statistics.ts'

/** Options of {@link metaLstm}. */
export interface MetaLstmOptions {
  /** What is adapted. */
  net: MetaNet
  /** Loss of the inner and the outer loop. @default softmaxCrossEntropy */
  loss?: TaskLoss
  /** Inner steps in training, ≥ 1. @default 5 */
  steps?: number
  /** What the input gate opens to at first, as a learning rate, above 0 and below 1. @default 0.01 */
  rate?: number
  /** What the forget gate keeps at first, above 0 and below 1. @default 0.9999 */
  keep?: number
}

/** Weights of a gate: those of the gradient's two numbers, the loss's two, the parameter, and the gate's last value. */
const INPUTS = 6

interface LstmParams {
  readonly net: TensorTree
  readonly input: Gate
  readonly forget: Gate
}

interface Gate {
  /** [6] */
  readonly weights: tf.Tensor
  /** [1] */
  readonly bias: tf.Tensor
}

/** What one look at the support gives: gradients [T, P] and losses [T, 1]. */
interface Look {
  readonly slopes: tf.Tensor
  readonly losses: tf.Tensor
}

/**
 * Makes the meta-learner LSTM: the update rule itself is learned. The net's parameters are the cell of an LSTM,
 *
 *     θ ← f ∘ θ − i ∘ ∇L   i = σ(w_i · [∇L, L, θ, i] + b_i)   f = σ(w_f · [∇L, L, θ, f] + b_f)
 *
 * with gates for each parameter whose weights all parameters share, and a start θ₀ that is learned. Gradient and loss reach the gates
 * as (log|x| / 10, sign x), or (−1, e¹⁰ x) where |x| < e⁻¹⁰, so that sizes from 10⁻⁵ to 10⁵ can be told apart. Gradients are
 * constants to the outer loop.
 *
 * The input gate is a rate that depends on how steep and how good things are, the forget gate lets parameters shrink:
 * for losses whose scale varies among tasks, and more steps than in training. {@link metaSgd} learns a rate for each
 * parameter and is simpler. The gates have no lower LSTM ahead of them, as the paper's have: it would multiply memory by its
 * hidden units.
 *
 * ```ts
 * import { metaLstm } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = metaLstm({ net: mlp({ sizes: [13, 32, 6] }), steps: 5 })
 * learner.steps // => 5
 * ```
 *
 * Reference: Ravi and Larochelle 2017; Andrychowicz et al. 2016 for the preprocessing.
 */
export function metaLstm(options: MetaLstmOptions): MetaLearner {
  const where = 'meta/meta-lstm'
  const { net, loss = softmaxCrossEntropy, steps = 5, rate = 0.01, keep = 0.9999 } = options
  check(Number.isInteger(steps) && steps >= 1, where, () => `steps must be an integer ≥ 1, got ${describe(steps)}.`)
  for (const [name, value] of Object.entries({ rate, keep })) {
    checkPositive(where, name, value)
    check(value < 1, where, () => `${name} must be below 1, got ${value}.`)
  }
  const loop: InnerLoop = {
    net,
    loss,
    steps,
    adapts: () => true,
    rates: 'fixed',
    rate,
    context: 0,
    bound: Number.POSITIVE_INFINITY,
    pull: 0,
    remat: false,
  }
  return {
    id: where,
    config: { steps, rate, keep },
    steps,
    innerRate: 1,
    loss,
    init: (rng): Weights => ({
      net: net.init(rng) as Weights,
      input: gate(Math.log(rate / (1 - rate))),
      forget: gate(Math.log(keep / (1 - keep))),
    }),
    controls: () => ({ stepWeights: new Float32Array([1]), secondOrder: false }),
    metaGradient(params, { support, query }, { innerRate }) {
      const tasks = support.x.shape[0]!
      // Along the same path the gradients come out the same, so the second walk takes them as constants.
      const changes: StatisticChange[] = []
      const { looks } = walk(loop, params, support, { steps, innerRate, tasks, changes })
      const { value, gradient, aux } = valueAndGradient((tree: TensorTree) => {
        const p = tree as unknown as LstmParams
        const { path } = walk(loop, tree, support, { steps, innerRate, tasks, looks })
        const own: StatisticChange[] = []
        const judged = tf.mean(queryLosses(loop, p.net, path.at(-1)!, query, { step: steps, changes: own }))
        return [judged, moveStatistics(p.net, [...changes, ...own], 'net')] as const
      }, params)
      return { loss: value, gradient, bounded: tf.scalar(0), statistics: aux }
    },
    adapt(params, support, settings) {
      const { path } = walk(loop, params, support, settings)
      const p = params as unknown as LstmParams
      return { path: path.map((own) => nameOwn(loop, p.net, own)), bounded: tf.scalar(0) }
    },
    predict: (params, own, x, { tasks, steps: step }) =>
      applyOwn(loop, (params as unknown as LstmParams).net, leavesOf(own), x, { tasks, step, training: false }),
  }
}

interface Walk {
  readonly steps: number
  readonly innerRate: tf.Tensor
  readonly tasks?: number
  /** Gradients and losses of an earlier walk along the same path. */
  readonly looks?: readonly Look[]
  /** Given in training: batch norm measures the support, and its running statistics move. */
  readonly changes?: StatisticChange[]
}

/** Runs the learned rule: the task's leaves after each step, and what was seen on the way. */
function walk(
  loop: InnerLoop,
  params: TensorTree,
  support: SetTensors,
  { steps, innerRate, tasks, looks, changes }: Walk,
): { path: readonly (readonly tf.Tensor[])[]; looks: readonly Look[] } {
  const { net, input, forget } = params as unknown as LstmParams
  const start = ownStart(loop, net, tasks)
  const rows = tasks ?? 1
  const flatten = (leaves: readonly tf.Tensor[]): tf.Tensor =>
    tf.concat(
      leaves.map((leaf) => tf.reshape(leaf, [rows, -1])),
      1,
    )
  const sizes = start.map((leaf) => leaf.size / rows)
  const unflatten = (flat: tf.Tensor): tf.Tensor[] =>
    tf.split(flat, sizes, 1).map((part, i) => tf.reshape(part, start[i]!.shape))
  const path: (readonly tf.Tensor[])[] = [start]
  const seen: Look[] = []
  let cell = flatten(start)
  let [opened, kept] = [tf.zerosLike(cell), tf.onesLike(cell)]
  for (let step = 0; step < steps; step++) {
    const look = looks?.[step] ?? lookAt(loop, net, path.at(-1)!, support, { step, tasks, changes, flatten })
    seen.push(look)
    const facts = [...preprocess(look.slopes), ...preprocess(look.losses), cell]
    opened = open(input, [...facts, opened])
    kept = open(forget, [...facts, kept])
    cell = tf.sub(tf.mul(kept, cell), tf.mul(tf.mul(opened, look.slopes), innerRate))
    path.push(unflatten(cell))
  }
  return { path, looks: seen }
}

function lookAt(
  loop: InnerLoop,
  net: TensorTree,
  own: readonly tf.Tensor[],
  support: SetTensors,
  run: {
    readonly step: number
    readonly tasks: number | undefined
    readonly changes: StatisticChange[] | undefined
    readonly flatten: (leaves: readonly tf.Tensor[]) => tf.Tensor
  },
): Look {
  const tasks = run.tasks !== undefined
  const changes: StatisticChange[] = []
  const total = (leaves: readonly tf.Tensor[]) => {
    const pass = { tasks, step: run.step, training: run.changes !== undefined, changes }
    const losses = loop.loss(applyOwn(loop, net, leaves, support.x, pass), support.y, lossOptions(support, tasks))
    return [tf.sum(losses), { losses, by: changes.map(({ by }) => by) }] as const
  }
  const { gradient, aux } = valueAndGradient(total, [...own])
  run.changes?.push(...changes.map(({ leaf }, i) => ({ leaf, by: aux.by[i]! })))
  return { slopes: run.flatten(gradient), losses: tf.reshape(aux.losses, [-1, 1]) }
}

/** (log|x| / p, sign x) where |x| ≥ e⁻ᵖ, else (−1, eᵖ x), with p = 10. */
export function preprocess(x: tf.Tensor): [tf.Tensor, tf.Tensor] {
  const size = tf.abs(x)
  const steep = tf.cast(tf.greaterEqual(size, SMALLEST), 'float32')
  const log = tf.div(tf.log(tf.maximum(size, SMALLEST)), SCALE)
  const sign = tf.add(tf.mul(steep, tf.sign(x)), tf.mul(tf.mul(tf.sub(1, steep), x), Math.exp(SCALE)))
  return [log, sign]
}

const SCALE = 10
const SMALLEST = Math.exp(-SCALE)

function open({ weights, bias }: Gate, facts: readonly tf.Tensor[]): tf.Tensor {
  const parts = tf.split(weights, INPUTS).map((weight, i) => tf.mul(facts[i]!, weight))
  return tf.sigmoid(parts.reduce((a, b) => tf.add(a, b), bias as tf.Tensor))
}

function gate(bias: number): Weights {
  return {
    weights: { dtype: 'float32', shape: [INPUTS], data: new Float32Array(INPUTS) },
    bias: { dtype: 'float32', shape: [1], data: new Float32Array([bias]) },
  }
}
