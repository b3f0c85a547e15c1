import type { Rng } from '@regimen/core'
import { initialize } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { Weights } from '../learner.ts'

/** Parameters of one {@link attentionBlock}. */
export type BlockParams = {
  /** [width, width + hidden]: what a token asks for, and its feed-forward part. */
  readonly ask: tf.Tensor
  readonly askBias: tf.Tensor
  /** [width, 2 · width]: keys and values. A bias of keys would change nothing, one of values the output's can take over. */
  readonly remember: tf.Tensor
  /** [width + hidden, width] */
  readonly output: tf.Tensor
  readonly outputBias: tf.Tensor
}

/** One transformer block whose keys and values may come from other tokens than its queries. */
export interface AttentionBlock {
  init(rng: Rng): Weights
  /** Keys and values of tokens [T, n, width]: [T, 2, heads, n, width / heads]. */
  remember(params: BlockParams, tokens: tf.Tensor): tf.Tensor
  /** Tokens [T, m, width] after they have looked at what is remembered; `bias` broadcasts over the scores [T, heads, m, n]. */
  look(params: BlockParams, tokens: tf.Tensor, memory: tf.Tensor, bias: tf.Tensor): tf.Tensor
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
    remember({ remember }, tokens) {
      const [tasks, n] = tokens.shape as [number, number]
      const both = product(rootMeanSquareNorm(tokens), remember)
      return tf.transpose(tf.reshape(both, [tasks, n, 2, heads, size]), [0, 2, 3, 1, 4])
    },
    look({ ask, askBias, output, outputBias }, tokens, memory, bias) {
      const [tasks, m] = tokens.shape as [number, number]
      const asked = tf.add(product(rootMeanSquareNorm(tokens), ask), askBias)
      const [question, inner] = tf.split(asked, [width, hidden], -1)
      const queries = tf.transpose(tf.reshape(question!, [tasks, m, heads, size]), [0, 2, 1, 3])
      const [keys, values] = tf.unstack(memory, 1)
      const scores = tf.mul(tf.matMul(queries, keys!, false, true), 1 / Math.sqrt(size))
      const mixed = tf.matMul(tf.softmax(tf.add(scores, bias)), values!)
      const attended = tf.reshape(tf.transpose(mixed, [0, 2, 1, 3]), tokens.shape)
      return tf.add(tokens, tf.add(product(tf.concat([attended, tf.relu(inner!)], -1), output), outputBias))
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

function product(x: tf.Tensor, kernel: tf.Tensor): tf.Tensor {
  const [inputs, outputs] = kernel.shape as [number, number]
  return tf.reshape(tf.matMul(tf.reshape(x, [-1, inputs]), kernel), [...x.shape.slice(0, -1), outputs])
}
