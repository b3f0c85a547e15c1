import * as tf from '@tensorflow/tfjs-core'

/** What a gradient needs to know of one kernel; the key of the table is the kernel's name. */
export interface KernelGradient {
  inputsToSave?: string[]
  saveAllInputs?: boolean
  outputsToSave?: boolean[]
  gradFunc: (dy: tf.Tensor, saved: tf.Tensor[], attrs: Attributes) => { [input: string]: () => tf.Tensor }
}

export type GradientTable = { readonly [kernelName: string]: KernelGradient }

/** Attributes of a kernel call as the gradients read them. */
export type Attributes = { readonly [name: string]: unknown }

/** Computes a tensor that later derivatives see as a constant: indices and counts. */
export function detached(compute: () => tf.Tensor): tf.Tensor {
  const constant = tf.customGrad(() => ({ value: compute(), gradFunc: () => [] }))
  return constant()
}

/** The 0/1 mask of a condition as floats. It stays on the tape, where comparisons have the derivative zero. */
export function mask(condition: tf.Tensor): tf.Tensor {
  return tf.cast(condition, 'float32')
}

/** Sums a gradient over the axes along which its input was broadcast. */
export function unbroadcast(gradient: tf.Tensor, shape: readonly number[]): tf.Tensor {
  const axes = tf.broadcast_util.getReductionAxes([...shape], gradient.shape)
  const summed = axes.length > 0 ? tf.sum(gradient, axes) : gradient
  return tf.reshape(summed, [...shape])
}

/** Runs a kernel that tfjs exports no op for. */
export function kernel(name: string, inputs: { [name: string]: tf.Tensor }, attributes: Attributes = {}): tf.Tensor {
  return tf.engine().runKernel(name, inputs, attributes as tf.NamedAttrMap) as tf.Tensor
}

/** Zeros that a graph records as one number; `tf.zeros` would make them all while it is recorded. */
export function zeros(shape: readonly number[]): tf.Tensor {
  return tf.fill([...shape], 0, 'float32')
}

/** The tensor along more of the axes that it has. */
export function spread(x: tf.Tensor, shape: readonly number[]): tf.Tensor {
  return tf.util.arraysEqual(x.shape, [...shape]) ? x : tf.add(x, zeros(shape))
}
