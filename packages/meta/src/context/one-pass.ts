import type { Rng } from '@regimen/core'
import type { TensorTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import type { MetaLearner, SetTensors, Weights } from '../learner.ts'
import { onePassGradient } from '../one-pass-gradient.ts'
import type { StatisticUpdates } from '../statistics.ts'
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
    metaGradient: (params, { support, query }) =>
      onePassGradient(params, query, loss, (tree, updates) => {
        const own = reader.read(tree, support, { updates })
        return reader.answer(tree, own, query.x, { updates })
      }),
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
