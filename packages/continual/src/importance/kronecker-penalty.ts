import { check } from '@regimen/core'
import { matmul } from '@regimen/core/math'
import * as tf from '@tensorflow/tfjs-core'
import type { KroneckerFactor, LayerPlace } from './kronecker.ts'

/** What {@link kroneckerPenalty} weighs. */
export interface KroneckerPenaltyOptions {
  /** Factors of every layer, as `kroneckerFisher` gives them. */
  factors: readonly KroneckerFactor[]
  /** The parameters as one vector, in the order of their leaves. */
  params: ArrayLike<number>
  /** Where old tasks left them. */
  anchor: ArrayLike<number>
}

/**
 * Computes the quadratic penalty of Kronecker factors, ½ Σ tr(Δᵀ A Δ G) over the layers with Δ = θ − θ* as the matrix of kernel and bias,
 * and its gradient A Δ G, in float64. It is ½ δᵀ (A ⊗ G) δ without the product ever being laid out.
 *
 * ```ts
 * import { kroneckerPenalty } from '@regimen/continual'
 *
 * // One layer of two inputs and one output: ½ · 3 · (1, 2) A (1, 2)ᵀ
 * const factors = [{ inputs: Float64Array.of(2, 1, 1, 4), outputs: Float64Array.of(3), rows: 2, cols: 1 }]
 * const { value, gradient } = kroneckerPenalty({ factors, params: [1, 2], anchor: [0, 0] })
 * value // => 33
 * gradient // => [12, 27]
 * ```
 */
export function kroneckerPenalty(options: KroneckerPenaltyOptions): { value: number; gradient: Float64Array } {
  const { factors, params, anchor } = options
  const where = 'continual/kronecker-penalty'
  const size = factors.reduce((sum, { rows, cols }) => sum + rows * cols, 0)
  for (const [name, { length }] of Object.entries({ params, anchor }))
    check(length === size, where, () => `${name} must hold ${size} numbers, got ${length}.`)
  const gradient = new Float64Array(size)
  let value = 0
  let at = 0
  for (const { inputs, outputs, rows, cols } of factors) {
    const data = Float64Array.from({ length: rows * cols }, (_, i) => params[at + i]! - anchor[at + i]!)
    const delta = { rows, cols, data }
    const left = matmul({ rows, cols: rows, data: inputs }, delta)
    const pull = matmul(left, { rows: cols, cols, data: outputs }).data
    gradient.set(pull, at)
    for (let i = 0; i < data.length; i++) value += (data[i]! * pull[i]!) / 2
    at += rows * cols
  }
  return { value, gradient }
}

/** The factors of all tasks so far. */
export interface JoinedFactors {
  /** Tasks that stand in them, older ones by their decay. */
  readonly weight: number
  readonly factors: readonly KroneckerFactor[]
}

/**
 * Adds a task: A becomes the mean over the tasks, G their sum. A sum of Kronecker products is none; this one is right where the tasks
 * share either the inputs or the slopes of a layer.
 */
export function joinFactors(
  old: JoinedFactors | undefined,
  fresh: readonly KroneckerFactor[],
  decay: number,
): JoinedFactors {
  const kept = decay * (old?.weight ?? 0)
  const weight = kept + 1
  const factors = fresh.map((one, l) => {
    const { inputs, outputs } = old?.factors[l] ?? one
    return {
      rows: one.rows,
      cols: one.cols,
      inputs: one.inputs.map((value, i) => (kept * inputs[i]! + value) / weight),
      outputs: one.outputs.map((value, i) => (old ? decay * outputs[i]! : 0) + value),
    }
  })
  return { weight, factors }
}

/** A Δ G of all layers as one vector, inside a compiled function. */
export function kroneckerPull(
  layers: readonly LayerPlace[],
  delta: tf.Tensor,
  factors: readonly { readonly inputs: tf.Tensor; readonly outputs: tf.Tensor }[],
): tf.Tensor {
  const parts = layers.map(({ at, rows, cols }, l) => {
    const { inputs, outputs } = factors[l]!
    const matrix = tf.reshape(tf.slice(delta, [at], [rows * cols]), [rows, cols]) as tf.Tensor2D
    return tf.reshape(tf.matMul(tf.matMul(inputs as tf.Tensor2D, matrix), outputs as tf.Tensor2D), [rows * cols])
  })
  return parts.length === 1 ? parts[0]! : tf.concat(parts)
}
