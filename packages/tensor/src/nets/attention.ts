import { check } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { random } from '../random.ts'
import type { ActivationName } from './activations.ts'
import { type DenseParams, mlp } from './dense.ts'
import { initialize } from './initializers.ts'
import { affine, checkInput, checkSize, defineNet, type Net } from './net.ts'
import { layerNorm, type NormParams } from './normalization.ts'

/** Options of {@link attention}. */
export interface AttentionOptions {
  /** Features of each step, a multiple of `heads`. */
  features: number
  /** Number of heads, ≥ 1. @default 1 */
  heads?: number
  /** Let each step see itself and the past only. @default true */
  causal?: boolean
  /** Rate at which attention weights are dropped while training. @default 0 */
  dropout?: number
}

/** Parameters of {@link attention}. */
export type AttentionParams = {
  /** [features, 3 · features]: queries, keys and values in one product. */
  project: tf.Tensor
  projectBias: tf.Tensor
  /** [features, features] */
  output: tf.Tensor
  outputBias: tf.Tensor
}

/**
 * Makes multi-head self-attention over [n, steps, features]: softmax(Q Kᵀ / √d) V in each head. Causal unless said
 * otherwise, so appending later steps never changes earlier outputs.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { attention } from '@regimen/tensor'
 *
 * attention({ features: 8, heads: 2 }).init(createRng(1)).project.shape // => [8, 24]
 * ```
 *
 * Reference: Vaswani et al. 2017.
 */
export function attention(options: AttentionOptions): Net<AttentionParams> {
  const { features, heads = 1, causal = true, dropout = 0 } = options
  checkSize('tensor/attention', 'features', features)
  checkSize('tensor/attention', 'heads', heads)
  check(
    features % heads === 0,
    'tensor/attention',
    () => `features must be a multiple of heads, got ${features} and ${heads}.`,
  )
  const width = features / heads
  return defineNet<AttentionParams>({
    init: (rng) => ({
      project: initialize('glorotUniform', [features, 3 * features], rng.split('project')),
      projectBias: initialize('zeros', [3 * features], rng),
      output: initialize('glorotUniform', [features, features], rng.split('output')),
      outputBias: initialize('zeros', [features], rng),
    }),
    taskAxis: ({ project }) => project.rank === 3,
    apply({ project, projectBias, output, outputBias }, x, { training }) {
      checkInput('tensor/attention', x, features, project.rank === 3 ? project.shape[0]! : undefined)
      const steps = x.shape[x.rank - 2]!
      const all = tf.reshape(affine(x, project, projectBias), [-1, steps, 3, heads, width])
      const [q, k, v] = tf.unstack(tf.transpose(all, [2, 0, 3, 1, 4]), 0) as [tf.Tensor, tf.Tensor, tf.Tensor]
      const scores = tf.mul(tf.matMul(q, k, false, true), 1 / Math.sqrt(width))
      const weights = tf.softmax(causal ? tf.add(scores, future(steps)) : scores)
      const kept = training && dropout > 0 ? random.dropout(weights, dropout) : weights
      const mixed = tf.reshape(tf.transpose(tf.matMul(kept, v), [0, 2, 1, 3]), x.shape)
      return affine(mixed, output, outputBias)
    },
  })
}

// Finite rather than −∞: the difference to the maximum stays a number in every kernel, and exp makes it zero.
function future(steps: number): tf.Tensor {
  const mask = Float32Array.from({ length: steps * steps }, (_, p) => (p % steps > Math.floor(p / steps) ? -1e9 : 0))
  return tf.tensor(mask, [steps, steps])
}

/** Options of {@link transformerBlock}. */
export interface TransformerOptions extends AttentionOptions {
  /** Width of the feed-forward part. @default 4 · features */
  hidden?: number
  /** Inside the feed-forward part. @default 'gelu' */
  activation?: ActivationName
}

/** Parameters of {@link transformerBlock}. */
export type TransformerParams = {
  attentionNorm: NormParams
  attention: AttentionParams
  feedNorm: NormParams
  feed: DenseParams[]
}

/**
 * Makes one transformer block with the normalization ahead of each part: x + attention(norm(x)), then x + mlp(norm(x)).
 * Causal unless said otherwise. Stack several with {@link sequential}.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { transformerBlock } from '@regimen/tensor'
 *
 * transformerBlock({ features: 8, heads: 2 }).init(createRng(1)).feed[0]!.kernel.shape // => [8, 32]
 * ```
 *
 * Reference: Xiong et al. 2020, "On layer normalization in the transformer architecture".
 */
export function transformerBlock(options: TransformerOptions): Net<TransformerParams> {
  const { features, hidden = 4 * features, activation = 'gelu' } = options
  const norm = layerNorm({ features })
  const attend = attention(options)
  const feed = mlp({ sizes: [features, hidden, features], activation, initializer: 'glorotUniform' })
  return defineNet<TransformerParams>({
    init: (rng) => ({
      attentionNorm: norm.init(rng),
      attention: attend.init(rng.split('attention')),
      feedNorm: norm.init(rng),
      feed: feed.init(rng.split('feed')),
    }),
    taskAxis: (params) => attend.taskAxis(params.attention),
    apply(params, x, context) {
      const attended = attend.apply(params.attention, norm.apply(params.attentionNorm, x, context), context)
      const middle = tf.add(x, attended)
      return tf.add(middle, feed.apply(params.feed, norm.apply(params.feedNorm, middle, context), context))
    },
  })
}
