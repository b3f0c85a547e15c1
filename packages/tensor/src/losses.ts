import { check, describe } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { useHigherOrderGradients } from './gradients/higher-order.ts'

/** Options that every loss takes. */
export interface LossOptions {
  /**
   * Weight of each sample, [n] or [T, n]; the loss is Σ w l / Σ w. Samples that only pad a bucket get 0.
   * @default equal weights
   */
  weights?: tf.Tensor
  /** Return one loss for each task, [T], of inputs with a leading task axis, instead of their mean. @default false */
  perTask?: boolean
}

/**
 * Computes the mean squared error, the mean over features of (prediction − target)².
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { meanSquaredError } from '@regimen/tensor'
 *
 * const loss = meanSquaredError(tf.tensor2d([[1], [3]]), tf.tensor2d([[0], [1]]), { weights: tf.tensor1d([1, 3]) })
 * // (1 · 1² + 3 · 2²) / 4
 * loss.dataSync()[0] // => 3.25
 * ```
 */
export function meanSquaredError(prediction: tf.Tensor, target: tf.Tensor, options: LossOptions = {}): tf.Tensor {
  sameShape('mean-squared-error', prediction, target)
  return reduce(tf.square(tf.sub(prediction, target)), options)
}

/** Options of {@link huber}. */
export interface HuberOptions extends LossOptions {
  /** Error, in units of the target, from which on the loss grows linearly, > 0. @default 1 */
  delta?: number
}

/**
 * Computes Huber's loss: e² / 2 for |e| ≤ δ, δ (|e| − δ / 2) beyond. Outliers pull with a bounded force.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { huber } from '@regimen/tensor'
 *
 * // |e| = 3: 1 · (3 − 1/2)
 * huber(tf.tensor2d([[3]]), tf.tensor2d([[0]])).dataSync()[0] // => 2.5
 * ```
 *
 * Reference: Huber 1964.
 */
export function huber(prediction: tf.Tensor, target: tf.Tensor, options: HuberOptions = {}): tf.Tensor {
  const { delta = 1 } = options
  check(delta > 0, 'tensor/huber', () => `delta must be > 0, got ${describe(delta)}.`)
  sameShape('huber', prediction, target)
  const error = tf.abs(tf.sub(prediction, target))
  const inner = tf.minimum(error, delta)
  return reduce(tf.add(tf.mul(tf.square(inner), 0.5), tf.mul(tf.sub(error, inner), delta)), options)
}

/**
 * Computes the cross-entropy of softmax(logits) against labels (int32, [n]) or probabilities ([n, classes]).
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { softmaxCrossEntropy } from '@regimen/tensor'
 *
 * const loss = softmaxCrossEntropy(tf.tensor2d([[0, Math.log(3)]]), tf.tensor1d([1], 'int32'))
 * // −log(3 / 4)
 * loss.dataSync()[0] // ≈ 0.2876821
 * ```
 */
export function softmaxCrossEntropy(logits: tf.Tensor, target: tf.Tensor, options: LossOptions = {}): tf.Tensor {
  const classes = logits.shape[logits.rank - 1]!
  const wanted = target.rank === logits.rank ? target : tf.cast(tf.oneHot(tf.cast(target, 'int32'), classes), 'float32')
  sameShape('softmax-cross-entropy', logits, wanted)
  const chosen = tf.sum(tf.mul(logits, wanted), -1)
  return reduce(tf.sub(logSumExp(logits), chosen), { ...options, scalar: true })
}

/**
 * Computes the cross-entropy of σ(logits) against probabilities from 0 to 1 as softplus(x) − t x, which neither overflows
 * nor loses digits for large logits.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { binaryCrossEntropy } from '@regimen/tensor'
 *
 * binaryCrossEntropy(tf.tensor2d([[100]]), tf.tensor2d([[0]])).dataSync()[0] // => 100
 * ```
 */
export function binaryCrossEntropy(logits: tf.Tensor, target: tf.Tensor, options: LossOptions = {}): tf.Tensor {
  sameShape('binary-cross-entropy', logits, target)
  return reduce(tf.sub(tf.softplus(logits), tf.mul(logits, target)), options)
}

