import type { Rng } from '@regimen/core'
import { initialize } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { Weights } from '../learner.ts'

/** Parameters of one {@link attentionBlock}. */
export type BlockParams = {
  /** [width, width + hidden]: what a token asks for, and its feed-forward part. */
  readonly ask: tf.Tensor
  readonly askBias: tf.Tensor
  /** [width, 2 · width]: keys of all heads, then values. A bias of keys would change nothing, one of values the output's can take over. */
  readonly remember: tf.Tensor
  /** [width + hidden, width] */
  readonly output: tf.Tensor
  readonly outputBias: tf.Tensor
}

/** Keys [T, heads, width / heads, n], as the product wants them and already scaled, and values [T, heads, n, width / heads]. */
export type Remembered = { readonly keys: tf.Tensor; readonly values: tf.Tensor }

/**
 * One transformer block whose keys and values may come from other tokens than its queries. Tokens are rows, [T · n, width], which
 * keeps every product a plain one: for a handful of samples the number of operations is what takes the time.
 */
export interface AttentionBlock {
  init(rng: Rng): Weights
  /** What tokens offer to those that look at them. */
  remember(params: BlockParams, tokens: tf.Tensor, tasks: number): Remembered
  /** Tokens after they have looked at what is remembered; `bias` broadcasts over the scores [T, heads, m, n]. */
  look(params: BlockParams, tokens: tf.Tensor, memory: Remembered, bias: tf.Tensor): tf.Tensor
}

/**
 * Makes a block whose attention and feed-forward part stand side by side behind one normalization, so that two products serve both:
 * x + [attention(z), relu(z A)] W with z = x / √mean(x²). The normalization's scale would be the products' own.
 */
export function attentionBlock(width: number, heads: number, hidden: number): AttentionBlock {
  const size = width / heads
  return {
    init: (rng) => ({
      ask: initialize('glorotUniform', [width, width + hidden], rng.split('ask')),
      askBias: initialize('zeros', [width + hidden], rng),
      remember: initialize('glorotUniform', [width, 2 * width], rng.split('remember')),
      output: initialize('glorotUniform', [width + hidden, width], rng.split('output')),
      outputBias: initialize('zeros', [width], rng),
    }),
    remember({ remember }, tokens, tasks) {
      const both = tf.matMul(rootMeanSquareNorm(tokens), remember)
      const [keys, values] = tf.split(tf.reshape(both, [tasks, -1, 2 * heads, size]), 2, 2)
      return {
        keys: tf.mul(tf.transpose(keys!, [0, 2, 3, 1]), 1 / Math.sqrt(size)),
        values: tf.transpose(values!, [0, 2, 1, 3]),
      }
    },
    look({ ask, askBias, output, outputBias }, tokens, { keys, values }, bias) {
      const asked = tf.add(tf.matMul(rootMeanSquareNorm(tokens), ask), askBias)
      const [question, inner] = tf.split(asked, [width, hidden], 1)
      const queries = tf.transpose(tf.reshape(question!, [keys.shape[0]!, -1, heads, size]), [0, 2, 1, 3])
      const mixed = tf.matMul(tf.softmax(tf.add(tf.matMul(queries, keys), bias)), values)
      const attended = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), tokens.shape)
      const both = tf.concat([attended, tf.relu(inner!)], 1)
      return tf.add(tokens, tf.add(tf.matMul(both, output), outputBias))
    },
  }
}

/** x / √mean(x²) over the last axis. Reference: Zhang and Sennrich 2019. */
export function rootMeanSquareNorm(x: tf.Tensor): tf.Tensor {
  return tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6)))
}

/** Added to scores, so that a sample of weight w is seen as w samples and one of weight 0 is not seen. */
export function logWeights(weights: tf.Tensor): tf.Tensor {
  const unseen = tf.cast(tf.lessEqual(weights, 0), 'float32')
  return tf.sub(tf.log(tf.maximum(weights, 1e-30)), tf.mul(unseen, UNSEEN))
}

// Finite rather than infinite: the difference to the maximum stays a number in every kernel, and exp makes it zero.
const UNSEEN = 1e9
