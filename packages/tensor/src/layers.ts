import { describe, RegimenError } from '@regimen/core'
import * as tf from '@tensorflow/tfjs-core'
import type { LayersModel, layers as tfLayers } from '@tensorflow/tfjs-layers'
import { toArrays } from './files.ts'
import type { ActivationName } from './nets/activations.ts'
import { averagePool2d, conv1d, conv2d, maxPool2d } from './nets/convolution.ts'
import { dense } from './nets/dense.ts'
import { embedding } from './nets/embedding.ts'
import type { Net } from './nets/net.ts'
import { batchNorm, layerNorm } from './nets/normalization.ts'
import { bidirectional, gru, lstm } from './nets/recurrent.ts'
import { activation, dropout, flatten, sequential, withoutParameters } from './nets/sequential.ts'

type Layer = tfLayers.Layer
type Config = { readonly [name: string]: unknown }
type Weights = { readonly [name: string]: tf.Tensor | Weights }

/** A layer as a net with its weights as a tree. */
interface Part {
  readonly net: Net<unknown>
  readonly params: Weights | readonly []
}

/** A tree of the weights that {@link fromLayersModel} found, one entry a layer. */
export type LayersParams = readonly LayerParams[]

/** The weights of one layer. */
export type LayerParams = tf.Tensor | readonly [] | { readonly [name: string]: LayerParams }

/**
 * Adapts a `tf.LayersModel` (a sequence of layers, built by hand or loaded) into a net: a pure function over a tree of
 * parameters that differentiates to any order, compiles, and takes a task axis. `init` returns a copy of the model's
 * weights, whatever the generator; the model itself is left alone.
 *
 * Layers: Dense, Conv1D, Conv2D, MaxPooling2D, AveragePooling2D, LSTM, GRU, Bidirectional, BatchNormalization,
 * LayerNormalization, Dropout, Activation, ReLU, ELU, Softmax, Flatten, Reshape, Embedding. Any other layer, a branching
 * model or an option that has no counterpart is an error that names it.
 *
 * ```ts
 * import * as tf from '@tensorflow/tfjs'
 * import { createRng } from '@regimen/core'
 * import { toTensors } from '@regimen/tensor'
 * import { fromLayersModel } from '@regimen/tensor/layers'
 *
 * const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2], activation: 'tanh' })] })
 * const net = fromLayersModel(model)
 * const x = tf.tensor2d([[0.3, -0.2]])
 * const difference = net.apply(toTensors(net.init(createRng(1))), x).sub(model.predict(x) as tf.Tensor)
 * difference.abs().max().dataSync()[0] // => 0
 * ```
 */
export function fromLayersModel(model: LayersModel): Net<LayersParams> {
  refuseBranches(model)
  const parts = model.layers.filter((layer) => layer.getClassName() !== 'InputLayer').map(adapt)
  const net = sequential(parts.map((part) => part.net)) as unknown as Net<LayersParams>
  const weights = toArrays(parts.map((part) => part.params)) as never
  return { ...net, init: () => copy(weights) }
}

function copy<T>(tree: T): T {
  return structuredClone(tree)
}

function refuseBranches(model: LayersModel): void {
  const chain = model.layers.filter((layer) => layer.getClassName() !== 'InputLayer')
  chain.forEach((layer, i) => {
    const follows = layer.inboundNodes.some(({ inboundLayers: [source, ...more] }) => {
      if (more.length > 0) return false
      return i === 0 ? source === undefined || source.getClassName() === 'InputLayer' : source === chain[i - 1]
    })
    if (!follows) {
      const hint = 'Adapt the straight parts and join them with residual or branches.'
      throw unsupported(layer, 'the model branches here', hint)
    }
  })
}

function adapt(layer: Layer): Part {
  const config = layer.getConfig() as Config
  const make = adapters[layer.getClassName()]
  if (!make)
    throw unsupported(layer, 'this layer has no counterpart', `Use one of ${Object.keys(adapters).join(', ')}.`)
  return make({ layer, config, weights: layer.getWeights() })
}

interface Source {
  readonly layer: Layer
  readonly config: Config
  readonly weights: tf.Tensor[]
}

