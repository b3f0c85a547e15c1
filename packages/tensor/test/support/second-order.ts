import * as tf from '@tensorflow/tfjs-core'
import { expect } from 'vitest'
import { withOwnGradients } from '../../src/gradients/higher-order.ts'
import { type OpCase, spread } from './differentiable-ops.ts'

/** g(x) = Σ weights · f(x), so that every output counts differently. */
export function objective(op: OpCase): (...x: tf.Tensor[]) => tf.Scalar {
  return (...x) => {
    const y = op.apply(...x)
    const weights = spread({ shape: y.shape, low: -1, high: 1.4 }, 5)
    return tf.sum(tf.mul(y, weights)) as tf.Scalar
  }
}

export function dot(a: readonly tf.Tensor[], b: readonly tf.Tensor[]): tf.Scalar {
  return a.map((x, i) => tf.sum(tf.mul(x, b[i]!))).reduce((x, y) => tf.add(x, y)) as tf.Scalar
}

export function point(op: OpCase): { x: tf.Tensor[]; v: tf.Tensor[] } {
  const x = op.inputs.map((input, i) => spread(input, i))
  const v = op.inputs.map((input, i) => spread({ ...input, low: -1, high: 1.2 }, i + 7))
  return { x, v }
}

/** First and second derivatives in float32 against central differences in float32: coarse, but needs nothing else. */
export function checkSecondOrder(op: OpCase): void {
  tf.tidy(() => {
    const { x, v } = point(op)
    const g = objective(op)
    const gradient = (at: tf.Tensor[]) => withOwnGradients(() => tf.grads(g)(at))
    const h = 1e-2
    const moved = (sign: number) => x.map((t, i) => tf.add(t, tf.mul(v[i]!, sign * h)))
    // first order: ∇g · v against (g(x + hv) − g(x − hv)) / 2h
    const slope = dot(gradient(x), v).dataSync()[0]!
    const numeric = (g(...moved(1)).dataSync()[0]! - g(...moved(-1)).dataSync()[0]!) / (2 * h)
    expect(Math.abs(slope - numeric) / (1 + Math.abs(numeric))).toBeLessThan(2e-3)
    // second order: Hv against (∇g(x + hv) − ∇g(x − hv)) / 2h
    const product = tf.grads((...z: tf.Tensor[]) => dot(gradient(z), v))(x)
    const [ahead, behind] = [gradient(moved(1)), gradient(moved(-1))]
    product.forEach((actual, i) => {
      const expected = tf.div(tf.sub(ahead[i]!, behind[i]!), 2 * h)
      const error = tf.norm(tf.sub(actual, expected)).dataSync()[0]!
      const size = tf.norm(expected).dataSync()[0]!
      expect(error / (1 + size)).toBeLessThan(1e-2)
    })
  })
}
