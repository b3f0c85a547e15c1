import { check, createRng, type Rng } from '@regimen/core'
import { type Fetched, flattenTree, type Net, type TensorLeaf, unflattenTree } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'

/** A net whose parameters lie in one vector, in the order of the tree's leaves: what penalties and projections work on. */
export interface FlatNet<P> {
  readonly net: Net<P>
  /** Numbers in the vector. */
  readonly size: number
  /** Path and size of each leaf, in the order of the vector. */
  readonly paths: readonly string[]
  readonly sizes: readonly number[]
  /** Axes of each leaf. */
  readonly ranks: readonly number[]
  init(rng: Rng): Float32Array
  /** Inside a compiled function: the tree of a vector [size]. */
  tree(vector: tf.Tensor): P
  /** Inside a compiled function: the vector of a tree. */
  vector(tree: P): tf.Tensor
  /** Inside a compiled function: the rows [n, size] of a tree whose leaves have a leading axis of n. */
  rows(tree: P, n: number): tf.Tensor
  toVector(params: Fetched<P>): Float32Array
  toParams(vector: ArrayLike<number>): Fetched<P>
}

/** Lays a net's parameters out in one vector. */
export function flatNet<P>(net: Net<P>): FlatNet<P> {
  const example = flattenTree<TensorLeaf>(net.init(createRng(0)))
  const shapes = example.leaves.map((leaf) => [...leaf.shape])
  const sizes = example.leaves.map((leaf) => leaf.data.length)
  const size = sizes.reduce((sum, one) => sum + one, 0)
  const where = 'continual/flat-net'
  check(size > 0, where, () => 'the net has no parameters.')
  check(
    example.leaves.every((leaf) => leaf.dtype === 'float32'),
    where,
    () => `every parameter must be float32, got ${example.leaves.map((leaf) => leaf.dtype).join(', ')}.`,
  )
  const toVector = (params: unknown): Float32Array => {
    const { leaves } = flattenTree<TensorLeaf>(params)
    check(
      leaves.length === sizes.length && leaves.every((leaf, i) => leaf.data.length === sizes[i]),
      where,
      () =>
        `the parameters must have leaves of ${sizes.join(', ')} numbers, got ${leaves.map((leaf) => leaf.data.length).join(', ')}.`,
      'Pass parameters of this net.',
    )
    const vector = new Float32Array(size)
    let at = 0
    for (const { data } of leaves) {
      vector.set(data, at)
      at += data.length
    }
    return vector
  }
  return {
    net,
    size,
    paths: example.paths,
    sizes,
    ranks: shapes.map((shape) => shape.length),
    init: (rng) => toVector(net.init(rng)),
    tree(vector) {
      const parts = sizes.length === 1 ? [vector] : tf.split(vector, sizes)
      const leaves = parts.map((part, i) => tf.reshape(part, shapes[i]!))
      return unflattenTree(example.structure, leaves) as P
    },
    vector: (tree) => tf.concat(flattenTree<tf.Tensor>(tree).leaves.map((leaf) => tf.reshape(leaf, [-1]))),
    rows: (tree, n) =>
      tf.concat(
        flattenTree<tf.Tensor>(tree).leaves.map((leaf) => tf.reshape(leaf, [n, -1])),
        1,
      ),
    toVector,
    toParams(vector) {
      let at = 0
      const leaves = shapes.map((shape, i) => {
        const data = new Float32Array(sizes[i]!)
        for (let j = 0; j < data.length; j++) data[j] = vector[at++]!
        return { dtype: 'float32' as const, shape, data }
      })
      return unflattenTree(example.structure, leaves) as Fetched<P>
    },
  }
}
