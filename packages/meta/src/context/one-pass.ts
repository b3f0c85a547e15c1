import type { Rng } from '@regimen/core'
import { flattenTree, type TensorTree, valueAndGradient } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { lossOptions } from '../gradient/inner-loop.ts'
import type { MetaLearner, SetTensors, Weights } from '../learner.ts'
import { moveStatistics, readChanges, type StatisticUpdates } from '../statistics.ts'
import { type Answers, withTaskAxis } from './sets.ts'

/** How one pass is to go. */
export interface ReadPass {
  /** Absent outside of training: takes how running statistics would move. */
  readonly updates?: StatisticUpdates
}

/** A learner that reads the support once and needs no gradient to adapt. Everything it handles has the task axis. */
export interface OnePass {
  readonly id: string
  readonly answers: Answers
  readonly config: MetaLearner['config']
  init(rng: Rng): Weights
  /** What a task owns after its support was read. */
  read(params: TensorTree, support: SetTensors, pass: ReadPass): TensorTree
  /** Predictions for inputs [T, m, …]. */
  answer(params: TensorTree, own: TensorTree, x: tf.Tensor, pass: ReadPass): tf.Tensor
  /** Takes more samples in; `keep` is the share of weight that earlier ones retain. */
  absorb?(params: TensorTree, own: TensorTree, set: SetTensors, keep: tf.Tensor): TensorTree
}

/** Makes a {@link MetaLearner} of a reader: the meta-gradient is that of the query loss after one pass over the support. */
export function onePass(reader: OnePass): MetaLearner {
  const { id, answers, config } = reader
  const { ways, loss } = answers
  return {
    id,
    ...(ways === undefined ? {} : { ways }),
    config: { ...config, ...(ways === undefined ? { targets: answers.told } : { ways }) },
    steps: 1,
    innerRate: 1,
    loss,
    init: (rng) => reader.init(rng),
    controls: () => ({ stepWeights: new Float32Array([1]), secondOrder: true }),
    metaGradient(params, { support, query }) {
      const { value, gradient, aux } = valueAndGradient((tree: TensorTree) => {
        const updates: StatisticUpdates = []
        const own = reader.read(tree, support, { updates })
        const judged = loss(reader.answer(tree, own, query.x, { updates }), query.y, lossOptions(query, false))
        const { leaves } = flattenTree<tf.Tensor>(tree)
        return [judged, moveStatistics(tree, readChanges(leaves, leaves, updates))] as const
      }, params)
      return { loss: value, gradient, bounded: tf.scalar(0), statistics: aux }
    },
    adapt(params, support, { tasks }) {
      const own = reader.read(params, withTaskAxis(support, tasks !== undefined), {})
      return { path: [own, own], bounded: tf.scalar(0) }
    },
    predict(params, own, x, { tasks }) {
      if (tasks) return reader.answer(params, own, x, {})
      return tf.squeeze(reader.answer(params, own, tf.expandDims(x, 0), {}), [0])
    },
    ...(reader.absorb
      ? {
          absorb: (params: TensorTree, own: TensorTree, set: SetTensors, keep: tf.Tensor) =>
            reader.absorb!(params, own, withTaskAxis(set, false), keep),
        }
      : {}),
  }
}
