import * as tf from '@tensorflow/tfjs-core'
import { basics } from './basics.ts'
import type { GradientTable } from './common.ts'
import { elementwise } from './elementwise.ts'
import { linear } from './linear.ts'
import { movement } from './movement.ts'
import { reductions } from './reductions.ts'
import { windowed } from './windows.ts'

/** Every kernel whose gradient the core replaces, in one table. */
export const higherOrderGradients: GradientTable = {
  ...elementwise,
  ...linear,
  ...movement,
  ...reductions,
  ...windowed,
}

/**
 * Replaces, once per app, the tfjs gradients that fail or lie when they are differentiated again. tfjs saves the *output*
 * of sigmoid, tanh, exp, softmax and others in a way that a second pass takes for a constant, so second derivatives
 * are silently wrong, and comparisons, `MaxPoolGrad`, `Conv2DBackpropFilter`, `Einsum`, `Cumprod` and `StridedSlice`
 * have no derivative at all.
 *
 * Everything in this package calls it on first use; call it yourself before taking second derivatives of tfjs code
 * that uses nothing else from here. Calling it again does nothing. First-order gradients of existing code keep their
 * values, except where tfjs throws or is wrong: `cumsum` along an axis that is not the last, `mirrorPad`, average
 * pooling with `same` padding, broadcast `maximum`, `minimum`, `squaredDifference` and `matMul`, `pow` at exponent 0.
 *
 * `tf.logSoftmax` and `tf.losses.softmaxCrossEntropy` carry their gradient inside and cannot be replaced: use
 * {@link logSoftmax} and {@link softmaxCrossEntropy} of this package where a second derivative is taken.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { useHigherOrderGradients } from '@regimen/tensor'
 *
 * useHigherOrderGradients()
 * // f(x) = σ(x), f″ = σ(1 − σ)(1 − 2σ), at 1
 * const second = tf.grad(tf.grad((x) => tf.sigmoid(x)))
 * second(tf.scalar(1)).dataSync()[0] // ≈ -0.0908577
 * ```
 */
export function useHigherOrderGradients(): void {
  // Asked of the registry, not remembered: an app that imports tfjs later puts the old gradients back.
  if (tf.getGradient('Sigmoid')?.gradFunc === (higherOrderGradients.Sigmoid!.gradFunc as unknown)) return
  for (const [kernelName, gradient] of Object.entries(higherOrderGradients)) {
    if (tf.getGradient(kernelName)) tf.unregisterGradient(kernelName)
    tf.registerGradient({ kernelName, ...gradient } as tf.GradConfig)
  }
  for (const [kernelName, gradient] of Object.entries(basics)) {
    if (!tf.getGradient(kernelName)) tf.registerGradient({ kernelName, ...gradient } as tf.GradConfig)
  }
}
