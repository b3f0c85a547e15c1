import { check, describe } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import { type ActivationName, activate } from './activations.ts'
import { type InitializerName, initialize } from './initializers.ts'
import { affine, checkInput, checkSize, defineNet, type Net } from './net.ts'
import { takePatches } from './patches.ts'
import { type ResidualParams, residual, sequential, withoutParameters } from './sequential.ts'

/** Parameters of {@link conv1d} and {@link conv2d}. */
export type ConvParams = {
  /** [window, inputs, outputs] or [height, width, inputs, outputs] */
  kernel: tf.Tensor
  /** [outputs]; absent without bias. */
  bias?: tf.Tensor
}

/** Options of {@link conv1d}. */
export interface Conv1dOptions {
  /** Channels of the input, ≥ 1. */
  inputs: number
  /** Channels of the output, ≥ 1. */
  outputs: number
  /** Steps that the kernel spans, ≥ 1. */
  window: number
  /** Distance between the steps read, ≥ 1. @default 1 */
  dilation?: number
  /** Distance between outputs, ≥ 1. @default 1 */
  stride?: number
  /**
   * `causal` sees the past only and keeps the length; `same` keeps the length and looks ahead; `valid` pads nothing.
   * @default 'causal'
   */
  padding?: 'causal' | 'same' | 'valid'
  /** Applied to the result. @default 'linear' */
  activation?: ActivationName
  /** Adds a bias. @default true */
  bias?: boolean
  /** How the kernel is drawn. @default 'glorotUniform' */
  initializer?: InitializerName
}

/**
 * Makes a convolution over time, causal and dilated if wished: inputs [n, steps, channels]. Written as slices and one
 * matrix product, so it differentiates to any order and takes a task axis.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { conv1d } from '@regimen/tensor'
 *
 * const net = conv1d({ inputs: 1, outputs: 1, window: 2, bias: false })
 * const difference = { kernel: tf.tensor3d([[[-1]], [[1]]]) }
 * Array.from(net.apply(difference, tf.tensor3d([[[1], [4], [9]]])).dataSync()) // => [1, 3, 5]
 * ```
 */
export function conv1d(options: Conv1dOptions): Net<ConvParams> {
  const { inputs, outputs, window, dilation = 1, stride = 1, padding = 'causal', activation = 'linear' } = options
  for (const [name, value] of Object.entries({ inputs, outputs, window, dilation, stride })) {
    checkSize('tensor/conv1d', name, value)
  }
  return defineNet<ConvParams>({
    init: (rng) => ({
      kernel: initialize(options.initializer ?? 'glorotUniform', [window, inputs, outputs], rng.split('kernel')),
      ...(options.bias === false ? {} : { bias: initialize('zeros', [outputs], rng) }),
    }),
    taskAxis: ({ kernel }) => kernel.rank === 4,
    apply: ({ kernel, bias }, x) => {
      checkInput('tensor/conv1d', x, inputs, kernel.rank === 4 ? kernel.shape[0]! : undefined)
      const lead = kernel.rank === 4 ? [kernel.shape[0]!] : []
      const flat = tf.reshape(kernel, [...lead, window * inputs, outputs])
      return activate(activation, affine(unroll(x, { window, dilation, stride, padding }), flat, bias))
    },
  })
}

// Lays the steps that each output reads side by side in the channel axis.
function unroll(
  x: tf.Tensor,
  { window, dilation, stride, padding }: Required<Pick<Conv1dOptions, 'window' | 'dilation' | 'stride' | 'padding'>>,
): tf.Tensor {
  const axis = x.rank - 2
  const steps = x.shape[axis]!
  const reach = (window - 1) * dilation
  const length = padding === 'valid' ? Math.floor((steps - reach - 1) / stride) + 1 : Math.ceil(steps / stride)
  const needed = Math.max((length - 1) * stride + reach + 1 - steps, 0)
  const before = padding === 'causal' ? reach : padding === 'same' ? Math.floor(needed / 2) : 0
  const after = padding === 'same' ? needed - before : 0
  const none = new Array<[number, number]>(axis).fill([0, 0])
  const padded = before + after === 0 ? x : tf.pad(x, [...none, [before, after], [0, 0]])
  const lead = new Array<number>(axis).fill(0)
  const sizes = x.shape.slice(0, axis)
  const taps = Array.from({ length: window }, (_, k) => {
    if (stride > 1) return tf.gather(padded, range(k * dilation, length, stride), axis)
    return tf.slice(padded, [...lead, k * dilation, 0], [...sizes, length, x.shape[axis + 1]!])
  })
  return taps.length === 1 ? taps[0]! : tf.concat(taps, axis + 1)
}

