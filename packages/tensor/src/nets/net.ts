import { check, describe, type Rng } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { useHigherOrderGradients } from '../gradients/higher-order.ts'
import type { Fetched } from '../tree.ts'

/** Parameters as tensors: any arrangement of records and lists. */
export type TensorTree = tf.Tensor | readonly TensorTree[] | { readonly [name: string]: TensorTree }

/** What a net may need to know of the call beside its input. */
export interface NetContext {
  /** Dropout drops and batch norm measures the batch. @default false */
  readonly training?: boolean
  /**
   * The input has a leading task axis although the parameters have none. Where the parameters have one it is seen.
   * @default whether the parameters have one
   */
  readonly tasks?: boolean
  /** Which row of per-step statistics batch norm uses: the number of the inner step. @default 0 */
  readonly step?: number
  /** Batch norm appends `[old, next]` here for each running statistic it would change; see `withUpdates`. */
  readonly updates?: (readonly [old: tf.Tensor, next: tf.Tensor])[]
}

/**
 * A net is a pair of functions over a tree of parameters. `init` makes the tree as plain data; `apply` is pure, twice
 * differentiable and accepts an optional leading task axis: `[T, …]` parameters with `[T, n, …]` inputs.
 */
export interface Net<P = TensorTree> {
  /** Makes fresh parameters. Each is drawn from a stream of its own, split from `rng` by its name. */
  init(rng: Rng): Fetched<P>
  /** Computes the output for a batch. */
  apply(params: P, x: tf.Tensor, context?: NetContext): tf.Tensor
  /** Whether these parameters carry the task axis; undefined for a net without parameters. */
  taskAxis(params: P): boolean | undefined
}

/** Context of {@link Net.apply} with the task axis resolved. */
export type InnerContext = NetContext & { readonly tasks: boolean }

/** Assembles a {@link Net}: resolves the task axis once and readies the gradients on first use. */
export function defineNet<P>(net: {
  init: (rng: Rng) => Fetched<P>
  taskAxis: (params: P) => boolean | undefined
  apply: (params: P, x: tf.Tensor, context: InnerContext) => tf.Tensor
}): Net<P> {
  return {
    init: net.init,
    taskAxis: net.taskAxis,
    apply(params, x, context = {}) {
      useHigherOrderGradients()
      const tasks = net.taskAxis(params) || context.tasks === true
      return net.apply(params, x, { ...context, tasks })
    },
  }
}

/** Fails unless a size is a whole number of at least one. */
export function checkSize(where: string, name: string, value: number): void {
  check(Number.isInteger(value) && value >= 1, where, () => `${name} must be an integer ≥ 1, got ${describe(value)}.`)
}

/** Fails unless the input's last axis is what the parameters expect, and its task axis as long as theirs. */
export function checkInput(where: string, x: tf.Tensor, features: number, tasks?: number): void {
  check(
    x.rank >= 2 && x.shape[x.rank - 1] === features,
    where,
    () => `the input's last axis must be ${features}, got shape [${x.shape.join(', ')}].`,
  )
  check(
    tasks === undefined || (x.rank >= 3 && x.shape[0] === tasks),
    where,
    () => `the parameters have ${tasks} tasks but the input has shape [${x.shape.join(', ')}].`,
    'Give the input a leading task axis of the same length.',
  )
}

/** x · kernel + bias over the last axis; a kernel of rank 3 has the task axis. */
export function affine(x: tf.Tensor, kernel: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const outputs = kernel.shape[kernel.rank - 1]!
  const inputs = kernel.shape[kernel.rank - 2]!
  const lead = kernel.rank === 3 ? [kernel.shape[0]!] : []
  const flat = x.rank === kernel.rank ? x : tf.reshape(x, [...lead, -1, inputs])
  const product = tf.matMul(flat, kernel)
  const y = bias
    ? tf.add(product, kernel.rank === 3 ? tf.reshape(bias, [kernel.shape[0]!, 1, outputs]) : bias)
    : product
  return x.rank === kernel.rank ? y : tf.reshape(y, [...x.shape.slice(0, -1), outputs])
}

/** Shapes a per-feature parameter ([c] or [T, c]) so that it broadcasts over an input of the given rank. */
export function perFeature(parameter: tf.Tensor, rank: number): tf.Tensor {
  if (parameter.rank === 1) return parameter
  const [tasks, features] = parameter.shape as [number, number]
  return tf.reshape(parameter, [tasks, ...new Array<number>(rank - 2).fill(1), features])
}
