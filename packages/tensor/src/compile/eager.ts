import * as tf from '@tensorflow/tfjs-core'
import { type FlatTree, flattenTree, type TensorLeaf, unflattenTree } from '../tree.ts'
import { crop, type Padding } from './buckets.ts'
import type { CompileOptions } from './compile.ts'
import { hostArray } from './runtime/device-array.ts'
import { isNode } from './runtime/onnxruntime.ts'
import type { RuntimeArray } from './runtime/runtime.ts'
import type { Numbers } from './signature.ts'

/**
 * Runs in a scope of its own and reads the results after it has ended, so that eager calls leak nothing either, on
 * backends too that cannot be read while they compute.
 */
export async function runEagerly(
  run: () => unknown,
  outputs: CompileOptions['outputs'],
  padding: Padding | undefined,
): Promise<unknown> {
  tf.engine().startScope('compile')
  let flat: FlatTree<tf.Tensor> | undefined
  try {
    flat = flattenTree<tf.Tensor>(run())
  } finally {
    tf.engine().endScope(flat?.leaves ?? [])
  }
  const { leaves, paths, structure } = flat
  const arrays: RuntimeArray[] = []
  for (const [i, tensor] of leaves.entries()) {
    const data = (await tensor.data()).slice() as Numbers
    const array: RuntimeArray = { dtype: tensor.dtype as TensorLeaf['dtype'], shape: tensor.shape, data }
    arrays.push(padding ? crop(array, padding, paths[i]!) : array)
  }
  tf.dispose(leaves)
  if (outputs === 'tensors') {
    const tensors = arrays.map(({ data, shape, dtype }) => tf.tensor(data, [...shape], dtype))
    return unflattenTree(structure, tensors)
  }
  const keep = ({ dtype, shape, data }: RuntimeArray): unknown => hostArray(dtype, shape, data)
  return unflattenTree(structure, outputs === 'device' ? arrays.map(keep) : arrays)
}

let announced = false

/** Says once that functions run eagerly, with the line that changes it. */
export function announceMissing(): void {
  if (announced) return
  announced = true
  const name = runtimeName()
  console.warn(
    `[tensor/compile] ${name} is not installed, so compiled functions run eagerly (slowly). npm install ${name}`,
  )
}

/** The package that runs graphs on this platform. */
export function runtimeName(): string {
  return isNode() ? 'onnxruntime-node' : 'onnxruntime-web'
}
