import {
  createSnapshot,
  decodeSafetensors,
  encodeSafetensors,
  RegimenError,
  type Snapshot,
  type Tree,
} from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { flattenTree, isArrayLeaf, isTensorLeaf, mapTree, type TensorLeaf, unflattenTree } from './tree.ts'

/**
 * Writes a tree of parameters as a safetensors file; each leaf is named by its path, `encoders.1h.0.kernel`. Any tool of
 * the PyTorch world reads it. Tensors are read synchronously; plain data are written as they are.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { dense, paramsFromSafetensors, paramsToSafetensors } from '@regimen/tensor'
 *
 * const net = dense({ inputs: 2, outputs: 1 })
 * const params = net.init(createRng(1))
 * const copy = paramsFromSafetensors(paramsToSafetensors(params), net.init(createRng(2)))
 * copy.kernel.data // => params.kernel.data
 * ```
 */
export function paramsToSafetensors(params: unknown, metadata: { readonly [name: string]: string } = {}): Uint8Array {
  const { leaves, paths } = flattenTree(toArrays(params))
  return encodeSafetensors(Object.fromEntries(leaves.map((leaf, i) => [paths[i]!, leaf as TensorLeaf])), metadata)
}

/**
 * Reads a safetensors file into the form of a tree, for example of `net.init`. Every leaf must be in the file with the
 * same dtype and shape; the error names the one that is not.
 *
 * ```ts
 * import { paramsFromSafetensors, paramsToSafetensors } from '@regimen/tensor'
 *
 * const form = { w: { dtype: 'float32', shape: [1], data: new Float32Array([0]) } } as const
 * const file = paramsToSafetensors({ w: { ...form.w, data: new Float32Array([7]) } })
 * paramsFromSafetensors(file, form).w.data[0] // => 7
 * ```
 */
export function paramsFromSafetensors<P>(file: Uint8Array | ArrayBuffer, form: P): P {
  const { tensors } = decodeSafetensors(file)
  return fill(form, (path) => tensors[path])
}

/**
 * Makes a snapshot of a tree of parameters, for the model store or a worker: plain data with an id, a version and the
 * configuration that rebuilds the net.
 *
 * ```ts
 * import { paramsFromSnapshot, paramsToSnapshot } from '@regimen/tensor'
 *
 * const params = { w: { dtype: 'float32', shape: [1], data: new Float32Array([7]) } } as const
 * const snapshot = paramsToSnapshot(params, { id: 'example/net', config: { sizes: [1, 1] } })
 * paramsFromSnapshot(snapshot, params).w.data[0] // => 7
 * ```
 */
export function paramsToSnapshot(
  params: unknown,
  options: { id?: string; version?: number; config?: Tree } = {},
): Snapshot {
  const { id = 'tensor/params', version = 1, config = {} } = options
  return createSnapshot({ id, version, config, state: toArrays(params) as Tree })
}

/**
 * Reads the parameters of a snapshot into the form of a tree, checking every leaf's dtype and shape.
 *
 * ```ts
 * import { paramsFromSnapshot, paramsToSnapshot } from '@regimen/tensor'
 *
 * const params = { w: { dtype: 'float32', shape: [2], data: new Float32Array(2) } } as const
 * let message = ''
 * try {
 *   paramsFromSnapshot(paramsToSnapshot(params), { v: params.w })
 * } catch (error) {
 *   message = (error as Error).message
 * }
 * message.includes('v is missing') // => true
 * ```
 */
export function paramsFromSnapshot<P>(snapshot: Snapshot, form: P): P {
  const { leaves, paths } = flattenTree(snapshot.state)
  const byPath = new Map(paths.map((path, i) => [path, leaves[i]]))
  return fill(form, (path) => byPath.get(path))
}

/**
 * Turns a tree of plain data into tensors, for eager use; the caller disposes them (or calls inside `tf.tidy`).
 *
 * ```ts
 * import { toTensors } from '@regimen/tensor'
 *
 * const { w } = toTensors({ w: { dtype: 'float32', shape: [1, 2], data: new Float32Array([1, 2]) } as const })
 * w.shape // => [1, 2]
 * ```
 */
export function toTensors<P>(tree: P): Tensors<P> {
  const { leaves, structure } = flattenTree(tree)
  const tensors = leaves.map((leaf) => {
    if (!isArrayLeaf(leaf)) return leaf
    return tf.tensor(leaf.data as Float32Array, [...leaf.shape], leaf.dtype as 'float32')
  })
  return unflattenTree(structure, tensors) as Tensors<P>
}

/** The tree with every leaf of plain data as a tensor. */
export type Tensors<P> = P extends TensorLeaf ? tf.Tensor : { [K in keyof P]: Tensors<P[K]> }

/**
 * Reads a tree of tensors into plain data, synchronously; leaves that are plain data already stay.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { toArrays } from '@regimen/tensor'
 *
 * toArrays({ w: tf.tensor1d([1, 2]) }).w.data // => new Float32Array([1, 2])
 * ```
 */
export function toArrays<P>(tree: P): Arrays<P> {
  return mapTree<unknown, tf.Tensor | TensorLeaf>((leaf) => {
    if (!(leaf instanceof tf.Tensor)) return leaf
    return { dtype: leaf.dtype, shape: [...leaf.shape], data: leaf.dataSync().slice() }
  }, tree) as Arrays<P>
}

/** The tree with every tensor as plain data. */
export type Arrays<P> = P extends tf.Tensor ? TensorLeaf : P extends TensorLeaf ? P : { [K in keyof P]: Arrays<P[K]> }

function fill<P>(form: P, find: (path: string) => unknown): P {
  const { leaves, paths, structure } = flattenTree<TensorLeaf | tf.Tensor>(form)
  const found = leaves.map((leaf, i) => {
    const path = paths[i]!
    const stored = find(path)
    if (!isTensorLeaf(stored)) throw mismatch(`${path} is missing.`)
    if (stored.dtype !== leaf.dtype || stored.shape.join() !== leaf.shape.join()) {
      throw mismatch(
        `${path} must be ${leaf.dtype} [${leaf.shape.join(', ')}], got ${stored.dtype} [${stored.shape.join(', ')}].`,
      )
    }
    return stored
  })
  return unflattenTree(structure, found) as P
}

function mismatch(problem: string): RegimenError {
  return new RegimenError(problem, {
    code: 'WRONG_FORM',
    where: 'tensor/files',
    hint: 'Pass the form that the file was written from, for example net.init(rng).',
  })
}
