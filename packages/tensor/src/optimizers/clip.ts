import { check, describe } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { flattenTree, mapTree } from '../tree.ts'

/**
 * Scales a tree of gradients down so that its global norm is at most `limit`, leaving smaller ones as they are. The factor
 * is limit / √max(Σ g², limit²): no root of zero, so it can be differentiated at zero gradients.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { clipByGlobalNorm } from '@regimen/tensor'
 *
 * const clipped = clipByGlobalNorm({ a: tf.scalar(3), b: tf.scalar(4) }, 1)
 * clipped.a.dataSync()[0] // ≈ 0.6
 * ```
 */
export function clipByGlobalNorm<P>(gradients: P, limit: number): P {
  check(limit > 0, 'tensor/clip', () => `limit must be > 0, got ${describe(limit)}.`)
  const factor = tf.div(limit, tf.sqrt(tf.maximum(squaredNorm(gradients), limit * limit)))
  return mapTree((leaf: tf.Tensor) => tf.mul(leaf, factor), gradients)
}

/**
 * Computes the norm of all leaves taken together, √Σ g². Its derivative at zero is zero, not NaN.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { globalNorm } from '@regimen/tensor'
 *
 * globalNorm({ a: tf.scalar(3), b: tf.tensor1d([4]) }).dataSync()[0] // => 5
 * ```
 */
export function globalNorm(tree: unknown): tf.Tensor {
  const squared = squaredNorm(tree)
  const positive = tf.greater(squared, 0)
  const inside = tf.where(positive, squared, tf.onesLike(squared))
  return tf.where(positive, tf.sqrt(inside), tf.zerosLike(squared))
}

function squaredNorm(tree: unknown): tf.Tensor {
  const { leaves } = flattenTree<tf.Tensor>(tree)
  check(leaves.length > 0, 'tensor/clip', () => `the tree holds no tensors, got ${describe(tree)}.`)
  return leaves.map((leaf) => tf.sum(tf.square(leaf))).reduce((a, b) => tf.add(a, b))
}
