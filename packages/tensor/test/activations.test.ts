import * as tf from '@tensorflow/tfjs'
import { beforeAll, expect, test } from 'vitest'
import { type ActivationName, activate } from '../src/index.ts'

beforeAll(() => tf.setBackend('cpu'))

// Φ(1) = 0.8413447, Φ(−1) = 0.1586553; σ(±1) = 0.7310586, 0.2689414
test.each<[ActivationName, number, number]>([
  ['linear', 1, -1],
  ['relu', 1, 0],
  ['tanh', Math.tanh(1), Math.tanh(-1)],
  ['sigmoid', 0.7310586, 0.2689414],
  ['elu', 1, Math.exp(-1) - 1],
  ['selu', 1.050701, 1.7580993 * (Math.exp(-1) - 1)],
  ['gelu', 0.8413447, -0.1586553],
  ['silu', 0.7310586, -0.2689414],
  ['softplus', Math.log(1 + Math.E), Math.log(1 + 1 / Math.E)],
  ['softmax', 1 / (1 + Math.exp(-2)), 1 / (1 + Math.exp(2))],
])('%s of 1 and −1', (name, at1, atMinus1) => {
  const [first, second] = activate(name, tf.tensor1d([1, -1])).dataSync()
  expect(first).toBeCloseTo(at1, 6)
  expect(second).toBeCloseTo(atMinus1, 6)
})
