import { check, describe } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { mapTree } from '../tree.ts'
import { initialize } from './initializers.ts'
import { checkInput, checkSize, defineNet, type InnerContext, type Net, perFeature } from './net.ts'

/** Parameters of {@link layerNorm}. */
export type NormParams = {
  /** [features] */
  scale: tf.Tensor
  /** [features] */
  bias: tf.Tensor
}

/** Options of {@link layerNorm}. */
export interface LayerNormOptions {
  /** Size of the last axis, ≥ 1. */
  features: number
  /** Added to the variance. @default 1e-5 */
  epsilon?: number
}

/**
 * Makes layer normalization: each row is brought to mean 0 and variance 1 over its features, then scaled and shifted.
 * Needs no batch and no running statistics, so it suits small support sets better than {@link batchNorm}.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { layerNorm } from '@regimen/tensor'
 *
 * const params = { scale: tf.ones([2]), bias: tf.zeros([2]) }
 * layerNorm({ features: 2 }).apply(params, tf.tensor2d([[1, 3]])).dataSync()[1] // ≈ 0.999995
 * ```
 *
 * Reference: Ba, Kiros and Hinton 2016.
 */
export function layerNorm({ features, epsilon = 1e-5 }: LayerNormOptions): Net<NormParams> {
  checkSize('tensor/layer-norm', 'features', features)
  return defineNet<NormParams>({
    init: (rng) => ({ scale: initialize('ones', [features], rng), bias: initialize('zeros', [features], rng) }),
    taskAxis: ({ scale }) => scale.rank === 2,
    apply({ scale, bias }, x) {
      checkInput('tensor/layer-norm', x, features, scale.rank === 2 ? scale.shape[0]! : undefined)
      const { centred, variance } = moments(x, [x.rank - 1])
      const normal = tf.div(centred, tf.sqrt(tf.add(variance, epsilon)))
      return tf.add(tf.mul(normal, perFeature(scale, x.rank)), perFeature(bias, x.rank))
    },
  })
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions {
  /** Size of the last axis, ≥ 1. */
  features: number
  /**
   * Where mean and variance come from. `transductive`: always the batch at hand, which few-shot papers use and which lets
   * query samples see each other. `running`: the batch while training, an exponential average otherwise. `perStep`: as
   * `running`, with a row of statistics, scale and bias for every inner step.
   * @default 'running'
   */
  statistics?: 'transductive' | 'running' | 'perStep'
  /** Rows of `perStep`: inner steps, ≥ 1. @default 1 */
  steps?: number
  /** Share of the old average that is kept at an update, 0 to 1. @default 0.9 */
  momentum?: number
  /** Added to the variance. @default 1e-5 */
  epsilon?: number
}

/** Parameters of {@link batchNorm}; `mean` and `variance` are averages, not learned, and absent when transductive. */
export type BatchNormParams = NormParams & { mean?: tf.Tensor; variance?: tf.Tensor }

/**
 * Makes batch normalization over all axes but the last (and the task axis). The net is pure: while training it appends
 * what the running statistics should become to `context.updates`, and {@link withUpdates} puts them into the tree.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { batchNorm } from '@regimen/tensor'
 *
 * const net = batchNorm({ features: 1, statistics: 'transductive' })
 * const y = net.apply({ scale: tf.ones([1]), bias: tf.zeros([1]) }, tf.tensor2d([[1], [3]]))
 * Array.from(y.dataSync()) // ≈ [-0.999995, 0.999995]
 * ```
 *
 * References: Ioffe and Szegedy 2015; Antoniou, Edwards and Storkey 2019 for per-step statistics.
 */
export function batchNorm(options: BatchNormOptions): Net<BatchNormParams> {
  const { features, statistics = 'running', steps = 1, momentum = 0.9, epsilon = 1e-5 } = options
  checkSize('tensor/batch-norm', 'features', features)
  checkSize('tensor/batch-norm', 'steps', steps)
  check(
    momentum >= 0 && momentum <= 1,
    'tensor/batch-norm',
    () => `momentum must be from 0 to 1, got ${describe(momentum)}.`,
  )
  const rows = statistics === 'perStep' ? [steps] : []
  const plainRank = rows.length + 1
  return defineNet<BatchNormParams>({
    init: (rng) => {
      const shape = [...rows, features]
      const learned = { scale: initialize('ones', shape, rng), bias: initialize('zeros', shape, rng) }
      if (statistics === 'transductive') return learned
      return { ...learned, mean: initialize('zeros', shape, rng), variance: initialize('ones', shape, rng) }
    },
    taskAxis: ({ scale }) => scale.rank === plainRank + 1,
    apply(params, x, context: InnerContext) {
      checkInput('tensor/batch-norm', x, features)
      const step = context.step ?? 0
      const row = (t: tf.Tensor) => (statistics === 'perStep' ? rowOf(t, step, plainRank) : t)
      const scale = perFeature(row(params.scale), x.rank)
      const bias = perFeature(row(params.bias), x.rank)
      const scaled = (centred: tf.Tensor, variance: tf.Tensor) =>
        tf.add(tf.mul(centred, tf.div(scale, tf.sqrt(tf.add(variance, epsilon)))), bias)

      const { mean, variance } = params
      if (mean && variance && !context.training) {
        const average = (t: tf.Tensor) => perFeature(asConstant(row(t)), x.rank)
        return scaled(tf.sub(x, average(mean)), average(variance))
      }
      const first = context.tasks ? 1 : 0
      const axes = x.shape.map((_, i) => i).filter((i) => i >= first && i < x.rank - 1)
      const batch = moments(x, axes)
      if (mean && variance && context.updates) {
        const count = axes.reduce((product, axis) => product * x.shape[axis]!, 1)
        const unbiased = tf.mul(batch.variance, count / Math.max(count - 1, 1))
        const share = stepMask(statistics === 'perStep' ? steps : undefined, step, 1 - momentum)
        context.updates.push([mean, blend(mean, batch.mean, share)], [variance, blend(variance, unbiased, share)])
      }
      return scaled(batch.centred, batch.variance)
    },
  })
}

/**
 * Puts what batch norm collected in `context.updates` into a tree of parameters, and leaves every other leaf.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { batchNorm, type NetContext, withUpdates } from '@regimen/tensor'
 *
 * const net = batchNorm({ features: 1, momentum: 0.5 })
 * const params = { scale: tf.ones([1]), bias: tf.zeros([1]), mean: tf.zeros([1]), variance: tf.ones([1]) }
 * const updates: NonNullable<NetContext['updates']> = []
 * net.apply(params, tf.tensor2d([[1], [3]]), { training: true, updates })
 * withUpdates(params, updates).mean.dataSync()[0] // => 1
 * ```
 */
export function withUpdates<P>(params: P, updates: readonly (readonly [old: tf.Tensor, next: tf.Tensor])[]): P {
  const next = new Map(updates)
  return mapTree((leaf: tf.Tensor) => next.get(leaf) ?? leaf, params)
}

// Averages are measured, not learned: an inner loop of gradient descent must not move them.
function asConstant(average: tf.Tensor): tf.Tensor {
  return tf.customGrad((input) => ({
    value: tf.clone(input as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => tf.zerosLike(dy),
  }))(average)
}

function moments(x: tf.Tensor, axes: number[]): { mean: tf.Tensor; centred: tf.Tensor; variance: tf.Tensor } {
  const mean = tf.mean(x, axes, true)
  const centred = tf.sub(x, mean)
  return { mean, centred, variance: tf.mean(tf.square(centred), axes, true) }
}

function rowOf(parameter: tf.Tensor, step: number, plainRank: number): tf.Tensor {
  const axis = parameter.rank - plainRank
  const rows = parameter.shape[axis]!
  check(
    Number.isInteger(step) && step >= 0 && step < rows,
    'tensor/batch-norm',
    () => `step must be an integer from 0 to ${rows - 1}, got ${describe(step)}.`,
    'Set steps to the number of inner steps.',
  )
  const begin = parameter.shape.map((_, i) => (i === axis ? step : 0))
  const size = parameter.shape.map((dim, i) => (i === axis ? 1 : dim))
  return tf.squeeze(tf.slice(parameter, begin, size), [axis])
}

// A share for each row of per-step statistics: only the row of this step moves.
function stepMask(steps: number | undefined, step: number, share: number): tf.Tensor {
  if (steps === undefined) return tf.scalar(share)
  return tf.tensor2d(
    Array.from({ length: steps }, (_, i) => (i === step ? share : 0)),
    [steps, 1],
  )
}

function blend(old: tf.Tensor, fresh: tf.Tensor, share: tf.Tensor): tf.Tensor {
  // fresh keeps its reduced axes as ones: bring it to [features] or [T, features], and to a row of the old if there are rows.
  const features = fresh.shape.at(-1)!
  const tasks = fresh.size / features
  const rows = share.rank === 2 ? [1] : []
  const hasTasks = tasks > 1 || old.rank === rows.length + 2
  const shaped = tf.reshape(fresh, hasTasks ? [tasks, ...rows, features] : [...rows, features])
  return tf.add(old, tf.mul(tf.sub(shaped, old), share))
}
