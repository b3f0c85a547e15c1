import { check, type Rng, describe as show } from '@regimen/core'
import { softmaxCrossEntropy, type TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { lossOptions } from '../gradient/inner-loop.ts'
import type { MetaLearner, MetaNet, SetTensors, TaskLoss, Weights } from '../learner.ts'
import { onePassGradient } from '../one-pass-gradient.ts'
import type { StatisticUpdates } from '../statistics.ts'

/** How one pass through the nets is to go. */
export interface MetricPass {
  readonly tasks: boolean
  /** Present in training: takes how running statistics would move. */
  readonly updates?: StatisticUpdates
}

/**
 * What distinguishes one comparing learner from another: how samples are embedded (Z), what a task keeps of its support, and how
 * a sample is scored against it. Adaptation is one pass, and the meta-gradient exists once.
 */
export interface Metric<Z> {
  readonly id: string
  readonly ways: number
  readonly config: MetaLearner['config']
  /** @default softmaxCrossEntropy */
  readonly loss?: TaskLoss
  init(rng: Rng): Weights
  embed(params: TensorTree, x: tf.Tensor, pass: MetricPass): Z
  /** Embeds descriptions of classes, where the support holds those. */
  describe?: ((params: TensorTree, x: tf.Tensor, pass: MetricPass) => Z) | undefined
  /** What the task owns. */
  own(params: TensorTree, z: Z, set: SetTensors): TensorTree
  /** A logit for each class, [n, ways]. */
  score(params: TensorTree, own: TensorTree, z: Z, pass: MetricPass): tf.Tensor
  /** Joins what two supports gave; the first keeps a share of its weight. */
  merge?(old: TensorTree, fresh: TensorTree, keep: tf.Tensor): TensorTree
}

/** Makes the learner of a metric. */
export function defineMetric<Z>(metric: Metric<Z>): MetaLearner {
  const { id, ways, config, loss = softmaxCrossEntropy, embed, describe = embed, own: keepOf, score, merge } = metric
  const encode = (params: TensorTree, set: SetTensors, pass: MetricPass): TensorTree =>
    keepOf(params, describe(params, set.x, pass), set)
  return {
    id,
    ways,
    config,
    steps: 1,
    innerRate: 1,
    loss,
    init: metric.init,
    controls: () => ({ stepWeights: new Float32Array([1]), secondOrder: true }),
    metaGradient: (params, { support, query }) =>
      onePassGradient(params, query, loss, (tree, updates) => {
        const pass = { tasks: true, updates }
        return score(tree, encode(tree, support, pass), embed(tree, query.x, pass), pass)
      }),
    adapt(params, support, { tasks }) {
      const own = encode(params, support, { tasks: tasks !== undefined })
      return { path: [own, own], bounded: tf.scalar(0) }
    },
    predict: (params, own, x, { tasks }) => score(params, own, embed(params, x, { tasks }), { tasks }),
    ...(merge ? { absorb: (params, own, set, keep) => merge(own, encode(params, set, { tasks: false }), keep) } : {}),
    ...(metric.describe
      ? {
          describes: true,
          supportLoss: (params, own, support) => {
            const pass = { tasks: false }
            return loss(
              score(params, own, describe(params, support.x, pass), pass),
              support.y,
              lossOptions(support, false),
            )
          },
        }
      : {}),
  }
}

/** Applies a net in a pass. */
export function applyNet(net: MetaNet, params: TensorTree, x: tf.Tensor, { tasks, updates }: MetricPass): tf.Tensor {
  return net.apply(params, x, { tasks, training: updates !== undefined, ...(updates ? { updates } : {}) })
}

/** Applies a net that must give vectors of a length. */
export function applyEmbedding(
  where: string,
  { net, embedding }: { readonly net: MetaNet; readonly embedding: number },
  params: TensorTree,
  x: tf.Tensor,
  pass: MetricPass,
): tf.Tensor {
  const z = applyNet(net, params, x, pass)
  check(
    z.rank === (pass.tasks ? 3 : 2) && z.shape.at(-1) === embedding,
    where,
    () => `the net must give vectors of ${embedding} numbers, got shape [${z.shape.join(', ')}].`,
    'Set embedding to the length of the output, and flatten images.',
  )
  return z
}

/** Weight of each sample in its class, [n, ways]; zero in the others. */
export function membersOf({ y, weights }: SetTensors, ways: number): tf.Tensor {
  const hot = tf.cast(tf.oneHot(tf.cast(y, 'int32'), ways), 'float32')
  return weights ? tf.mul(hot, tf.expandDims(weights, -1)) : hot
}

/** Class means of embeddings and the weight behind each. */
export type ClassMeans = { readonly centres: tf.Tensor; readonly counts: tf.Tensor }

/** Weighted means of each class, [ways, …]. */
export function classMeans(z: tf.Tensor, members: tf.Tensor): ClassMeans {
  const lead = members.rank - 2
  const counts = tf.sum(members, lead)
  const flat = tf.reshape(z, [...z.shape.slice(0, lead + 1), -1])
  const means = tf.div(tf.matMul(members, flat, true), tf.expandDims(atLeast(counts), -1))
  return { centres: tf.reshape(means, [...counts.shape, ...z.shape.slice(lead + 1)]), counts }
}

/** Means over the samples of both, the old ones at a share of their weight. */
export function mergeMeans(old: ClassMeans, fresh: ClassMeans, keep: tf.Tensor): ClassMeans {
  const kept = tf.mul(old.counts, keep)
  const counts = tf.add(kept, fresh.counts)
  const perClass = (count: tf.Tensor): tf.Tensor =>
    tf.reshape(count, [...count.shape, ...new Array<number>(old.centres.rank - count.rank).fill(1)])
  const total = tf.add(tf.mul(old.centres, perClass(kept)), tf.mul(fresh.centres, perClass(fresh.counts)))
  return { centres: tf.div(total, perClass(atLeast(counts))), counts }
}

/** Added to the logit of a class that has no support: it lies nowhere, not at the origin. */
export function awayFrom(counts: tf.Tensor): tf.Tensor {
  return tf.mul(tf.cast(tf.lessEqual(counts, 0), 'float32'), -UNKNOWN)
}

/** Minus the squared distances to class means, up to |z|², which is the same for all classes. */
export function nearness(z: tf.Tensor, { centres, counts }: ClassMeans): tf.Tensor {
  // −|z − p|² = 2 z·p − |p|² − |z|².
  const cross = tf.matMul(z, centres, false, true)
  const shift = tf.sub(awayFrom(counts), tf.sum(tf.square(centres), -1))
  return tf.add(tf.mul(cross, 2), centres.rank === 3 ? tf.expandDims(shift, 1) : shift)
}

/** Brings vectors to length 1. */
export function toUnit(z: tf.Tensor): tf.Tensor {
  return tf.mul(z, tf.rsqrt(tf.add(tf.sum(tf.square(z), -1, true), 1e-12)))
}

/** Fails unless the sizes that all comparing learners take are right. */
export function checkSizes(where: string, sizes: { readonly [name: string]: number }): void {
  for (const [name, value] of Object.entries(sizes)) {
    const least = name === 'ways' ? 2 : 1
    check(
      Number.isInteger(value) && value >= least,
      where,
      () => `${name} must be an integer ≥ ${least}, got ${show(value)}.`,
    )
  }
}

/** Fails unless an option is one of the names it may have. */
export function checkChoice(where: string, name: string, value: string, choices: readonly string[]): void {
  const list = choices.map((choice) => `"${choice}"`)
  const last = list.pop()
  check(
    choices.includes(value),
    where,
    () => `${name} must be ${list.length > 0 ? `${list.join(', ')} or ` : ''}${last}, got ${show(value)}.`,
  )
}

/** Squared distance, or minus the log weight, of what is not there. */
export const UNKNOWN = 1e9

const atLeast = (counts: tf.Tensor): tf.Tensor => tf.maximum(counts, 1e-12)
