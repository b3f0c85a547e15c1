import { check } from '@regimen/core'
import { flattenTree, type TensorLeaf, unflattenTree } from './tree.ts'

/**
 * Averages trees of numbers of the same form, each with a weight: Σ wᵢ treeᵢ / Σ wᵢ, summed in double precision. Gradients of the
 * parts of a batch, weighted by the parts' sizes, average to the gradient of the whole.
 *
 * ```ts
 * import { averageTrees } from '@regimen/tensor'
 *
 * const tree = (x: number) => ({ w: { dtype: 'float32' as const, shape: [1], data: Float32Array.of(x) } })
 * averageTrees([tree(1), tree(5)], [3, 1]).w.data[0] // => 2
 * ```
 */
export function averageTrees<T>(trees: readonly T[], weights: readonly number[]): T {
  const total = weights.reduce((a, b) => a + b, 0)
  check(
    trees.length > 0 && trees.length === weights.length && total > 0,
    'tensor/average-trees',
    () =>
      `there must be as many trees as weights, with a sum above 0; got ${trees.length} and [${weights.join(', ')}].`,
  )
  const flat = trees.map((tree) => flattenTree<TensorLeaf>(tree).leaves)
  const { leaves, structure } = flattenTree<TensorLeaf>(trees[0])
  const means = leaves.map((leaf, at) => {
    const data = new Float32Array(leaf.data.length)
    for (let i = 0; i < data.length; i++) {
      let sum = 0
      for (let part = 0; part < flat.length; part++) sum += weights[part]! * flat[part]![at]!.data[i]!
      data[i] = sum / total
    }
    return { dtype: 'float32' as const, shape: leaf.shape, data }
  })
  return unflattenTree(structure, means) as T
}
