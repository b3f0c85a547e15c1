import { flattenTree, type TensorTree, unflattenTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'

/** What batch norm appends to `NetContext.updates`. */
export type StatisticUpdates = (readonly [old: tf.Tensor, next: tf.Tensor])[]

/** How one pass through a net would move one of its running statistics, mean over the tasks. */
export interface StatisticChange {
  /** Number of the net's leaf. */
  readonly leaf: number
  readonly by: tf.Tensor
}

/** Reads what a pass changed: `used` are the leaves that went through the net, `shared` the same without a task axis. */
export function readChanges(
  used: readonly tf.Tensor[],
  shared: readonly tf.Tensor[],
  updates: StatisticUpdates,
): StatisticChange[] {
  return updates.map(([old, next]) => {
    const leaf = used.indexOf(old)
    const by = tf.sub(next, old)
    return { leaf, by: by.rank > shared[leaf]!.rank ? tf.mean(by, 0) : by }
  })
}

/**
 * Moves running statistics by the mean of the changes that touch them, number by number: one row of per-step statistics is
 * touched by the pass of its step alone, an ordinary average by every pass.
 */
export function moveStatistics(
  net: TensorTree,
  changes: readonly StatisticChange[],
  prefix = '',
): { [path: string]: tf.Tensor } {
  const { leaves, paths } = flattenTree<tf.Tensor>(net)
  const moved: { [path: string]: tf.Tensor } = {}
  for (const leaf of new Set(changes.map((change) => change.leaf))) {
    const list = tf.stack(changes.filter((change) => change.leaf === leaf).map(({ by }) => by))
    const touched = tf.sum(tf.cast(tf.notEqual(list, 0), 'float32'), 0)
    moved[prefix ? `${prefix}.${paths[leaf]}` : paths[leaf]!] = tf.add(
      leaves[leaf]!,
      tf.div(tf.sum(list, 0), tf.maximum(touched, 1)),
    )
  }
  return moved
}

/** A tree with some leaves replaced, by their paths. */
export function replaceLeaves(params: TensorTree, by: { readonly [path: string]: tf.Tensor }): TensorTree {
  const { leaves, paths, structure } = flattenTree<tf.Tensor>(params)
  return unflattenTree(
    structure,
    leaves.map((leaf, i) => by[paths[i]!] ?? leaf),
  ) as TensorTree
}