const adapters: { readonly [className: string]: (source: Source) => Part } = {
  Dense: ({ layer, config, weights: [kernel, bias] }) => ({
    net: dense({ inputs: kernel!.shape[0]!, outputs: kernel!.shape[1]!, activation: named(layer, config.activation) }),
    params: withBias(kernel!, bias),
  }),
  Conv1D: ({ layer, config, weights: [kernel, bias] }) => {
    const [window, inputs, outputs] = kernel!.shape as [number, number, number]
    need(layer, config, 'dataFormat', ['channelsLast', undefined])
    const net = conv1d({
      inputs,
      outputs,
      window,
      stride: first(config.strides),
      dilation: first(config.dilationRate),
      padding: config.padding as 'same' | 'valid' | 'causal',
      activation: named(layer, config.activation),
    })
    return { net, params: withBias(kernel!, bias) }
  },
  Conv2D: ({ layer, config, weights: [kernel, bias] }) => {
    const [height, width, inputs, outputs] = kernel!.shape as [number, number, number, number]
    need(layer, config, 'dataFormat', ['channelsLast'])
    if (![config.dilationRate].flat().every((rate) => rate === 1)) {
      throw unsupported(layer, `dilationRate ${describe(config.dilationRate)} has no counterpart`, 'Use 1.')
    }
    const net = conv2d({
      inputs,
      outputs,
      window: [height, width],
      stride: config.strides as [number, number],
      padding: config.padding as 'same' | 'valid',
      activation: named(layer, config.activation),
    })
    return { net, params: withBias(kernel!, bias) }
  },
  MaxPooling2D: (source) => ({ net: maxPool2d(poolOptions(source)), params: [] }),
  AveragePooling2D: (source) => ({ net: averagePool2d(poolOptions(source)), params: [] }),
  LSTM: ({ layer, config, weights: [kernel, recurrent, bias] }) => {
    const options = recurrentOptions(layer, config, kernel!)
    const { hidden } = options
    // Keras keeps the gates as i, f, g, o.
    const reorder = (t: tf.Tensor): tf.Tensor => {
      const [i, f, g, o] = tf.split(t, 4, -1)
      return tf.concat([i!, f!, o!, g!], t.rank - 1)
    }
    const shift = bias ?? tf.zeros([4 * hidden])
    return {
      net: lstm(options),
      params: { kernel: reorder(kernel!), recurrent: reorder(recurrent!), bias: reorder(shift) },
    }
  },
  GRU: ({ layer, config, weights: [kernel, recurrent, bias] }) => {
    const options = recurrentOptions(layer, config, kernel!)
    const shift = bias ?? tf.zeros([3 * options.hidden])
    const net = gru({ ...options, resetAfter: config.resetAfter === true })
    return { net, params: { kernel: kernel!, recurrent: recurrent!, bias: shift } }
  },
  Bidirectional: ({ layer, config }) => {
    need(layer, config, 'mergeMode', ['concat'])
    const both = layer as unknown as { forwardLayer: Layer; backwardLayer: Layer }
    const [ahead, back] = [adapt(both.forwardLayer), adapt(forwards(both.backwardLayer))]
    return {
      net: bidirectional(ahead.net),
      params: { forward: ahead.params as Weights, backward: back.params as Weights },
    }
  },
  BatchNormalization: ({ layer, config, weights }) => {
    const rest = [...weights]
    const features = rest.at(-1)!.shape[0]!
    lastAxis(layer, config)
    const scale = config.scale === false ? tf.ones([features]) : rest.shift()!
    const bias = config.center === false ? tf.zeros([features]) : rest.shift()!
    const net = batchNorm({ features, epsilon: config.epsilon as number, momentum: config.momentum as number })
    return { net, params: { scale, bias, mean: rest[0]!, variance: rest[1]! } }
  },
  LayerNormalization: ({ layer, config, weights }) => {
    const rest = [...weights]
    lastAxis(layer, config)
    const features = (layer.inputSpec?.[0]?.shape ?? (layer.outputShape as number[])).at(-1)!
    const scale = config.scale === false ? tf.ones([features]) : rest.shift()!
    const bias = config.center === false ? tf.zeros([features]) : rest.shift()!
    return { net: layerNorm({ features, epsilon: config.epsilon as number }), params: { scale, bias } }
  },
  Embedding: ({ layer, config, weights: [table] }) => {
    need(layer, config, 'maskZero', [false, undefined, null])
    return {
      net: embedding({ symbols: table!.shape[0]!, outputs: table!.shape[1]! }),
      params: { table: table! },
    }
  },
  Dropout: ({ config }) => ({ net: dropout(config.rate as number), params: [] }),
  Activation: ({ layer, config }) => ({ net: activation(named(layer, config.activation)), params: [] }),
  ReLU: ({ layer, config }) => {
    need(layer, config, 'maxValue', [undefined, null])
    return { net: activation('relu'), params: [] }
  },
  ELU: ({ layer, config }) => {
    need(layer, config, 'alpha', [1, undefined])
    return { net: activation('elu'), params: [] }
  },
  Softmax: ({ layer, config }) => {
    lastAxis(layer, config)
    return { net: activation('softmax'), params: [] }
  },
  Flatten: () => ({ net: flatten(), params: [] }),
  Reshape: ({ config }) => ({
    net: withoutParameters((x, { tasks }) =>
      tf.reshape(x, [...x.shape.slice(0, tasks ? 2 : 1), ...(config.targetShape as number[])]),
    ),
    params: [],
  }),
}

