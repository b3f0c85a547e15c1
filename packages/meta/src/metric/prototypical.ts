import { check, describe } from '@regimen/core'
import { softmaxCrossEntropy, type TensorTree, valueAndGradient } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { lossOptions } from '../gradient/inner-loop.ts'
import type { MetaLearner, MetaNet, SetTensors, Weights } from '../learner.ts'

/** Options of {@link prototypical}. */
export interface PrototypicalOptions {
  /** Embeds a sample as a vector. */
  net: MetaNet
  /** Classes of a task, ≥ 2; labels are 0 … ways − 1. */
  ways: number
  /** Length of the net's output, ≥ 1. */
  embedding: number
  /**
   * Distance between embeddings: squared Euclidean, or |A (z − p)|² with a learned square matrix A, which starts as the
   * identity. @default 'euclidean'
   */
  metric?: 'euclidean' | 'mahalanobis'
}

interface PrototypicalParams {
  readonly net: TensorTree
  readonly metric?: tf.Tensor
}

/**
 * Makes prototypical nets: a class is the mean of its support embeddings, and a sample belongs to the nearest,
 * P(class) ∝ exp(−d(z, prototype)). Adaptation is one pass without gradients, so it cannot diverge, and the prototypes can
 * go on moving as labels arrive (`adapted.observe`). First choice for few-shot classification; for regression or where the
 * boundary between classes matters take {@link maml}.
 *
 * ```ts
 * import { prototypical } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = prototypical({ net: mlp({ sizes: [32, 32, 8] }), ways: 5, embedding: 8, metric: 'mahalanobis' })
 * learner.steps // => 1
 * ```
 *
 * Reference: Snell, Swersky and Zemel 2017.
 */
export function prototypical(options: PrototypicalOptions): MetaLearner {
  const where = 'meta/prototypical'
  const { net, ways, embedding, metric = 'euclidean' } = options
  check(Number.isInteger(ways) && ways >= 2, where, () => `ways must be an integer ≥ 2, got ${describe(ways)}.`)
  check(
    Number.isInteger(embedding) && embedding >= 1,
    where,
    () => `embedding must be an integer ≥ 1, got ${describe(embedding)}.`,
  )
  check(
    metric === 'euclidean' || metric === 'mahalanobis',
    where,
    () => `metric must be "euclidean" or "mahalanobis", got ${describe(metric)}.`,
  )
  const read = (params: TensorTree): PrototypicalParams => params as unknown as PrototypicalParams
  const embed = (params: PrototypicalParams, x: tf.Tensor, tasks: boolean, training: boolean): tf.Tensor => {
    const z = net.apply(params.net, x, { tasks, training })
    check(z.shape.at(-1) === embedding, where, () => `the net gives ${z.shape.at(-1)} numbers, not ${embedding}.`)
    if (!params.metric) return z
    return tf.reshape(tf.matMul(tf.reshape(z, [-1, embedding]), params.metric), z.shape)
  }
  const prototypes = (
    params: PrototypicalParams,
    set: SetTensors,
    tasks: boolean,
    training: boolean,
  ): { centres: tf.Tensor; counts: tf.Tensor } => {
    const z = embed(params, set.x, tasks, training)
    const hot = tf.cast(tf.oneHot(tf.cast(set.y, 'int32'), ways), 'float32')
    const members = set.weights ? tf.mul(hot, tf.expandDims(set.weights, -1)) : hot
    const counts = tf.sum(members, tasks ? 1 : 0)
    const total = tf.matMul(members, z, true)
    return { centres: tf.div(total, tf.expandDims(tf.maximum(counts, 1e-12), -1)), counts }
  }
  const logits = (z: tf.Tensor, centres: tf.Tensor): tf.Tensor => {
    // −|z − p|² = 2 z·p − |p|² − |z|², and |z|² is the same for all classes.
    const cross = tf.matMul(z, centres, false, true)
    const square = tf.sum(tf.square(centres), -1)
    return tf.sub(tf.mul(cross, 2), centres.rank === 3 ? tf.expandDims(square, 1) : square)
  }
  return {
    id: where,
    config: { ways, embedding, metric },
    steps: 1,
    innerRate: 1,
    loss: softmaxCrossEntropy,
    init(rng): Weights {
      const params = net.init(rng) as Weights
      if (metric === 'euclidean') return { net: params }
      const data = new Float32Array(embedding * embedding)
      for (let i = 0; i < embedding; i++) data[i * embedding + i] = 1
      return { net: params, metric: { dtype: 'float32', shape: [embedding, embedding], data } }
    },
    controls: () => ({ stepWeights: new Float32Array([1]), secondOrder: true }),
    metaGradient(params, { support, query }) {
      const { value, gradient } = valueAndGradient((tree: TensorTree) => {
        const p = read(tree)
        const { centres } = prototypes(p, support, true, true)
        return softmaxCrossEntropy(logits(embed(p, query.x, true, true), centres), query.y, lossOptions(query, false))
      }, params)
      return { loss: value, gradient, bounded: tf.scalar(0) }
    },
    adapt(params, support, { tasks }) {
      const own = prototypes(read(params), support, tasks !== undefined, false)
      return { path: [own, own], bounded: tf.scalar(0) }
    },
    absorb(params, own, set, keep) {
      const old = own as unknown as { centres: tf.Tensor; counts: tf.Tensor }
      const fresh = prototypes(read(params), set, false, false)
      const kept = tf.mul(old.counts, keep)
      const counts = tf.add(kept, fresh.counts)
      const total = tf.add(
        tf.mul(old.centres, tf.expandDims(kept, -1)),
        tf.mul(fresh.centres, tf.expandDims(fresh.counts, -1)),
      )
      return { centres: tf.div(total, tf.expandDims(tf.maximum(counts, 1e-12), -1)), counts }
    },
    predict: (params, own, x, tasks) =>
      logits(embed(read(params), x, tasks, false), (own as unknown as { centres: tf.Tensor }).centres),
  }
}
