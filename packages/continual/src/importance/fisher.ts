import { check, createRng, describe } from '@regimen/core'
import { compile, type Fetched, logSoftmax, type Net } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { type FlatNet, flatNet } from '../flat.ts'
import { type Measure, openPerSample, type PerSampleSum, type Samples } from './per-sample.ts'

/** Options of {@link fisherDiagonal}. */
export interface FisherOptions {
  /**
   * `exact` takes the expectation over the model's own labels (one gradient an output), `sampled` draws one label a sample from
   * the model, `empirical` uses the given labels, which is no Fisher information but the mean squared gradient.
   * @default 'exact'
   */
  kind?: 'exact' | 'sampled' | 'empirical'
  /** What the outputs mean: logits of classes, or the mean of a normal distribution. @default 'softmax' */
  likelihood?: 'softmax' | 'gaussian'
  /** Numbers that the net puts out, ≥ 1. */
  outputs: number
  /** Variance of the normal distribution, > 0. @default 1 */
  variance?: number
  /** Added to the outputs of every sample; −1e9 switches a class off. @default zeros */
  offsets?: ArrayLike<number>
  /** Samples in one call, ≥ 1; memory grows with it. @default 100 */
  chunk?: number
  /** Start of the stream that draws labels. @default 0 */
  seed?: number | string
}

/** A {@link fisherDiagonal} that stays compiled. */
export interface Fisher {
  /** The mean diagonal at these parameters, as a vector in the order of the parameters' leaves. */
  diagonal(
    params: ArrayLike<number>,
    samples: Samples,
    each?: { offsets?: ArrayLike<number>; seed?: number | string },
  ): Promise<Float64Array>
  dispose(): Promise<void>
}

/**
 * Computes the diagonal of the Fisher information, F = mean over samples of E_y (∂ log p(y | x, θ) / ∂θ)², from every sample's own
 * gradient. Squaring the mean gradient of a batch instead, as is often done, is not the Fisher information. `exact` costs a
 * backward pass per output; with many classes take `sampled`. Returns one number per parameter, in the order of the leaves.
 *
 * ```ts
 * import { fisherDiagonal } from '@regimen/continual'
 * import { dense } from '@regimen/tensor'
 *
 * // y ~ N(w x, 1): F = mean of x²
 * const net = dense({ inputs: 1, outputs: 1, bias: false })
 * const params = { kernel: { dtype: 'float32' as const, shape: [1, 1], data: Float32Array.of(0.5) } }
 * const samples = { x: [1, 3], width: 1 }
 * const fisher = await fisherDiagonal(net, { params, samples, likelihood: 'gaussian', outputs: 1 })
 * fisher // => [5]
 * ```
 *
 * References: Kirkpatrick et al. 2017; Kunstner et al. 2019 (what the empirical Fisher is not).
 */
export async function fisherDiagonal<P>(
  net: Net<P>,
  options: FisherOptions & { params: Fetched<P>; samples: Samples },
): Promise<Float64Array> {
  const flat = flatNet(net)
  const fisher = openFisher(flat, options)
  try {
    return await fisher.diagonal(flat.toVector(options.params), options.samples, options)
  } finally {
    await fisher.dispose()
  }
}