function range(start: number, length: number, step: number): tf.Tensor1D {
  return tf.tensor1d(
    Array.from({ length }, (_, i) => start + i * step),
    'int32',
  )
}

/** Options of {@link tcn}. */
export interface TcnOptions {
  /** Channels of the input. */
  inputs: number
  /** Channels of each residual block; block k dilates by 2ᵏ. */
  channels: readonly number[]
  /** Steps that each kernel spans. @default 3 */
  window?: number
  /** Between the convolutions. @default 'relu' */
  activation?: ActivationName
}

/** Parameters of one block of {@link tcn}. */
export type TcnBlockParams = ResidualParams<[ConvParams, ConvParams], ConvParams>

/**
 * Makes a temporal convolutional net: residual blocks of two causal convolutions whose dilation doubles from block to
 * block, so that the last output sees 1 + 2 (window − 1)(2ᵇ − 1) steps after b blocks. Cheaper to train than an LSTM on
 * long windows and never looks ahead.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { tcn } from '@regimen/tensor'
 *
 * tcn({ inputs: 4, channels: [8, 8] }).init(createRng(1)).length // => 2
 * ```
 *
 * Reference: Bai, Kolter and Koltun 2018, "An empirical evaluation of generic convolutional and recurrent networks".
 */
export function tcn(options: TcnOptions): Net<TcnBlockParams[]> {
  const { inputs, channels, window = 3, activation = 'relu' } = options
  const blocks = channels.map((outputs, k): Net<TcnBlockParams> => {
    const from = k === 0 ? inputs : channels[k - 1]!
    const layer = { outputs, window, dilation: 2 ** k, activation, initializer: 'heUniform' as const }
    const inner = sequential<[ConvParams, ConvParams]>([
      conv1d({ ...layer, inputs: from }),
      conv1d({ ...layer, inputs: outputs }),
    ])
    const projection = from === outputs ? undefined : conv1d({ inputs: from, outputs, window: 1 })
    return residual<[ConvParams, ConvParams], ConvParams>(inner, projection)
  })
  return sequential<TcnBlockParams[]>(blocks)
}

/** Options of {@link conv2d}. */
export interface Conv2dOptions {
  /** Channels of the input, ≥ 1. */
  inputs: number
  /** Channels of the output, ≥ 1. */
  outputs: number
  /** Height and width of the kernel, or one number for both. */
  window: number | readonly [number, number]
  /** Distance between outputs. @default 1 */
  stride?: number | readonly [number, number]
  /** `same` keeps ceil(size / stride), `valid` pads nothing. @default 'same' */
  padding?: 'same' | 'valid'
  /** Applied to the result. @default 'linear' */
  activation?: ActivationName
  /** Adds a bias. @default true */
  bias?: boolean
  /** How the kernel is drawn. @default 'glorotUniform' */
  initializer?: InitializerName
}

/**
 * Makes a convolution over images [n, height, width, channels]. The windows are gathered and multiplied by one matrix:
 * right to any order of derivative and with a task axis, at the price of window² times the image in memory.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { conv2d } from '@regimen/tensor'
 *
 * const net = conv2d({ inputs: 1, outputs: 1, window: 2, padding: 'valid', bias: false })
 * net.apply({ kernel: tf.ones([2, 2, 1, 1]) }, tf.ones([1, 2, 2, 1])).dataSync()[0] // => 4
 * ```
 */
