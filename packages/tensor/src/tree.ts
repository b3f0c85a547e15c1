import { type ArrayLeaf, RegimenError } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { DeviceArray } from './compile/runtime/device-array.ts'

/** Element types that a compiled function may read and write. */
export type TensorDtype = 'float32' | 'int32' | 'bool'

/** Plain numbers with their shape: how tensors cross the border of a compiled function. */
export type TensorLeaf = ArrayLeaf<TensorDtype>

/**
 * What may be passed where a function takes a `T`: the tensor itself, an {@link ArrayLeaf}, a {@link DeviceArray} that a call
 * returned, a typed array (one axis), or a number (no axis). Trees keep their shape.
 */
export type Fed<T> = T extends tf.Tensor
  ? tf.Tensor | ArrayLeaf | DeviceArray | Float32Array | Int32Array | Uint8Array | number
  : { [K in keyof T]: Fed<T[K]> }

/** What comes back where a function returns a `T`: every tensor as plain numbers with their shape. */
export type Fetched<T> = T extends tf.Tensor ? TensorLeaf : { [K in keyof T]: Fetched<T[K]> }

/** What comes back with `outputs: 'device'`: every tensor as an array that stays where it was computed. */
export type Kept<T> = T extends tf.Tensor ? DeviceArray : { [K in keyof T]: Kept<T[K]> }

/** The arrangement of a tree: where its leaves are, by number, and the values that are no leaves. */
export type Structure =
  | { readonly kind: 'leaf'; readonly index: number }
  | { readonly kind: 'list'; readonly items: readonly Structure[] }
  | { readonly kind: 'record'; readonly keys: readonly string[]; readonly items: readonly Structure[] }
  | { readonly kind: 'static'; readonly value: unknown }

/** A tree taken apart by {@link flattenTree}. */
export interface FlatTree<Leaf> {
  readonly leaves: Leaf[]
  /** Path of each leaf, keys joined by dots: `0.weights.1`. */
  readonly paths: string[]
  readonly structure: Structure
}

/**
 * Takes a tree of tensors apart: its leaves in order, their paths, and the structure that {@link unflattenTree} needs to
 * put a tree of the same form together. Records are walked in the order of their keys as written.
 *
 * ```ts
 * import { flattenTree } from '@regimen/tensor'
 *
 * const leaf = { dtype: 'float32', shape: [1], data: new Float32Array([7]) } as const
 * flattenTree({ w: leaf, more: [leaf] }).paths // => ['w', 'more.0']
 * ```
 */
export function flattenTree<Leaf = tf.Tensor | TensorLeaf>(tree: unknown): FlatTree<Leaf> {
  const leaves: Leaf[] = []
  const paths: string[] = []
  const walk = (node: unknown, path: string): Structure => {
    if (isTensorLeaf(node)) {
      leaves.push(node as Leaf)
      paths.push(path)
      return { kind: 'leaf', index: leaves.length - 1 }
    }
    const prefix = path === '' ? '' : `${path}.`
    if (Array.isArray(node)) return { kind: 'list', items: node.map((item, i) => walk(item, prefix + i)) }
    if (isRecord(node)) {
      const keys = Object.keys(node)
      return { kind: 'record', keys, items: keys.map((key) => walk(node[key], prefix + key)) }
    }
    return { kind: 'static', value: node }
  }
  const structure = walk(tree, '')
  return { leaves, paths, structure }
}

/**
 * Puts a tree together from its structure and leaves: the inverse of {@link flattenTree}.
 *
 * ```ts
 * import { flattenTree, unflattenTree } from '@regimen/tensor'
 *
 * const { structure } = flattenTree({ w: { dtype: 'int32', shape: [], data: new Int32Array(1) }, name: 'net' })
 * unflattenTree(structure, ['first']) // => { w: 'first', name: 'net' }
 * ```
 */
export function unflattenTree(structure: Structure, leaves: readonly unknown[]): unknown {
  switch (structure.kind) {
    case 'leaf':
      return leaves[structure.index]
    case 'list':
      return structure.items.map((item) => unflattenTree(item, leaves))
    case 'record': {
      const record: Record<string, unknown> = {}
      for (let i = 0; i < structure.keys.length; i++) {
        record[structure.keys[i]!] = unflattenTree(structure.items[i]!, leaves)
      }
      return record
    }
    case 'static':
      return structure.value
  }
}

/**
 * Applies a function to every leaf of one tree, or to the matching leaves of several trees of the same form, and returns
 * a tree of the results.
 *
 * ```ts
 * import { mapTree } from '@regimen/tensor'
 *
 * const w = { dtype: 'float32', shape: [2], data: new Float32Array([1, 2]) } as const
 * mapTree((leaf: typeof w) => leaf.shape.length, { w }) // => { w: 1 }
 * ```
 */
export function mapTree<T, Leaf = tf.Tensor>(
  fn: (leaf: Leaf, ...others: Leaf[]) => unknown,
  tree: T,
  ...others: readonly unknown[]
): T {
  const { leaves, paths, structure } = flattenTree<Leaf>(tree)
  const rest = others.map((other) => {
    const flat = flattenTree<Leaf>(other)
    if (flat.paths.length !== paths.length || flat.paths.some((path, i) => path !== paths[i])) {
      throw new RegimenError(
        `the trees differ: the first has leaves at ${paths.join(', ') || 'no path'}, another at ${flat.paths.join(', ') || 'no path'}.`,
        { code: 'INVALID_ARGUMENT', where: 'tensor/tree', hint: 'Pass trees of the same form.' },
      )
    }
    return flat.leaves
  })
  const results = leaves.map((leaf, i) => fn(leaf, ...rest.map((list) => list[i]!)))
  return unflattenTree(structure, results) as T
}

/** True for what counts as a leaf: a tensor, or plain numbers with dtype and shape. */
export function isTensorLeaf(value: unknown): value is tf.Tensor | ArrayLeaf | DeviceArray {
  return value instanceof tf.Tensor || value instanceof DeviceArray || isArrayLeaf(value)
}

/** True for `{ dtype, shape, data }` with a typed array as data. */
export function isArrayLeaf(value: unknown): value is ArrayLeaf {
  if (typeof value !== 'object' || value === null) return false
  const leaf = value as { dtype?: unknown; shape?: unknown; data?: unknown }
  return typeof leaf.dtype === 'string' && Array.isArray(leaf.shape) && ArrayBuffer.isView(leaf.data)
}

/** True for a plain record, whose values are part of the tree. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}
