import type * as tf from '@tensorflow/tfjs-core'
import { type ActivationName, activate } from './activations.ts'
import { type InitializerName, initialize } from './initializers.ts'
import { affine, checkInput, checkSize, defineNet, type Net } from './net.ts'
import { sequential } from './sequential.ts'

/** Options of {@link dense}. */
export interface DenseOptions {
  /** Size of the input's last axis, ≥ 1. */
  inputs: number
  /** Size of the output's last axis, ≥ 1. */
  outputs: number
  /** Applied to the result. @default 'linear' */
  activation?: ActivationName
  /** Adds a bias. @default true */
  bias?: boolean
  /** How the kernel is drawn. @default 'glorotUniform' */
  initializer?: InitializerName
  /** How the bias is drawn. @default 'zeros' */
  biasInitializer?: InitializerName
}

/** Parameters of {@link dense}. */
export type DenseParams = {
  /** [inputs, outputs] */
  kernel: tf.Tensor
  /** [outputs]; absent without bias. */
  bias?: tf.Tensor
}

/**
 * Makes a fully connected layer, y = activation(x W + b), over the last axis of an input of any rank from two.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { dense } from '@regimen/tensor'
 *
 * const net = dense({ inputs: 2, outputs: 1 })
 * const params = { kernel: tf.tensor2d([[2], [3]]), bias: tf.tensor1d([1]) }
 * net.apply(params, tf.tensor2d([[10, 1]])).dataSync()[0] // => 24
 * ```
 */
export function dense(options: DenseOptions): Net<DenseParams> {
  const { inputs, outputs, activation = 'linear', bias = true, initializer = 'glorotUniform' } = options
  checkSize('tensor/dense', 'inputs', inputs)
  checkSize('tensor/dense', 'outputs', outputs)
  return defineNet<DenseParams>({
    init: (rng) => ({
      kernel: initialize(initializer, [inputs, outputs], rng.split('kernel')),
      ...(bias ? { bias: initialBias(options, rng.split('bias')) } : {}),
    }),
    taskAxis: ({ kernel }) => kernel.rank === 3,
    apply: ({ kernel, bias: shift }, x) => {
      checkInput('tensor/dense', x, inputs, kernel.rank === 3 ? kernel.shape[0]! : undefined)
      return activate(activation, affine(x, kernel, shift))
    },
  })
}

/** Options of {@link mlp}. */
export interface MlpOptions {
  /** Sizes from the input to the output: `[45, 128, 64, 3]`. */
  sizes: readonly number[]
  /** Between the layers. @default 'relu' */
  activation?: ActivationName
  /** After the last layer. @default 'linear' */
  outputActivation?: ActivationName
  /** How the kernels are drawn. @default 'heUniform' */
  initializer?: InitializerName
  /** How the biases are drawn. @default 'zeros' */
  biasInitializer?: InitializerName
}

/**
 * Makes a multi-layer perceptron: dense layers of the given sizes with an activation between them.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { mlp } from '@regimen/tensor'
 *
 * const params = mlp({ sizes: [45, 128, 64, 3] }).init(createRng(1))
 * params.map((layer) => layer.kernel.shape.join('×')) // => ['45×128', '128×64', '64×3']
 * ```
 */
export function mlp(options: MlpOptions): Net<DenseParams[]> {
  const { sizes, activation = 'relu', outputActivation = 'linear', initializer = 'heUniform' } = options
  const { biasInitializer = 'zeros' } = options
  checkSize('tensor/mlp', 'the number of layers', sizes.length - 1)
  const layers = sizes.slice(1).map((outputs, i) => {
    const last = i === sizes.length - 2
    const inputs = sizes[i]!
    return dense({ inputs, outputs, activation: last ? outputActivation : activation, initializer, biasInitializer })
  })
  return sequential(layers)
}

// A bias has no fan of its own: PyTorch draws it by the kernel's fan in.
function initialBias(
  { inputs, outputs, biasInitializer = 'zeros' }: DenseOptions,
  rng: Parameters<typeof initialize>[2],
) {
  if (biasInitializer !== 'pytorchLinear') return initialize(biasInitializer, [outputs], rng)
  return initialize('uniform', [outputs], rng, { gain: 1 / Math.sqrt(inputs) })
}
