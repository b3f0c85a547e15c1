import { check } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { withOwnGradients } from './gradients/higher-order.ts'
import { flattenTree, mapTree, unflattenTree } from './tree.ts'

/** A value with its gradient by the first argument, and what else the function returned. */
export interface ValueAndGradient<P, A = undefined> {
  value: tf.Tensor
  /** A tree of the form of the parameters; zero where the value does not depend on a parameter. */
  gradient: P
  aux: A
}

/**
 * Evaluates a function of a parameter tree together with its gradient. The function returns a scalar tensor, or
 * `[scalar, aux]` with a tree of tensors to hand out beside it (predictions, batch-norm updates). Nest it for higher
 * orders; unlike `tf.grads` it answers zeros where a parameter has no influence.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { valueAndGradient } from '@regimen/tensor'
 *
 * const { value, gradient } = valueAndGradient((p) => tf.sum(tf.square(p.w)), { w: tf.tensor1d([3]) })
 * value.dataSync()[0] // => 9
 * gradient.w.dataSync()[0] // => 6
 * ```
 */
export function valueAndGradient<P, A = undefined>(
  fn: (params: P) => tf.Tensor | readonly [tf.Tensor, A],
  params: P,
): ValueAndGradient<P, A> {
  const { leaves, structure } = flattenTree<tf.Tensor>(params)
  let aux = undefined as A
  let kept: tf.Tensor[] = []
  const forward = () => {
    const result = fn(params)
    if (result instanceof tf.Tensor) return result
    aux = result[1]
    // The tape's scope ends before the caller sees these.
    kept = flattenTree<tf.Tensor>(aux).leaves.map((leaf) => tf.keep(tf.clone(leaf)))
    return result[0]
  }
  const { value, grads } = withOwnGradients(() => tf.engine().gradients(forward, leaves, undefined, true))
  check(value.size === 1, 'tensor/value-and-gradient', () => `the value must be a scalar, got [${value.shape}].`)
  const gradients = leaves.map((leaf, i) => (grads[i] as tf.Tensor | null) ?? tf.zeros(leaf.shape))
  if (kept.length > 0) {
    const outer = kept.map((leaf) => tf.clone(leaf))
    for (const leaf of kept) leaf.dispose()
    aux = unflattenTree(flattenTree(aux).structure, outer) as A
  }
  return { value, gradient: unflattenTree(structure, gradients) as P, aux }
}

/**
 * Multiplies the Hessian of a function by a vector without forming it: the gradient of ∇f · v. Costs about two gradients.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { hessianVectorProduct } from '@regimen/tensor'
 *
 * // f = x³: f″(2) · 1 = 12
 * const product = hessianVectorProduct((p) => tf.sum(tf.pow(p.x, 3)), { x: tf.tensor1d([2]) }, { x: tf.tensor1d([1]) })
 * product.x.dataSync()[0] // ≈ 12
 * ```
 *
 * Reference: Pearlmutter 1994.
 */
export function hessianVectorProduct<P>(fn: (params: P) => tf.Tensor, params: P, vector: P): P {
  const along = flattenTree<tf.Tensor>(vector).leaves
  const slope = (at: P): tf.Tensor => {
    const { leaves } = flattenTree<tf.Tensor>(valueAndGradient(fn, at).gradient)
    return leaves.map((leaf, i) => tf.sum(tf.mul(leaf, along[i]!))).reduce((a, b) => tf.add(a, b))
  }
  return valueAndGradient(slope, params).gradient
}

/**
 * Computes the gradient of every sample on its own, [n, …] for each parameter, in one batched pass: each sample becomes a
 * task with its own copy of the parameters. The function gets parameters [n, …] and samples [n, 1, …] and returns one
 * loss per task, [n]. Memory is n times the parameters: pass large batches in parts.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { dense, meanSquaredError, perSampleGradients } from '@regimen/tensor'
 *
 * const net = dense({ inputs: 1, outputs: 1, bias: false })
 * const loss = (params: { kernel: tf.Tensor }, x: tf.Tensor, y: tf.Tensor) =>
 *   meanSquaredError(net.apply(params, x), y, { perTask: true })
 * const data = [tf.tensor2d([[1], [2]]), tf.tensor2d([[0], [0]])] as const
 * // 2 (w x − y) x at w = 1
 * Array.from(perSampleGradients(loss, { kernel: tf.tensor2d([[1]]) }, ...data).kernel.dataSync()) // => [2, 8]
 * ```
 */
export function perSampleGradients<P>(
  loss: (params: P, x: tf.Tensor, y: tf.Tensor) => tf.Tensor,
  params: P,
  x: tf.Tensor,
  y: tf.Tensor,
): P {
  const n = x.shape[0]!
  const copies = addTaskAxis(params, n)
  const total = (p: P): tf.Tensor => {
    const losses = loss(p, tf.expandDims(x, 1), tf.expandDims(y, 1))
    check(
      losses.rank === 1 && losses.shape[0] === n,
      'tensor/per-sample-gradients',
      () => `the loss must return one value for each of the ${n} tasks, got shape [${losses.shape}].`,
      'Pass { perTask: true } to the loss.',
    )
    return tf.sum(losses)
  }
  return valueAndGradient(total, copies).gradient
}

/**
 * Gives every parameter a leading task axis by repeating it: [ … ] becomes [tasks, …]. Broadcast by adding zeros, whose
 * gradient is one sum.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { addTaskAxis } from '@regimen/tensor'
 *
 * addTaskAxis({ w: tf.tensor1d([1, 2]) }, 3).w.shape // => [3, 2]
 * ```
 */
export function addTaskAxis<P>(params: P, tasks: number): P {
  return mapTree(
    (leaf: tf.Tensor) => tf.add(tf.expandDims(leaf, 0), tf.zeros([tasks, ...leaf.shape.map(() => 1)])),
    params,
  )
}
