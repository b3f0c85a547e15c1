import * as tf from '@tensorflow/tfjs-core'
import { basics } from './basics.ts'
import type { GradientTable, KernelGradient } from './common.ts'
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

/** tfjs throws for some uses of these (a broadcast input, a split into one part) and agrees to the last bit elsewhere. */
const AGREEING = new Set(['BatchMatMul', 'Maximum', 'Minimum', 'SquaredDifference', 'SplitV', 'Unpack'])

/**
 * Replaces, once per app, the tfjs gradients that fail or lie when they are differentiated again. tfjs saves the *output*
 * of sigmoid, tanh, exp, softmax and others in a way that a second pass takes for a constant, so second derivatives
 * are silently wrong, and comparisons, `MaxPoolGrad`, `Conv2DBackpropFilter`, `Einsum`, `Cumprod` and `StridedSlice`
 * have no derivative at all.
 *
 * Everything in this package calls it on first use; call it yourself before taking second derivatives of tfjs code
 * that uses nothing else from here. Calling it again does nothing. A first derivative taken by the app's own
 * `tf.grad` keeps tfjs's rule, to the last bit, even where that is wrong: `cumsum` along an axis that is not the last,
 * `mirrorPad`, average pooling with `same` padding, `pow` with a base and an exponent of 0. Inside compiled functions,
 * {@link valueAndGradient} and nested gradients these are right.
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
  if (installed.has(tf.getGradient('Sigmoid')?.gradFunc)) return
  for (const [kernelName, own] of Object.entries(higherOrderGradients)) {
    const stock = tf.getGradient(kernelName)
    if (installed.has(stock?.gradFunc)) continue
    if (stock) tf.unregisterGradient(kernelName)
    const gradient = stock && !AGREEING.has(kernelName) ? besides(stock, own) : own
    installed.add(gradient.gradFunc)
    tf.registerGradient({ kernelName, ...gradient } as tf.GradConfig)
  }
  for (const [kernelName, gradient] of Object.entries(basics)) {
    if (!tf.getGradient(kernelName)) tf.registerGradient({ kernelName, ...gradient } as tf.GradConfig)
  }
}

/** Runs a function in which first derivatives, too, are taken by the core's rules. */
export function withOwnGradients<R>(fn: () => R): R {
  useHigherOrderGradients()
  inside++
  try {
    return fn()
  } finally {
    inside--
  }
}

const installed = new Set<unknown>()
let inside = 0

/** Tapes on which a gradient was taken while an outer one was recording. */
const nested = new WeakSet<object>()

/** Whether a gradient that is being taken is the app's own first derivative. */
function isFirstOrderOfTheApp(): boolean {
  const { gradientDepth, activeTape } = tf.engine().state
  // During the backward pass the depth counts the gradients around it; the outermost one still sees its tape.
  if (gradientDepth > 0 && activeTape) nested.add(activeTape)
  return inside === 0 && gradientDepth === 0 && !(activeTape && nested.has(activeTape))
}

/** The core's rule, with tfjs's for the app's first derivatives. Saves what either needs. */
function besides(stock: tf.GradConfig, own: KernelGradient): KernelGradient {
  const names = [...new Set([...(stock.inputsToSave ?? []), ...(own.inputsToSave ?? [])])]
  const flags = Array.from(
    { length: Math.max(stock.outputsToSave?.length ?? 0, own.outputsToSave?.length ?? 0) },
    (_, i) => Boolean(stock.outputsToSave?.[i] || own.outputsToSave?.[i]),
  )
  const outputs = flags.flatMap((flag, i) => (flag ? [i] : []))
  const select = (gradient: { inputsToSave?: string[]; outputsToSave?: boolean[] }, saved: tf.Tensor[]) => [
    ...(gradient.inputsToSave ?? []).map((name) => saved[names.indexOf(name)]!),
    ...outputs.flatMap((output, i) => (gradient.outputsToSave?.[output] ? [saved[names.length + i]!] : [])),
  ]
  return {
    inputsToSave: names,
    outputsToSave: flags,
    gradFunc: (dy, saved, attrs) =>
      isFirstOrderOfTheApp()
        ? (stock.gradFunc(dy, select(stock, saved), attrs as tf.NamedAttrMap) as ReturnType<KernelGradient['gradFunc']>)
        : own.gradFunc(dy, select(own, saved), attrs),
  }
}