function withBias(kernel: tf.Tensor, bias: tf.Tensor | undefined): Weights {
  return bias ? { kernel, bias } : { kernel }
}

function poolOptions({ layer, config }: Source): { window: [number, number]; stride: [number, number] } {
  need(layer, config, 'padding', ['valid'])
  need(layer, config, 'dataFormat', ['channelsLast', undefined])
  return { window: config.poolSize as [number, number], stride: config.strides as [number, number] }
}

function recurrentOptions(layer: Layer, config: Config, kernel: tf.Tensor) {
  need(layer, config, 'activation', ['tanh'])
  need(layer, config, 'recurrentActivation', ['sigmoid', 'hardSigmoid', 'hard_sigmoid'])
  need(layer, config, 'goBackwards', [false, undefined])
  need(layer, config, 'stateful', [false, undefined])
  need(layer, config, 'dropout', [0, undefined])
  need(layer, config, 'recurrentDropout', [0, undefined])
  return {
    inputs: kernel.shape[0]!,
    hidden: config.units as number,
    sequences: config.returnSequences === true,
    gateActivation: config.recurrentActivation === 'sigmoid' ? ('sigmoid' as const) : ('hardSigmoid' as const),
  }
}

// The backward half reads the reversed sequence; the net reverses it itself.
function forwards(layer: Layer): Layer {
  const view = Object.create(layer) as Layer
  view.getConfig = () => ({ ...layer.getConfig(), goBackwards: false })
  return view
}

function named(layer: Layer, name: unknown): ActivationName {
  const known: { readonly [keras: string]: ActivationName } = {
    linear: 'linear',
    relu: 'relu',
    tanh: 'tanh',
    sigmoid: 'sigmoid',
    elu: 'elu',
    selu: 'selu',
    softplus: 'softplus',
    softmax: 'softmax',
    swish: 'silu',
    gelu: 'gelu',
  }
  const found = known[String(name ?? 'linear')]
  if (!found) {
    throw unsupported(
      layer,
      `the activation ${describe(name)} has no counterpart`,
      `Use ${Object.keys(known).join(', ')}.`,
    )
  }
  return found
}

function first(value: unknown): number {
  return Array.isArray(value) ? (value[0] as number) : ((value as number | undefined) ?? 1)
}

function lastAxis(layer: Layer, config: Config): void {
  const axis = [config.axis].flat()[0] as number | undefined
  const rank = (layer.outputShape as number[]).length
  if (axis !== undefined && axis !== -1 && axis !== rank - 1) {
    throw unsupported(layer, `axis ${axis} has no counterpart`, 'Normalize the last axis.')
  }
}

function need(layer: Layer, config: Config, option: string, accepted: readonly unknown[]): void {
  if (accepted.includes(config[option])) return
  throw unsupported(
    layer,
    `${option} ${describe(config[option])} has no counterpart`,
    `Use ${
      accepted
        .filter((value) => value != null)
        .map(describe)
        .join(' or ') || 'the default'
    }.`,
  )
}

function unsupported(layer: Layer, problem: string, hint: string): RegimenError {
  return new RegimenError(`${problem}: layer "${layer.name}" of class ${layer.getClassName()}.`, {
    code: 'UNSUPPORTED_LAYER',
    where: 'tensor/layers',
    hint,
  })
}
