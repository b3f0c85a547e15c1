import type { Fetched, Net } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { type FlatNet, flatNet } from '../flat.ts'
import { type Measure, openPerSample, type PerSampleSum, type Samples } from './per-sample.ts'

const MEASURE: Measure = { each: 'abs', scores: () => [(output) => tf.sum(tf.square(output), [1, 2])] }

/** Options of {@link outputSensitivity}. */
export interface SensitivityOptions {
  /** Samples in one call, ≥ 1; memory grows with it. @default 100 */
  chunk?: number
}

/**
 * Computes the importances of memory-aware synapses: Ω = mean over samples of |∂ ‖f(x, θ)‖² / ∂θ|, how much each parameter moves
 * the output. It needs no labels and one backward pass, so it can be measured on whatever the market shows; {@link fisherDiagonal}
 * follows the loss more closely.
 *
 * ```ts
 * import { outputSensitivity } from '@regimen/continual'
 * import { dense } from '@regimen/tensor'
 *
 * // |∂ (w x)² / ∂w| = 2 |w| x² at w = −0.5
 * const net = dense({ inputs: 1, outputs: 1, bias: false })
 * const params = { kernel: { dtype: 'float32' as const, shape: [1, 1], data: Float32Array.of(-0.5) } }
 * const importance = await outputSensitivity(net, { params, samples: { x: [1, 3], width: 1 } })
 * importance // => [5]
 * ```
 *
 * Reference: Aljundi et al. 2018 (MAS).
 */
export async function outputSensitivity<P>(
  net: Net<P>,
  options: SensitivityOptions & { params: Fetched<P>; samples: Samples },
): Promise<Float64Array> {
  const flat = flatNet(net)
  const open = openSensitivity(flat, options)
  try {
    return await open.mean(flat.toVector(options.params), options.samples)
  } finally {
    await open.dispose()
  }
}

/** Opens the same, compiled once for many tasks. */
export function openSensitivity<P>(flat: FlatNet<P>, { chunk = 100 }: SensitivityOptions = {}): PerSampleSum {
  return openPerSample(flat, MEASURE, { chunk, where: 'continual/output-sensitivity' })
}
