import { createRng } from '@regimen/core'
import type * as tf from '@tensorflow/tfjs-core'
import { adam, meanSquaredError, mlp, valueAndGradient } from '../../src/index.ts'
import { floats } from './arrays.ts'

const net = mlp({ sizes: [4, 8, 2], activation: 'tanh' })
export const rule = adam()
type Params = Parameters<typeof net.apply>[0]
type State = Parameters<typeof rule.apply>[1]['state']

/** A training step so small that ten thousand of them take a minute on a card made of software. */
export const update = (params: Params, state: State, x: tf.Tensor, y: tf.Tensor, rate: tf.Tensor) => {
  const { value, gradient } = valueAndGradient((p) => meanSquaredError(net.apply(p, x), y), params)
  return { loss: value, ...rule.apply(params, { gradients: gradient, state, rate }) }
}

export const start = net.init(createRng(1))
export const batch = [floats([8, 4], 3), floats([8, 2], 4), 0.01] as const
