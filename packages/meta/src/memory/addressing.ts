import * as tf from '@tensorflow/tfjs-core'

/**
 * Cosine between keys [n, H, M] and memory rows [n, N, M]: [n, H, N]. Short rows count less, k·m / √(|k|² |m|² + 10⁻⁶), so that an
 * empty memory gives no steep gradients.
 */
export function similarity(keys: tf.Tensor, memory: tf.Tensor): tf.Tensor {
  const dots = tf.matMul(keys, memory, false, true)
  const lengths = tf.mul(tf.sum(tf.square(keys), 2, true), tf.expandDims(tf.sum(tf.square(memory), 2), 1))
  return tf.mul(dots, tf.rsqrt(tf.add(lengths, 1e-6)))
}

/** How heads address the memory, each [n, H, …]. */
export interface Address {
  /** [n, H, M] */
  readonly key: tf.Tensor
  /** Sharpness of the comparison with the key, ≥ 0, [n, H, 1]. */
  readonly strength: tf.Tensor
  /** Share of the content's weighting, 0 to 1; the rest is the weighting of the step before, [n, H, 1]. */
  readonly gate: tf.Tensor
  /** Distribution over the shifts −s … s, [n, H, 2 s + 1]. */
  readonly shift: tf.Tensor
  /** Exponent that sharpens after the shift, ≥ 1, [n, H, 1]. */
  readonly sharpen: tf.Tensor
}

/**
 * Weightings over memory rows, [n, H, N], from those of the step before (Graves et al. 2014, equations 5 to 9):
 *
 *     c ← softmax(β cos(k, M))   w ← g c + (1 − g) w   w ← Σ_j s_j roll(w, j)   w ← w^γ / Σ w^γ
 *
 * `rolls` is {@link rollMatrix}.
 */
export function address(memory: tf.Tensor, before: tf.Tensor, at: Address, rolls: tf.Tensor): tf.Tensor {
  const content = tf.softmax(tf.mul(similarity(at.key, memory), at.strength))
  const mixed = tf.add(before, tf.mul(at.gate, tf.sub(content, before)))
  const [n, heads, slots] = mixed.shape as [number, number, number]
  const shifts = rolls.shape[1]! / slots
  const rolled = tf.reshape(tf.matMul(tf.reshape(mixed, [n * heads, slots]), rolls), [n * heads, shifts, slots])
  const shifted = tf.reshape(tf.matMul(tf.reshape(at.shift, [n * heads, 1, shifts]), rolled), mixed.shape)
  // w^γ / Σ w^γ; the small number keeps the logarithm of an empty row finite.
  return tf.softmax(tf.mul(at.sharpen, tf.log(tf.add(shifted, 1e-16))))
}

/** [N, shifts · N]: a weighting times this is the weighting moved by −reach … reach rows, one after the other, around the end. */
export function rollMatrix(slots: number, reach: number): tf.Tensor2D {
  const shifts = 2 * reach + 1
  const data = new Float32Array(slots * shifts * slots)
  for (let i = 0; i < slots; i++) {
    for (let j = 0; j < shifts; j++) data[i * shifts * slots + j * slots + ((i + j - reach + slots) % slots)] = 1
  }
  return tf.tensor2d(data, [slots, shifts * slots])
}
