import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { useHigherOrderGradients } from '../src/gradients/higher-order.ts'
import { opCases } from './support/differentiable-ops.ts'
import { checkSecondOrder } from './support/second-order.ts'

// `@tensorflow/tfjs-core` brings no gradients of its own; an app that installs it alone gets the core's.
test('tfjs-core alone has no gradients', () => {
  expect(tf.getGradient('Multiply')).toBeUndefined()
})

test.each(opCases)('without tfjs: $name', (op) => {
  useHigherOrderGradients()
  checkSecondOrder(op)
})
