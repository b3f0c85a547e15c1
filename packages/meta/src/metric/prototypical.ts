import type { TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { MetaLearner, MetaNet, Weights } from '../learner.ts'
import {
  applyEmbedding,
  type ClassMeans,
  checkChoice,
  checkSizes,
  classMeans,
  defineMetric,
  membersOf,
  mergeMeans,
  nearness,
} from './metric.ts'

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
  readonly metric: tf.Tensor | undefined
}

const read = (params: TensorTree): PrototypicalParams => {
  const { net, metric } = params as { readonly net: TensorTree; readonly metric: tf.Tensor }
  return { net, metric }
}

/**
 * Makes prototypical nets: a class is the mean of its support embeddings, and a sample belongs to the nearest,
 * P(class) ∝ exp(−d(z, prototype)). Adaptation is one pass without gradients, so it cannot diverge, and the prototypes can
 * go on moving as labels arrive (`adapted.observe`); a class that had no support cannot be the answer until its first label.
 * First choice for few-shot classification; for regression or where the boundary between classes matters take {@link maml}.
 *
 * ```ts
 * import { prototypical } from '@regimen/meta'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = prototypical({ net: mlp({ sizes: [64, 32, 8] }), ways: 5, embedding: 8, metric: 'mahalanobis' })
 * learner.steps // => 1
 * ```
 *
 * Reference: Snell, Swersky and Zemel 2017.
 */
export function prototypical(options: PrototypicalOptions): MetaLearner {
  const where = 'meta/prototypical'
  const { net, ways, embedding, metric = 'euclidean' } = options
  checkSizes(where, { ways, embedding })
  checkChoice(where, 'metric', metric, ['euclidean', 'mahalanobis'])
  return defineMetric<tf.Tensor>({
    id: where,
    ways,
    config: { ways, embedding, metric },
    init(rng): Weights {
      const params = net.init(rng) as Weights
      if (metric === 'euclidean') return { net: params }
      const data = new Float32Array(embedding * embedding)
      for (let i = 0; i < embedding; i++) data[i * embedding + i] = 1
      return { net: params, metric: { dtype: 'float32', shape: [embedding, embedding], data } }
    },
    embed(params, x, pass) {
      const { net: body, metric: stretch } = read(params)
      const z = applyEmbedding(where, options, body, x, pass)
      return stretch ? tf.reshape(tf.matMul(tf.reshape(z, [-1, embedding]), stretch), z.shape) : z
    },
    own: (_, z, set) => classMeans(z, membersOf(set, ways)),
    score: (_, own, z) => nearness(z, own as ClassMeans),
    merge: (old, fresh, keep) => mergeMeans(old as ClassMeans, fresh as ClassMeans, keep),
  })
}
