import { createRng } from '@regimen/core'
import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, test } from 'vitest'
import { compile, meanSquaredError, type Net, type TensorLeaf, toTensors, valueAndGradient } from '../src/index.ts'
import { fromLayersModel } from '../src/layers.ts'

beforeAll(() => tf.setBackend('cpu'))

const { layers } = tf
const image = { inputShape: [7, 6, 2] }
const steps = { inputShape: [5, 3] }

function numbers(shape: number[], seed: number): TensorLeaf {
  const rng = createRng(seed)
  const size = shape.reduce((a, b) => a * b, 1)
  return { dtype: 'float32', shape, data: Float32Array.from({ length: size }, () => rng.normal()) }
}

/** Replaces every weight, so that none keeps an unseeded draw or its initial zero or one; variances are positive. */
function reweigh(model: tf.LayersModel): void {
  let seed = 1
  for (const layer of model.layers) {
    const weights = layer.getWeights().map((w) => {
      const noise = toTensors(numbers(w.shape, seed++))
      return layer.getClassName() === 'BatchNormalization' ? tf.add(tf.square(noise), 0.5) : tf.mul(noise, 0.5)
    })
    layer.setWeights(weights)
  }
}

const models: [string, () => tf.layers.Layer[], number[]][] = [
  [
    'dense',
    () => [
      layers.dense({ units: 4, inputShape: [3], activation: 'relu' }),
      layers.dense({ units: 2, useBias: false, activation: 'softmax' }),
    ],
    [5, 3],
  ],
  [
    'activations',
    () => [
      layers.dense({ units: 3, inputShape: [3], activation: 'selu' }),
      layers.activation({ activation: 'elu' }),
      layers.reLU(),
      layers.dense({ units: 2, activation: 'softplus' }),
      layers.softmax({}),
    ],
    [5, 3],
  ],
  [
    'conv1d',
    () => [
      layers.conv1d({ ...steps, filters: 4, kernelSize: 3, padding: 'same', dilationRate: 2, activation: 'tanh' }),
      layers.conv1d({ filters: 2, kernelSize: 2, strides: 2, padding: 'same' }),
      layers.conv1d({ filters: 2, kernelSize: 2, padding: 'valid' }),
    ],
    [2, 5, 3],
  ],
  [
    'conv2d',
    () => [
      layers.conv2d({ ...image, filters: 3, kernelSize: 3, padding: 'same', activation: 'relu' }),
      layers.maxPooling2d({ poolSize: 2 }),
      layers.conv2d({ filters: 2, kernelSize: [2, 1], strides: [1, 2], useBias: false }),
      layers.averagePooling2d({ poolSize: [2, 1], strides: [1, 1] }),
      layers.flatten(),
      layers.dense({ units: 2 }),
    ],
    [2, 7, 6, 2],
  ],
  [
    'lstm',
    () => [
      layers.lstm({ ...steps, units: 4, returnSequences: true }),
      layers.lstm({ units: 3, recurrentActivation: 'sigmoid', useBias: false }),
    ],
    [2, 5, 3],
  ],
  [
    'gru',
    () => [
      layers.gru({ ...steps, units: 4, returnSequences: true }),
      layers.gru({ units: 3, recurrentActivation: 'sigmoid' }),
    ],
    [2, 5, 3],
  ],
  [
    'bidirectional',
    () => [
      layers.bidirectional({ ...steps, layer: layers.lstm({ units: 3, returnSequences: true }), mergeMode: 'concat' }),
      layers.bidirectional({ layer: layers.gru({ units: 2 }), mergeMode: 'concat' }),
    ],
    [2, 5, 3],
  ],
  [
    'normalization',
    () => [
      layers.dense({ units: 4, inputShape: [3] }),
      layers.batchNormalization({}),
      layers.layerNormalization({}),
      layers.batchNormalization({ scale: false, center: false }),
    ],
    [5, 3],
  ],
  [
    'dropout, reshape',
    () => [layers.dropout({ rate: 0.5, inputShape: [6] }), layers.reshape({ targetShape: [2, 3] }), layers.flatten()],
    [5, 6],
  ],
]

describe('the adapted net answers as the model does', () => {
  test.each(models)('%s', async (_, build, shape) => {
    const model = tf.sequential({ layers: build() })
    reweigh(model)
    const net = fromLayersModel(model) as Net<unknown>
    const params = net.init(createRng(1)) as never
    const x = numbers(shape, 99)
    const expected = model.predict(toTensors(x)) as tf.Tensor
    const eager = net.apply(toTensors(params), toTensors(x))
    expect(eager.shape).toEqual(expected.shape)
    expect(tf.max(tf.abs(tf.sub(eager, expected))).dataSync()[0]).toBeLessThan(1e-6)
    const compiled = compile((p: unknown, at: tf.Tensor) => net.apply(p, at))
    const { data } = await compiled(params, x)
    await compiled.dispose()
    const values = expected.dataSync()
    for (const [i, value] of data.entries()) expect(Math.abs(Number(value) - values[i]!)).toBeLessThan(2e-6)
  })

  test('embedding', () => {
    const model = tf.sequential({
      layers: [layers.embedding({ inputDim: 5, outputDim: 2, inputLength: 3 }), layers.flatten()],
    })
    const x = tf.tensor2d([[4, 0, 2]], [1, 3], 'int32')
    const net = fromLayersModel(model)
    const difference = tf.sub(net.apply(toTensors(net.init(createRng(1))), x), model.predict(x) as tf.Tensor)
    expect(tf.max(tf.abs(difference)).dataSync()[0]).toBe(0)
  })
})

test('the net trains and the model stays as it was', () => {
  const model = tf.sequential({ layers: [layers.dense({ units: 1, inputShape: [2] })] })
  const before = Array.from(model.getWeights()[0]!.dataSync())
  const net = fromLayersModel(model) as Net<unknown>
  const params = toTensors(net.init(createRng(1)) as never) as unknown
  const { gradient } = valueAndGradient(
    (p) => meanSquaredError(net.apply(p, tf.ones([3, 2])), tf.zeros([3, 1])),
    params,
  )
  // d/dw of (w·1 + b)² = 2 (w₁ + w₂ + b)
  const slope = 2 * (before[0]! + before[1]!)
  expect((gradient as [{ kernel: tf.Tensor }])[0].kernel.dataSync()[0]).toBeCloseTo(slope, 5)
  expect(Array.from(model.getWeights()[0]!.dataSync())).toEqual(before)
})

test('what has no counterpart is named', () => {
  const of =
    (...list: tf.layers.Layer[]) =>
    () =>
      fromLayersModel(tf.sequential({ layers: list }))
  expect(of(layers.dense({ units: 1, inputShape: [2], name: 'odd', activation: 'relu6' }))).toThrow(
    'the activation "relu6" has no counterpart: layer "odd" of class Dense',
  )
  expect(of(layers.upSampling2d({ inputShape: [2, 2, 1], name: 'up' }))).toThrow('layer "up" of class UpSampling2D')
  expect(of(layers.lstm({ units: 1, inputShape: [2, 1], activation: 'relu' }))).toThrow(
    'activation "relu" has no counterpart',
  )
  const input = tf.input({ shape: [2] })
  const sum = layers
    .add()
    .apply([layers.dense({ units: 2 }).apply(input) as tf.SymbolicTensor, input]) as tf.SymbolicTensor
  expect(() => fromLayersModel(tf.model({ inputs: input, outputs: sum }))).toThrow('branches here')
})