/** A normal distribution for each value of the target. */
export interface GaussianPrediction {
  readonly mean: tf.Tensor
  /** Natural logarithm of the variance. */
  readonly logVariance: tf.Tensor
}

/**
 * Computes the negative log-likelihood of a normal distribution: (log 2π + log σ² + (t − μ)² / σ²) / 2.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { gaussianNll } from '@regimen/tensor'
 *
 * const standard = { mean: tf.zeros([1, 1]), logVariance: tf.zeros([1, 1]) }
 * // (log 2π + 1) / 2
 * gaussianNll(standard, tf.tensor2d([[1]])).dataSync()[0] // ≈ 1.4189385
 * ```
 */
export function gaussianNll(prediction: GaussianPrediction, target: tf.Tensor, options: LossOptions = {}): tf.Tensor {
  const { mean, logVariance } = prediction
  sameShape('gaussian-nll', mean, target)
  sameShape('gaussian-nll', logVariance, target)
  const squared = tf.mul(tf.square(tf.sub(target, mean)), tf.exp(tf.neg(logVariance)))
  return reduce(tf.mul(tf.add(tf.add(squared, logVariance), Math.log(2 * Math.PI)), 0.5), options)
}

/** A Student-t distribution for each value of the target. */
export interface StudentTPrediction {
  readonly location: tf.Tensor
  /** Natural logarithm of the scale; the variance is scale² ν / (ν − 2). */
  readonly logScale: tf.Tensor
}

/** Options of {@link studentTNll}. */
export interface StudentTOptions extends LossOptions {
  /** Degrees of freedom ν, > 0: the smaller, the fatter the tails. @default 4 */
  degrees?: number
}

/**
 * Computes the negative log-likelihood of a Student-t distribution, whose fat tails suit returns:
 * log s + log Γ(ν/2) − log Γ((ν+1)/2) + log(νπ)/2 + (ν+1)/2 · log(1 + z²/ν), z = (t − location) / s.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { studentTNll } from '@regimen/tensor'
 *
 * const standard = { location: tf.zeros([1, 1]), logScale: tf.zeros([1, 1]) }
 * // one degree of freedom is the Cauchy distribution: log(π (1 + 1²))
 * studentTNll(standard, tf.tensor2d([[1]]), { degrees: 1 }).dataSync()[0] // ≈ 1.8378771
 * ```
 */
export function studentTNll(
  prediction: StudentTPrediction,
  target: tf.Tensor,
  options: StudentTOptions = {},
): tf.Tensor {
  const { location, logScale } = prediction
  const { degrees = 4 } = options
  check(degrees > 0, 'tensor/student-t-nll', () => `degrees must be > 0, got ${describe(degrees)}.`)
  sameShape('student-t-nll', location, target)
  sameShape('student-t-nll', logScale, target)
  const squared = tf.mul(tf.square(tf.sub(target, location)), tf.exp(tf.mul(logScale, -2)))
  const tail = tf.mul(tf.log1p(tf.div(squared, degrees)), (degrees + 1) / 2)
  const constant = logGamma(degrees / 2) - logGamma((degrees + 1) / 2) + 0.5 * Math.log(degrees * Math.PI)
  return reduce(tf.add(tf.add(tail, logScale), constant), options)
}

/** Options of {@link quantileLoss}. */
export interface QuantileOptions extends LossOptions {
  /** The levels that the last axis of the prediction stands for, each between 0 and 1. */
  quantiles: readonly number[]
}

/**
 * Computes the pinball loss max(q e, (q − 1) e), e = t − prediction, averaged over the quantiles in the last axis.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { quantileLoss } from '@regimen/tensor'
 *
 * // the target lies 2 above the 90 % quantile: 0.9 · 2
 * quantileLoss(tf.tensor2d([[1]]), tf.tensor2d([[3]]), { quantiles: [0.9] }).dataSync()[0] // ≈ 1.8
 * ```
 *
 * Reference: Koenker and Bassett 1978.
 */
