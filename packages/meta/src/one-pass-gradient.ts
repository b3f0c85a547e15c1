import { flattenTree, type TensorTree, valueAndGradient } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { lossOptions } from './gradient/inner-loop.ts'
import type { MetaGradient, SetTensors, TaskLoss } from './learner.ts'
import { moveStatistics, readChanges, type StatisticUpdates } from './statistics.ts'

/** The meta-gradient of a learner that adapts in one pass without gradients: that of the query loss of what it answers. */
export function onePassGradient(
  params: TensorTree,
  query: SetTensors,
  loss: TaskLoss,
  answer: (params: TensorTree, updates: StatisticUpdates) => tf.Tensor,
): MetaGradient {
  const { value, gradient, aux } = valueAndGradient((tree: TensorTree) => {
    const updates: StatisticUpdates = []
    const judged = loss(answer(tree, updates), query.y, lossOptions(query, false))
    const { leaves } = flattenTree<tf.Tensor>(tree)
    return [judged, moveStatistics(tree, readChanges(leaves, leaves, updates))] as const
  }, params)
  return { loss: value, gradient, bounded: tf.scalar(0), statistics: aux }
}
