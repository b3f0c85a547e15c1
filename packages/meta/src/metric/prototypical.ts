import { check, describe } from '@regimen/core'
import { flattenTree, softmaxCrossEntropy, type TensorTree, valueAndGradient } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { lossOptions } from '../gradient/inner-loop.ts'
import type { MetaLearner, MetaNet, SetTensors, Weights } from '../learner.ts'
import { moveStatistics, readChanges, type StatisticChange, type StatisticUpdates } from '../statistics.ts'

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

/** Squared distance of a class that has no samples. */
const UNKNOWN = 1e9

/** What a task owns. */
type Prototypes = { readonly centres: tf.Tensor; readonly counts: tf.Tensor }

const read = (params: TensorTree): PrototypicalParams => {
  const { net, metric } = params as { readonly net: TensorTree; readonly metric: tf.Tensor }
  return { net, metric }
}

interface Pass {
  readonly tasks: boolean
  /** Absent outside of training: takes how running statistics would move. */
  readonly changes?: StatisticChange[]
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
  const embed = (params: PrototypicalParams, x: tf.Tensor, { tasks, changes }: Pass): tf.Tensor => {
    const updates: StatisticUpdates = []
    const z = net.apply(params.net, x, { tasks, training: changes !== undefined, updates })
    check(z.shape.at(-1) === embedding, where, () => `the net gives ${z.shape.at(-1)} numbers, not ${embedding}.`)
    const { leaves } = flattenTree<tf.Tensor>(params.net)
    changes?.push(...readChanges(leaves, leaves, updates))
    if (!params.metric) return z
    return tf.reshape(tf.matMul(tf.reshape(z, [-1, embedding]), params.metric), z.shape)
  }
  const prototypes = (params: PrototypicalParams, set: SetTensors, pass: Pass): Prototypes => {
    const z = embed(params, set.x, pass)
    const hot = tf.cast(tf.oneHot(tf.cast(set.y, 'int32'), ways), 'float32')
    const members = set.weights ? tf.mul(hot, tf.expandDims(set.weights, -1)) : hot
    const counts = tf.sum(members, pass.tasks ? 1 : 0)
    const total = tf.matMul(members, z, true)
    return { centres: tf.div(total, tf.expandDims(tf.maximum(counts, 1e-12), -1)), counts }
  }
  const logits = (z: tf.Tensor, { centres, counts }: Prototypes): tf.Tensor => {
    // −|z − p|² = 2 z·p − |p|² − |z|², and |z|² is the same for all classes.
    const cross = tf.matMul(z, centres, false, true)
    const square = tf.sum(tf.square(centres), -1)
    // A class without support lies nowhere, not at the origin.
    const away = tf.add(square, tf.mul(tf.cast(tf.lessEqual(counts, 0), 'float32'), UNKNOWN))
    return tf.sub(tf.mul(cross, 2), centres.rank === 3 ? tf.expandDims(away, 1) : away)
  }
  return {
    id: where,
    ways,
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
      const { value, gradient, aux } = valueAndGradient((tree: TensorTree) => {
        const p = read(tree)
        const pass = { tasks: true, changes: [] as StatisticChange[] }
        const own = prototypes(p, support, pass)
        const scores = logits(embed(p, query.x, pass), own)
        const loss = softmaxCrossEntropy(scores, query.y, lossOptions(query, false))
        return [loss, moveStatistics(p.net, pass.changes, 'net')] as const
      }, params)
      return { loss: value, gradient, bounded: tf.scalar(0), statistics: aux }
    },
    adapt(params, support, { tasks }) {
      const own = prototypes(read(params), support, { tasks: tasks !== undefined })
      return { path: [own, own], bounded: tf.scalar(0) }
    },
    absorb(params, own, set, keep) {
      const old = own as Prototypes
      const fresh = prototypes(read(params), set, { tasks: false })
      const kept = tf.mul(old.counts, keep)
      const counts = tf.add(kept, fresh.counts)
      const total = tf.add(
        tf.mul(old.centres, tf.expandDims(kept, -1)),
        tf.mul(fresh.centres, tf.expandDims(fresh.counts, -1)),
      )
      return { centres: tf.div(total, tf.expandDims(tf.maximum(counts, 1e-12), -1)), counts }
    },
    predict: (params, own, x, { tasks }) => logits(embed(read(params), x, { tasks }), own as Prototypes),
  }
}
