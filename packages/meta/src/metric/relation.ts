import { check } from '@regimen/core'
import { meanSquaredError, type TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { MetaLearner, MetaNet, TaskLoss, Weights } from '../learner.ts'
import {
  applyNet,
  awayFrom,
  type ClassMeans,
  checkChoice,
  checkSizes,
  classMeans,
  defineMetric,
  type MetricPass,
  membersOf,
  mergeMeans,
} from './metric.ts'

/** How two embeddings are laid before the relation net: side by side, as |a − b|, or as a ∘ b. */
export type RelationFeature = 'concat' | 'difference' | 'product'

/** One depth at which samples are compared. */
export interface RelationScale {
  /** Embeds samples, or carries the embedding of the scale before further: [n, …, channels]. */
  net: MetaNet
  /** Reads a pair whose last axis holds the chosen features, and gives one number. */
  relation: MetaNet
}

/** Options of {@link relation}. */
export interface RelationOptions {
  /** Depths at which samples are compared, the shallowest first; their scores add up. */
  scales: readonly RelationScale[]
  /** Classes of a task, ≥ 2; labels are 0 … ways − 1. */
  ways: number
  /**
   * What the relation nets see of a pair, joined along the last axis in this order: `concat` is two embeddings long, class
   * first, the others one. @default ['concat']
   */
  features?: readonly RelationFeature[]
  /** Squared error of the scores against 1 for the right class and 0 for the others, or cross-entropy over classes. @default 'mse' */
  loss?: 'mse' | 'crossEntropy'
  /**
   * Embeds descriptions of classes to the form that the scale's net gives: then supports are descriptions, and the only scale
   * compares samples with them. @default none
   */
  describe?: MetaNet
}

interface RelationParams {
  readonly scales: readonly { readonly net: TensorTree; readonly relation: TensorTree }[]
  readonly describe: TensorTree
}

/** What a task owns: class means at each scale. */
type Relations = { readonly centres: readonly tf.Tensor[]; readonly counts: tf.Tensor }

const read = (params: TensorTree): RelationParams => params as unknown as RelationParams

/**
 * Makes relation nets: whether a sample belongs to a class is judged by a net of its own, r = σ(Σ g(C(p, f(x)))) over the scales,
 * with p the mean of the class's embeddings and C how the pair is laid side by side. Answers are the logits of r.
 *
 * Learns what likeness means where {@link prototypical} has a distance, at one pass of g for each pair: take it where classes
 * differ by more than position in a space, and `prototypical` where training tasks are few. The mean serves any number of shots (the
 * paper sums, the same for one shot). Embeddings may be maps, [n, height, width, channels], which g then reads by
 * convolutions. For domains that training has not seen put {@link featureWise} into the embedding.
 *
 * ```ts
 * import '@tensorflow/tfjs'
 * import { createRng } from '@regimen/core'
 * import { adapt, relation } from '@regimen/meta'
 * import { dense, mlp } from '@regimen/tensor'
 *
 * const learner = relation({
 *   ways: 2,
 *   scales: [
 *     { net: dense({ inputs: 3, outputs: 8, activation: 'relu' }), relation: mlp({ sizes: [24, 8, 1] }) },
 *     { net: dense({ inputs: 8, outputs: 4, activation: 'relu' }), relation: mlp({ sizes: [12, 8, 1] }) },
 *   ],
 *   features: ['concat', 'difference'],
 * })
 * const x = { dtype: 'float32' as const, shape: [2, 3], data: new Float32Array([0, 1, 2, 2, 1, 0]) }
 * const y = { dtype: 'int32' as const, shape: [2], data: new Int32Array([0, 1]) }
 * const adapted = await adapt({ learner, params: learner.init(createRng(1)) }, { x, y })
 * const scores = await adapted.predict(x)
 * scores.shape // => [2, 2]
 * ```
 *
 * Reference: Sung, Yang, Zhang, Xiang, Torr and Hospedales 2018; descriptions in its section 3.4.
 */
export function relation(options: RelationOptions): MetaLearner {
  const where = 'meta/relation'
  const { scales, ways, features = ['concat'], loss = 'mse', describe } = options
  checkSizes(where, { ways })
  check(scales.length > 0, where, () => 'the list of scales is empty.', 'Pass at least { net, relation }.')
  check(features.length > 0, where, () => 'the list of features is empty.', "Pass ['concat'], for example.")
  for (const feature of features) checkChoice(where, 'features', feature, ['concat', 'difference', 'product'])
  checkChoice(where, 'loss', loss, ['mse', 'crossEntropy'])
  check(
    !describe || scales.length === 1,
    where,
    () => `descriptions are compared at one scale, got ${scales.length}.`,
    'Pass one scale, or samples as support.',
  )
  return defineMetric<readonly tf.Tensor[]>({
    id: where,
    ways,
    config: { ways, scales: scales.length, features: features.join(','), loss, described: describe !== undefined },
    ...(loss === 'mse' ? { loss: squaredScores } : {}),
    init: (rng) => ({
      scales: scales.map((scale, i) => ({
        net: scale.net.init(rng.split(`net${i}`)) as Weights,
        relation: scale.relation.init(rng.split(`relation${i}`)) as Weights,
      })),
      ...(describe ? { describe: describe.init(rng.split('describe')) as Weights } : {}),
    }),
    embed(params, x, pass) {
      const out: tf.Tensor[] = []
      for (const [i, { net }] of scales.entries())
        out.push(applyNet(net, read(params).scales[i]!.net, out[i - 1] ?? x, pass))
      return out
    },
    describe: describe && ((params, x, pass) => [applyNet(describe, read(params).describe, x, pass)]),
    own(_, z, set): Relations {
      const members = membersOf(set, ways)
      const means = z.map((one) => classMeans(one, members))
      return { centres: means.map(({ centres }) => centres), counts: means[0]!.counts }
    },
    score(params, own, z, pass) {
      const { centres, counts } = own as Relations
      const scores = scales.map((scale, i) =>
        relate(scale.relation, read(params).scales[i]!.relation, pairs(centres[i]!, z[i]!, features, pass), pass),
      )
      const away = awayFrom(counts)
      return tf.add(
        scores.reduce((a, b) => tf.add(a, b)),
        pass.tasks ? tf.expandDims(away, 1) : away,
      )
    },
    merge(old, fresh, keep): Relations {
      const [before, after] = [old as Relations, fresh as Relations]
      const merged = before.centres.map(
        (centres, i): ClassMeans =>
          mergeMeans({ centres, counts: before.counts }, { centres: after.centres[i]!, counts: after.counts }, keep),
      )
      return { centres: merged.map(({ centres }) => centres), counts: merged[0]!.counts }
    },
  })

  function relate(net: MetaNet, params: TensorTree, pair: tf.Tensor, pass: MetricPass): tf.Tensor {
    const lead = pass.tasks ? 1 : 0
    const [queries, classes] = pair.shape.slice(lead, lead + 2) as [number, number]
    const head = pair.shape.slice(0, lead)
    const batch = tf.reshape(pair, [...head, queries * classes, ...pair.shape.slice(lead + 2)])
    const score = applyNet(net, params, batch, pass)
    check(
      score.size === batch.shape.slice(0, lead + 1).reduce((a, b) => a * b, 1),
      where,
      () => `a relation net must give one number a pair, got shape [${score.shape.join(', ')}].`,
    )
    return tf.reshape(score, [...head, queries, classes])
  }
}

/** Every query with every class, [n, ways, …, features]. */
function pairs(
  centres: tf.Tensor,
  z: tf.Tensor,
  features: readonly RelationFeature[],
  { tasks }: MetricPass,
): tf.Tensor {
  const lead = tasks ? 1 : 0
  const shape = [...z.shape.slice(0, lead + 1), centres.shape[lead]!, ...z.shape.slice(lead + 1)]
  const [sample, centre] = [tf.expandDims(z, lead + 1), tf.expandDims(centres, lead)]
  const parts = features.flatMap((feature): tf.Tensor[] => {
    if (feature === 'difference') return [tf.abs(tf.sub(centre, sample))]
    if (feature === 'product') return [tf.mul(centre, sample)]
    // Adding zeros: the gradient of a broadcast slices one copy at a time.
    const zeros = tf.zeros(shape)
    return [tf.add(centre, zeros), tf.add(sample, zeros)]
  })
  return parts.length === 1 ? parts[0]! : tf.concat(parts, shape.length - 1)
}

const squaredScores: TaskLoss = (logits, labels, options) => {
  const wanted = tf.oneHot(tf.cast(labels, 'int32'), logits.shape.at(-1)!)
  return meanSquaredError(tf.sigmoid(logits), tf.cast(wanted, 'float32'), options)
}