export function conv2d(options: Conv2dOptions): Net<ConvParams> {
  const { inputs, outputs, padding = 'same', activation = 'linear' } = options
  const window = pair('conv2d', 'window', options.window)
  const stride = pair('conv2d', 'stride', options.stride ?? 1)
  checkSize('tensor/conv2d', 'inputs', inputs)
  checkSize('tensor/conv2d', 'outputs', outputs)
  return defineNet<ConvParams>({
    init: (rng) => ({
      kernel: initialize(options.initializer ?? 'glorotUniform', [...window, inputs, outputs], rng.split('kernel')),
      ...(options.bias === false ? {} : { bias: initialize('zeros', [outputs], rng) }),
    }),
    taskAxis: ({ kernel }) => kernel.rank === 5,
    apply: ({ kernel, bias }, x) => {
      checkInput('tensor/conv2d', x, inputs, kernel.rank === 5 ? kernel.shape[0]! : undefined)
      const taken = takePatches(images(x), { window, stride, padding })
      const [, height, width, places] = taken.shape as [number, number, number, number]
      const lead = x.shape.slice(0, -3)
      const patches = tf.reshape(taken, [...lead, height, width, places * inputs])
      const flat = tf.reshape(kernel, [...kernel.shape.slice(0, -4), places * inputs, outputs])
      return activate(activation, affine(patches, flat, bias))
    },
  })
}

/** Options of {@link maxPool2d} and {@link averagePool2d}. */
export interface Pool2dOptions {
  /** Height and width of the window, or one number for both. @default 2 */
  window?: number | readonly [number, number]
  /** Distance between outputs. @default the window */
  stride?: number | readonly [number, number]
}

/**
 * Makes a max-pool over images [n, height, width, channels], without padding. All places that tie for the maximum
 * receive the gradient.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { maxPool2d } from '@regimen/tensor'
 *
 * maxPool2d().apply([], tf.tensor4d([1, 5, 2, 3], [1, 2, 2, 1])).dataSync()[0] // => 5
 * ```
 */
export function maxPool2d(options: Pool2dOptions = {}): Net<[]> {
  return pool2d('maxPool2d', options, (patches) => tf.max(patches, 3))
}

/**
 * Makes an average-pool over images [n, height, width, channels], without padding.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { averagePool2d } from '@regimen/tensor'
 *
 * averagePool2d().apply([], tf.tensor4d([1, 6, 2, 3], [1, 2, 2, 1])).dataSync()[0] // => 3
 * ```
 */
export function averagePool2d(options: Pool2dOptions = {}): Net<[]> {
  return pool2d('averagePool2d', options, (patches) => tf.mean(patches, 3))
}

function pool2d(name: string, options: Pool2dOptions, reduce: (patches: tf.Tensor) => tf.Tensor): Net<[]> {
  const window = pair(name, 'window', options.window ?? 2)
  const stride = pair(name, 'stride', options.stride ?? window)
  return withoutParameters((x) => {
    const pooled = reduce(takePatches(images(x), { window, stride, padding: 'valid' }))
    return tf.reshape(pooled, [...x.shape.slice(0, -3), ...pooled.shape.slice(1)])
  })
}

/** Joins the task axis, if there is one, with the batch axis. */
function images(x: tf.Tensor): tf.Tensor {
  check(
    x.rank === 4 || x.rank === 5,
    'tensor/conv2d',
    () => `images must have the shape [n, height, width, channels], got [${x.shape.join(', ')}].`,
  )
  return x.rank === 4 ? x : tf.reshape(x, [-1, ...x.shape.slice(2)])
}

function pair(name: string, option: string, value: number | readonly [number, number]): readonly [number, number] {
  const both: readonly [number, number] = typeof value === 'number' ? [value, value] : value
  check(
    both.length === 2 && both.every((v) => Number.isInteger(v) && v >= 1),
    `tensor/${name}`,
    () => `${option} must be an integer ≥ 1 or two of them, got ${describe(value)}.`,
  )
  return both
}
