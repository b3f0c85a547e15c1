import { check, describe } from '@regimen/core'
import { logSumExp, type TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { MetaLearner, MetaNet, Weights } from '../learner.ts'
import { asContext, embedQuery, embedSupport, initContext, logWeights } from './full-context.ts'
import { applyEmbedding, checkChoice, checkSizes, defineMetric, membersOf, toUnit } from './metric.ts'

/** Options of {@link matching}. */
export interface MatchingOptions {
  /** Embeds a sample as a vector. */
  net: MetaNet
  /** Classes of a task, ≥ 2; labels are 0 … ways − 1. */
  ways: number
  /** Length of the net's output, ≥ 1. */
  embedding: number
  /** Likeness of two embeddings: scale · cosine, or minus the squared Euclidean distance. @default 'cosine' */
  metric?: 'cosine' | 'euclidean'
  /**
   * Factor on the cosine, > 0. The paper has 1, with which a sample of five classes is at best 65 % sure of its own.
   * @default 10
   */
  scale?: number
  /**
   * `full` embeds the support by a bidirectional LSTM over its samples and the query by an LSTM that attends to them; `none` embeds
   * each sample alone. @default 'none'
   */
  context?: 'none' | 'full'
  /** Steps of the attending LSTM, ≥ 1. @default 5 */
  processing?: number
}

interface MatchingParams {
  readonly net: TensorTree
  readonly context: TensorTree
}

/** What a task owns: its embedded support, [n, d], and the log weight of each sample in its class, [n, ways]. */
type Memory = { readonly keys: tf.Tensor; readonly members: tf.Tensor }

const read = (params: TensorTree): MatchingParams => params as unknown as MatchingParams

/**
 * Makes matching nets: a sample is answered by the labels of the support, each with the attention that its likeness earns,
 * P(y | x) = Σᵢ a(x, xᵢ) [yᵢ = y], a = softmax over i of c(f(x), g(xᵢ)). Answers are log P up to a constant.
 *
 * Keeps every support sample, so a class may have several faces, where {@link prototypical} keeps one mean: take it for classes of
 * many shapes, and `prototypical` where samples scatter about one. A sample of weight w counts as w samples. With
 * `context: 'full'` samples know of each other; the answer then depends on the order of the support, and graphs grow with its
 * size (in compile time and by about 30 nodes a sample).
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { adapt, matching } from '@regimen/meta'
 * import { createRng } from '@regimen/core'
 * import { mlp } from '@regimen/tensor'
 *
 * const learner = matching({ net: mlp({ sizes: [2, 8, 4] }), ways: 2, embedding: 4, metric: 'euclidean' })
 * const x = { dtype: 'float32' as const, shape: [3, 2], data: new Float32Array([0, 1, 0, 2, 5, 0]) }
 * const y = { dtype: 'int32' as const, shape: [3], data: new Int32Array([0, 0, 1]) }
 * const adapted = await adapt({ learner, params: learner.init(createRng(1)) }, { x, y })
 * const { data } = await adapted.predict(x)
 * data[4]! < data[5]! // => true
 * ```
 *
 * Reference: Vinyals, Blundell, Lillicrap, Kavukcuoglu and Wierstra 2016; full context in its appendix A.
 */
export function matching(options: MatchingOptions): MetaLearner {
  const where = 'meta/matching'
  const { net, ways, embedding, metric = 'cosine', scale = 10, context = 'none', processing = 5 } = options
  checkSizes(where, { ways, embedding, processing })
  checkChoice(where, 'metric', metric, ['cosine', 'euclidean'])
  checkChoice(where, 'context', context, ['none', 'full'])
  check(scale > 0 && Number.isFinite(scale), where, () => `scale must be finite and above 0, got ${describe(scale)}.`)
  const full = context === 'full'
  return defineMetric<tf.Tensor>({
    id: where,
    ways,
    config: {
      ways,
      embedding,
      metric,
      ...(metric === 'cosine' ? { scale } : {}),
      context,
      ...(full ? { processing } : {}),
    },
    init: (rng) => ({
      net: net.init(rng) as Weights,
      ...(full ? { context: initContext(embedding, rng.split('context')) } : {}),
    }),
    embed: (params, x, pass) => applyEmbedding(where, options, read(params).net, x, pass),
    own(params, z, set) {
      const weights = membersOf(set, ways)
      const members = logWeights(weights)
      if (!full) return { keys: z, members }
      const present = tf.cast(tf.greater(tf.sum(weights, -1), 0), 'float32')
      return {
        keys: withTasks(z, (batch) => embedSupport(asContext(read(params).context), batch, tasked(present, z))),
        members,
      }
    },
    score(params, own, z) {
      const { keys, members } = own as Memory
      const query = full
        ? withTasks(z, (batch) =>
            embedQuery(asContext(read(params).context), batch, {
              keys: tasked(keys, z),
              logWeights: tasked(tf.max(members, -1), z),
              steps: processing,
            }),
          )
        : z
      // log Σ of weight · exp(likeness) over the samples of a class: softmax over the classes makes it the attention's sum.
      const axis = members.rank - 2
      const byClass = tf.expandDims(tf.transpose(members, axis === 1 ? [0, 2, 1] : [1, 0]), axis)
      return logSumExp(tf.add(tf.expandDims(likeness(query, keys), -2), byClass))
    },
  })

  function likeness(query: tf.Tensor, keys: tf.Tensor): tf.Tensor {
    if (metric === 'cosine') return tf.mul(tf.matMul(toUnit(query), toUnit(keys), false, true), scale)
    // |f|² is the same for all samples of the support.
    const square = tf.sum(tf.square(keys), -1)
    const cross = tf.mul(tf.matMul(query, keys, false, true), 2)
    return tf.sub(cross, keys.rank === 3 ? tf.expandDims(square, 1) : square)
  }
}

/** Gives a single task an axis for the time of a function of batches. */
function withTasks(z: tf.Tensor, fn: (batch: tf.Tensor) => tf.Tensor): tf.Tensor {
  return z.rank === 3 ? fn(z) : tf.squeeze(fn(tf.expandDims(z, 0)), [0])
}

const tasked = (one: tf.Tensor, z: tf.Tensor): tf.Tensor => (z.rank === 3 ? one : tf.expandDims(one, 0))
