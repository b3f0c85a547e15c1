import * as tf from '@tensorflow/tfjs-core'
import { flattenTree, type TensorLeaf, unflattenTree } from '../tree.ts'
import { crop, type Padding } from './buckets.ts'
import type { CompileOptions } from './compile.ts'
import { hostArray } from './runtime/device-array.ts'
import { isNode } from './runtime/onnxruntime.ts'
import type { RuntimeArray } from './runtime/runtime.ts'
import type { Numbers } from './signature.ts'

/** Runs in a tidy and reads the results before it ends, so that eager calls leak nothing either. */
export function runEagerly(
  run: () => unknown,
  outputs: CompileOptions['outputs'],
  padding: Padding | undefined,
): unknown {
  tf.engine().startScope('compile')
  let kept: tf.Tensor[] = []
  try {
    const { leaves, paths, structure } = flattenTree<tf.Tensor>(run())
    const arrays = leaves.map((tensor, i) => {
      const data = tensor.dataSync().slice() as Numbers
      const array: RuntimeArray = { dtype: tensor.dtype as TensorLeaf['dtype'], shape: tensor.shape, data }
      return padding ? crop(array, padding, paths[i]!) : array
    })
    if (outputs !== 'tensors') {
      const keep = ({ dtype, shape, data }: RuntimeArray): unknown => hostArray(dtype, shape, data)
      return unflattenTree(structure, outputs === 'device' ? arrays.map(keep) : arrays)
    }
    kept = arrays.map(({ data, shape, dtype }) => tf.tensor(data, [...shape], dtype))
    return unflattenTree(structure, kept)
  } finally {
    tf.engine().endScope(kept)
  }
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