export function quantileLoss(prediction: tf.Tensor, target: tf.Tensor, options: QuantileOptions): tf.Tensor {
  const { quantiles } = options
  check(
    quantiles.length === prediction.shape[prediction.rank - 1] && quantiles.every((q) => q > 0 && q < 1),
    'tensor/quantile-loss',
    () =>
      `quantiles must be one level in (0, 1) for each of the ${prediction.shape.at(-1)} predictions, got [${quantiles}].`,
  )
  const error = tf.sub(target, prediction)
  const levels = tf.tensor1d([...quantiles])
  return reduce(tf.maximum(tf.mul(error, levels), tf.mul(error, tf.sub(levels, 1))), options)
}

/**
 * Computes log Σ exp(x) over the last axis, stable and right to any order of derivative (the gradient is softmax).
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { logSumExp } from '@regimen/tensor'
 *
 * logSumExp(tf.tensor1d([1000, 1000])).dataSync()[0] // ≈ 1000.6931
 * ```
 */
export function logSumExp(x: tf.Tensor): tf.Tensor {
  useHigherOrderGradients()
  const compute = tf.customGrad((input, save) => {
    // Saved, or an eager gradient finds an intermediate x disposed.
    ;(save as tf.GradSaveFunc)([input as tf.Tensor])
    const largest = tf.max(input as tf.Tensor, -1, true)
    const total = tf.sum(tf.exp(tf.sub(input as tf.Tensor, largest)), -1)
    const value = tf.add(tf.squeeze(largest, [x.rank - 1]), tf.log(total))
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor =>
      tf.mul(tf.expandDims(dy, -1), tf.softmax(saved[0]!))
    return { value, gradFunc }
  })
  return compute(x)
}

/**
 * Computes log softmax over the last axis. `tf.logSoftmax` returns wrong second derivatives; this one is right.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { logSoftmax } from '@regimen/tensor'
 *
 * logSoftmax(tf.tensor1d([0, Math.log(3)])).dataSync()[1] // ≈ -0.2876821
 * ```
 */
export function logSoftmax(x: tf.Tensor): tf.Tensor {
  return tf.sub(x, tf.expandDims(logSumExp(x), -1))
}

// Values [n, features…] → Σ w l / Σ w with l the mean over features; `scalar` when there are no feature axes left.
function reduce(values: tf.Tensor, options: LossOptions & { scalar?: boolean }): tf.Tensor {
  useHigherOrderGradients()
  const { weights, perTask = false, scalar = false } = options
  const lead = perTask ? 1 : 0
  const axesFrom = (start: number) => Array.from({ length: values.rank - start }, (_, i) => start + i)
  if (!weights) return tf.mean(values, axesFrom(lead))
  const samples = weights.rank
  check(
    tf.util.arraysEqual(weights.shape, values.shape.slice(0, samples)) && samples > lead,
    'tensor/losses',
    () => `weights must have the shape of the samples, got [${weights.shape}] for losses of shape [${values.shape}].`,
    'Pass [n], or [T, n] with a task axis.',
  )
  const perSample = scalar || values.rank === samples ? values : tf.mean(values, axesFrom(samples))
  const axes = axesFrom(lead).filter((axis) => axis < samples)
  const total = tf.maximum(tf.sum(weights, axes), 1e-12)
  return tf.div(tf.sum(tf.mul(perSample, weights), axes), total)
}

function sameShape(name: string, prediction: tf.Tensor, target: tf.Tensor): void {
  check(
    tf.util.arraysEqual(prediction.shape, target.shape),
    `tensor/${name}`,
    () => `prediction and target must have the same shape, got [${prediction.shape}] and [${target.shape}].`,
  )
}

// Lanczos with g = 7 and nine terms, good to 1e-14 for x > 0.
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
]

function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x)
  const base = x - 1 + 7.5
  const series = LANCZOS.reduce((sum, term, i) => (i === 0 ? term : sum + term / (x - 1 + i)), 0)
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(series)
}