/** Opens a Fisher diagonal that is compiled once and used after many tasks. */
export function openFisher<P>(flat: FlatNet<P>, options: FisherOptions): Fisher {
  const { kind = 'exact', likelihood = 'softmax', outputs, variance = 1, chunk = 100 } = options
  const where = 'continual/fisher'
  check(
    Number.isInteger(outputs) && outputs >= 1,
    where,
    () => `outputs must be an integer from 1, got ${describe(outputs)}.`,
  )
  check(variance > 0, where, () => `variance must be above 0, got ${describe(variance)}.`)
  const scores = { softmax: softmaxScores, gaussian: gaussianScores(variance) }[likelihood]
  check(scores !== undefined, where, () => `likelihood must be softmax or gaussian, got ${describe(likelihood)}.`)
  const measure: Measure = { each: 'square', scores: kind === 'exact' ? scores.exact : scores.given }
  const sum: PerSampleSum = openPerSample(flat, measure, { chunk, where })
  const predict = compile((vector: tf.Tensor, x: tf.Tensor) => flat.net.apply(flat.tree(vector), x))
  return {
    async diagonal(params, samples, { offsets = new Float32Array(outputs), seed = 0 } = {}) {
      const rng = createRng(seed)
      check(offsets.length === outputs, where, () => `offsets must hold ${outputs} numbers, got ${offsets.length}.`)
      check(
        kind !== 'empirical' || samples.y !== undefined,
        where,
        () => 'the empirical Fisher needs labels, got none.',
        'Pass samples.y, or take kind: exact.',
      )
      if (kind !== 'sampled') return sum.mean(params, samples, offsets)
      const shape = typeof samples.width === 'number' ? [samples.width] : [...samples.width]
      const width = shape.reduce((product, side) => product * side, 1)
      const n = samples.x.length / width
      const x = { dtype: 'float32' as const, shape: [n, ...shape], data: Float32Array.from(samples.x) }
      const { data } = await predict(Float32Array.from(params), x)
      const y = new Float32Array(likelihood === 'softmax' ? n : n * outputs)
      if (likelihood === 'gaussian') for (let i = 0; i < y.length; i++) y[i] = rng.normal(data[i]!, Math.sqrt(variance))
      else for (let i = 0; i < n; i++) y[i] = drawClass(data.subarray(i * outputs, (i + 1) * outputs), offsets, rng)
      return sum.mean(params, { ...samples, y }, offsets)
    },
    async dispose() {
      await sum.dispose()
      await predict.dispose()
    },
  }
}

function drawClass(logits: ArrayLike<number>, offsets: ArrayLike<number>, rng: ReturnType<typeof createRng>): number {
  let top = Number.NEGATIVE_INFINITY
  for (let c = 0; c < logits.length; c++) top = Math.max(top, logits[c]! + offsets[c]!)
  return rng.categorical(Float64Array.from(logits, (logit, c) => Math.exp(logit + offsets[c]! - top)))
}

/** What is differentiated for the Fisher information. */
export interface Scores {
  readonly exact: Measure['scores']
  readonly given: Measure['scores']
}

// √p log p_c with p held fixed: its squared gradient is p (∂ log p_c)², and Σ_c of that is the expectation.
export const softmaxScores: Scores = {
  exact: (outputs) =>
    Array.from({ length: outputs }, (_, c) => (output: tf.Tensor) => {
      const logP = tf.squeeze(tf.slice(logSoftmax(output), [0, 0, c], [-1, 1, 1]), [1, 2])
      return tf.mul(logP, tf.sqrt(tf.exp(fixed(logP))))
    }),
  given: (outputs) => [
    (output, y) => {
      const wanted = tf.cast(tf.oneHot(tf.cast(tf.squeeze(y, [2]), 'int32'), outputs), 'float32')
      return tf.sum(tf.mul(logSoftmax(output), wanted), [1, 2])
    },
  ],
}

export function gaussianScores(variance: number): Scores {
  return {
    exact: (outputs) =>
      Array.from(
        { length: outputs },
        (_, k) => (output: tf.Tensor) =>
          tf.mul(tf.squeeze(tf.slice(output, [0, 0, k], [-1, 1, 1]), [1, 2]), 1 / Math.sqrt(variance)),
      ),
    given: () => [(output, y) => tf.mul(tf.sum(tf.square(tf.sub(output, y)), [1, 2]), -0.5 / variance)],
  }
}

/** The value without its gradient. */
function fixed(x: tf.Tensor): tf.Tensor {
  const stop = tf.customGrad((...[value]: unknown[]) => ({
    value: tf.clone(value as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => [tf.zerosLike(dy)],
  }))
  return stop(x)
}
