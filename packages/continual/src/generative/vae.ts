import { createRng, type Rng } from '@regimen/core'
import { type DenseParams, type Fetched, initialize, mlp, type Net, random, type TensorLeaf } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'

/** Parameters of a {@link vaeNet}. */
export interface VaeParams<T = tf.Tensor> {
  readonly encoder: readonly DenseParams[]
  readonly decoder: readonly DenseParams[]
  /** log σ² of every input, [inputs]; unused by Bernoulli inputs. */
  readonly spread: T
}

/** What a {@link vaeNet} is made of. */
export interface VaeShape {
  /** Numbers in an input. */
  readonly width: number
  /** Numbers of the condition: classes; 0 for none. */
  readonly classes: number
  readonly hidden: readonly number[]
  readonly latent: number
  readonly likelihood: 'bernoulli' | 'gaussian'
}

/** A variational autoencoder, with a condition that the encoder and the decoder both see. Its functions go into a compiled one. */
export interface VaeNet {
  init(rng: Rng): Fetched<VaeParams>
  /** The negative evidence bound of inputs [n, width] under conditions [n, classes], weighted by row, an input's share of it. */
  loss(params: VaeParams, x: tf.Tensor, condition: tf.Tensor | null, weights: tf.Tensor): tf.Tensor
  /** Draws one input for each of `count` conditions. */
  sample(params: VaeParams, condition: tf.Tensor | null, count: number): tf.Tensor
}

/** Least log σ²: an input that never varies would drive it to −∞. */
const LEAST = -8

/**
 * Makes a variational autoencoder of two MLPs: q(z | x, c) and p(x | z, c), with z standard normal. The bound is
 * E[−log p(x | z, c)] + KL(q ‖ N(0, I)), its expectation taken at one draw z = μ + σ ε.
 *
 * References: Kingma and Welling 2014; Sohn et al. 2015 (conditions).
 */
export function vaeNet({ width, classes, hidden, latent, likelihood }: VaeShape): VaeNet {
  const encoder: Net<DenseParams[]> = mlp({ sizes: [width + classes, ...hidden, 2 * latent] })
  const decoder: Net<DenseParams[]> = mlp({ sizes: [latent + classes, ...[...hidden].reverse(), width] })
  const beside = (x: tf.Tensor, condition: tf.Tensor | null): tf.Tensor =>
    condition ? tf.concat([x, condition], 1) : x
  const spreadOf = (params: VaeParams): tf.Tensor => tf.maximum(params.spread, LEAST)
  return {
    init: (rng) => ({
      encoder: encoder.init(rng.split('encoder')),
      decoder: decoder.init(rng.split('decoder')),
      spread: initialize('zeros', [width], createRng(0)) as TensorLeaf,
    }),
    loss(params, x, condition, weights) {
      const coded = encoder.apply(params.encoder as DenseParams[], beside(x, condition))
      const [mean, logVariance] = tf.split(coded, 2, 1) as [tf.Tensor, tf.Tensor]
      const noise = random.normal([x.shape[0]!, latent])
      const z = tf.add(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), noise))
      const made = decoder.apply(params.decoder as DenseParams[], beside(z, condition))
      let missed: tf.Tensor
      if (likelihood === 'bernoulli') missed = tf.sum(tf.sub(tf.softplus(made), tf.mul(made, x)), 1)
      else {
        const spread = spreadOf(params)
        const squared = tf.mul(tf.square(tf.sub(x, made)), tf.exp(tf.neg(spread)))
        missed = tf.sum(tf.mul(tf.add(tf.add(squared, spread), Math.log(2 * Math.PI)), 0.5), 1)
      }
      const gain = tf.sub(tf.add(tf.square(mean), tf.exp(logVariance)), tf.add(logVariance, 1))
      const bound = tf.add(missed, tf.mul(tf.sum(gain, 1), 0.5))
      return tf.div(tf.sum(tf.mul(bound, weights)), tf.mul(tf.maximum(tf.sum(weights), 1e-12), width))
    },
    sample(params, condition, count) {
      const z = random.normal([count, latent])
      const made = decoder.apply(params.decoder as DenseParams[], beside(z, condition))
      if (likelihood === 'bernoulli') return tf.sigmoid(made)
      return tf.add(made, tf.mul(tf.exp(tf.mul(spreadOf(params), 0.5)), random.normal([count, width])))
    },
  }
}
