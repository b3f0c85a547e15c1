import { check, describe } from '@regimen/core'
import { initialize, type Net, type NetContext, type TensorTree, useHigherOrderGradients } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { MetaNet, SetTensors } from '../learner.ts'
import type { StatisticUpdates } from '../statistics.ts'
import { checkCounts } from './sets.ts'

/** Options of {@link taskNorm}. */
export interface TaskNormOptions {
  /** Size of the last axis, ≥ 1. */
  features: number
  /**
   * What every sample has of its own: `layer`, moments over all its numbers; `instance`, over its places, channel by channel, for
   * windows and images. @default 'layer'
   */
  own?: 'layer' | 'instance'
  /** Added to the variance, > 0. @default 1e-5 */
  epsilon?: number
}

/** Parameters of {@link taskNorm}. */
export type TaskNormParams = {
  /** [features] */
  scale: tf.Tensor
  /** [features] */
  bias: tf.Tensor
  /** [2]: slope and offset of the share of the support's moments. */
  share: tf.Tensor
}

/** What one layer measured on a support: moments [T, features] and the number of samples [T]. */
export type Moments = { readonly mean: tf.Tensor; readonly variance: tf.Tensor; readonly count: tf.Tensor }

/** How layers of one net share what they measured, in the order in which they are applied. */
export interface TaskPass {
  /** Weights of the samples, [T, n]; where they are measured. */
  readonly weights?: tf.Tensor | undefined
  /** What the support measured, for queries. */
  readonly given?: readonly Moments[] | undefined
  /** Takes what each layer used. */
  readonly taken: Moments[]
}

/**
 * Makes task normalization, batch norm for few-shot tasks: a net is normalized by moments that blend those of the task's support with
 * the sample's own, and the share of the support is learned from how many samples it has, α = σ(a |support| + b):
 *
 *     μ = α μ_s + (1 − α) μ_o   σ² = α (σ²_s + (μ_s − μ)²) + (1 − α) (σ²_o + (μ_o − μ)²)
 *
 * Query samples are normalized by the support's moments, never by each other's, so an answer does not depend on its company. For
 * the encoder of {@link inContext} and {@link hypernetwork}, whose adaptation keeps the moments. With a support of one
 * sample α can fall towards 0, where batch norm breaks; in large ones it grows. In any other net it measures the batch at hand, like
 * `batchNorm({ statistics: 'transductive' })`. Padding and samples of weight 0 are not measured.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { taskNorm } from '@regimen/meta'
 *
 * const params = { scale: tf.ones([1]), bias: tf.zeros([1]), share: tf.tensor1d([0, 100]) }
 * // α = 1: plain batch norm
 * const y = taskNorm({ features: 1 }).apply(params, tf.tensor2d([[1], [3]]))
 * Array.from(y.dataSync()) // ≈ [-0.999995, 0.999995]
 * ```
 *
 * Reference: Bronskill, Gordon, Requeima, Nowozin and Turner 2020 (TaskNorm; MetaBN is α = 1).
 */
export function taskNorm(options: TaskNormOptions): Net<TaskNormParams> {
  const where = 'meta/task-norm'
  const { features, own = 'layer', epsilon = 1e-5 } = options
  checkCounts(where, { features })
  check(own === 'layer' || own === 'instance', where, () => `own must be "layer" or "instance", got ${describe(own)}.`)
  check(epsilon > 0, where, () => `epsilon must be above 0, got ${describe(epsilon)}.`)
  return {
    init: (rng) => ({
      scale: initialize('ones', [features], rng),
      bias: initialize('zeros', [features], rng),
      share: initialize('zeros', [2], rng),
    }),
    taskAxis: ({ scale }) => scale.rank === 2,
    apply(params, x, context: NetContext & { readonly task?: TaskPass } = {}) {
      useHigherOrderGradients()
      const { scale, bias, share } = params
      check(scale.rank === 1, where, () => 'the parameters have a task axis.', 'Use it in an encoder that tasks share.')
      const least = (context.tasks ? 3 : 2) + (own === 'instance' ? 1 : 0)
      check(
        x.rank >= least && x.shape[x.rank - 1] === features,
        where,
        () => `the input must have at least ${least} axes, the last of ${features}, got [${x.shape.join(', ')}].`,
      )
      const { task } = context
      const z = context.tasks ? x : tf.expandDims(x, 0)
      const support = task?.given?.[task.taken.length] ?? measure(z, task?.weights)
      task?.taken.push(support)
      const middle = new Array<number>(z.rank - 2).fill(1)
      const perTask = (t: tf.Tensor): tf.Tensor => tf.reshape(t, [t.shape[0]!, ...middle, t.shape[1] ?? 1])
      const [slope, offset] = tf.split(share, 2)
      const alpha = perTask(tf.sigmoid(tf.add(tf.mul(support.count, slope!), offset!)))
      const axes = Array.from({ length: z.rank - (own === 'layer' ? 2 : 3) }, (_, i) => i + 2)
      const ownMean = tf.mean(z, axes, true)
      const ownVariance = tf.mean(tf.square(tf.sub(z, ownMean)), axes, true)
      const taskMean = perTask(support.mean)
      const mean = tf.add(ownMean, tf.mul(alpha, tf.sub(taskMean, ownMean)))
      const around = (variance: tf.Tensor, centre: tf.Tensor): tf.Tensor =>
        tf.add(variance, tf.square(tf.sub(centre, mean)))
      const apart = around(ownVariance, ownMean)
      const variance = tf.add(apart, tf.mul(alpha, tf.sub(around(perTask(support.variance), taskMean), apart)))
      const normal = tf.mul(tf.sub(z, mean), tf.rsqrt(tf.add(variance, epsilon)))
      return tf.reshape(tf.add(tf.mul(normal, scale), bias), x.shape)
    },
  }
}

/** The pass over a support: layers measure it. */
export function firstPass(set: SetTensors): TaskPass {
  return { weights: set.weights ?? undefined, taken: [] }
}

/** A pass over queries: layers rely on what the support measured. */
export function laterPass(given: readonly Moments[] | undefined): TaskPass {
  return { given, taken: [] }
}

/** Applies an encoder that tasks share to [T, n, …]. */
export function encode(
  net: MetaNet,
  params: TensorTree,
  x: tf.Tensor,
  { updates, task }: { readonly updates?: StatisticUpdates; readonly task: TaskPass },
): tf.Tensor {
  const context = { tasks: true, training: updates !== undefined, ...(updates ? { updates } : {}), task }
  return net.apply(params, x, context)
}

/** Moments over the samples and places of each task; a sample of weight 0 is not there, others count the same. */
function measure(x: tf.Tensor, weights: tf.Tensor | undefined): Moments {
  const [tasks, n] = x.shape as [number, number]
  const there = weights ? tf.cast(tf.greater(weights, 0), 'float32') : tf.ones([tasks, n])
  const count = tf.sum(there, 1, true)
  const places = x.shape.slice(2, -1).reduce((a, b) => a * b, 1)
  const shaped = tf.reshape(there, [tasks, n, ...new Array<number>(x.rank - 2).fill(1)])
  const axes = Array.from({ length: x.rank - 2 }, (_, i) => i + 1)
  const total = tf.mul(tf.maximum(count, 1), places)
  const mean = tf.div(tf.sum(tf.mul(x, shaped), axes), total)
  const centred = tf.mul(tf.sub(x, tf.reshape(mean, [tasks, ...axes.map(() => 1), x.shape.at(-1)!])), shaped)
  return { mean, variance: tf.div(tf.sum(tf.square(centred), axes), total), count: tf.squeeze(count, [1]) }
}
