import * as tf from '@tensorflow/tfjs-core'

/** Names of the activations that the nets take. */
export type ActivationName =
  | 'linear'
  | 'relu'
  | 'tanh'
  | 'sigmoid'
  | 'elu'
  | 'selu'
  | 'gelu'
  | 'silu'
  | 'softplus'
  | 'softmax'

const table: { readonly [K in ActivationName]: (x: tf.Tensor) => tf.Tensor } = {
  linear: (x) => x,
  relu: (x) => tf.relu(x),
  tanh: (x) => tf.tanh(x),
  sigmoid: (x) => tf.sigmoid(x),
  elu: (x) => tf.elu(x),
  selu: (x) => tf.selu(x),
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  softplus: (x) => tf.softplus(x),
  softmax: (x) => tf.softmax(x),
}

/**
 * Applies an activation by name. `gelu` is the exact one, x Φ(x), not its tanh approximation; `silu` is x σ(x).
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { activate } from '@regimen/tensor'
 *
 * activate('gelu', tf.scalar(1)).dataSync()[0] // ≈ 0.8413447
 * ```
 */
export function activate(name: ActivationName, x: tf.Tensor): tf.Tensor {
  return table[name](x)
}
