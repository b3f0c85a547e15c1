import { DeviceArray } from './compile/runtime/device-array.ts'
import { flattenTree, type TensorLeaf, unflattenTree } from './tree.ts'

/** A tree whose arrays on a device have become plain ones. */
export type FetchedArrays<T> = T extends DeviceArray ? TensorLeaf : { [K in keyof T]: FetchedArrays<T[K]> }

/**
 * Reads a tree that stayed on the device (`outputs: 'device'`) as plain arrays, for saving, comparing or looking at it.
 * Every array is one crossing, so read at the end of an epoch rather than at every step. Leaves that are plain already
 * stay as they are. Its sibling {@link disposeArrays} frees such a tree.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { compile, fetchArrays } from '@regimen/tensor'
 *
 * const step = compile((p: { w: tf.Tensor }) => ({ w: tf.mul(p.w, 0.5) }), { outputs: 'device' })
 * let params = await step({ w: new Float32Array([8, 4]) })
 * params = await step(params)
 * const { w } = await fetchArrays(params)
 * Array.from(w.data) // => [2, 1]
 * ```
 */
export async function fetchArrays<T>(tree: T): Promise<FetchedArrays<T>> {
  const { leaves, structure } = flattenTree<DeviceArray | TensorLeaf>(tree)
  const read = leaves.map(async (leaf) =>
    leaf instanceof DeviceArray ? { dtype: leaf.dtype, shape: leaf.shape, data: await leaf.data() } : leaf,
  )
  return unflattenTree(structure, await Promise.all(read)) as FetchedArrays<T>
}

/**
 * Frees every array of a tree that stayed on the device; other leaves are left alone. Forgotten trees are freed when they
 * are collected, but a card fills sooner than the collector notices, so free the state that a step has replaced.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { compile, disposeArrays } from '@regimen/tensor'
 *
 * const step = compile((p: { w: tf.Tensor }) => ({ w: tf.mul(p.w, 0.5) }), { outputs: 'device' })
 * const params = await step({ w: new Float32Array([8, 4]) })
 * const next = await step(params)
 * disposeArrays(params)
 * Array.from(await next.w.data()) // => [2, 1]
 * ```
 */
export function disposeArrays(tree: unknown): void {
  for (const leaf of flattenTree<unknown>(tree).leaves) if (leaf instanceof DeviceArray) leaf.dispose()
}
