import * as tf from '@tensorflow/tfjs'
import { beforeAll, describe, expect, test } from 'vitest'
import { openReference } from '../src/compile/reference.ts'
import {
  binaryCrossEntropy,
  gaussianNll,
  huber,
  meanSquaredError,
  quantileLoss,
  softmaxCrossEntropy,
  studentTNll,
} from '../src/index.ts'

beforeAll(() => tf.setBackend('cpu'))

const value = (t: tf.Tensor) => t.dataSync()[0]!

describe('worked by hand', () => {
  test('mean squared error: (1 + 9)/2 and (4 + 0)/2 by sample, mean 3.5; weights 3 and 1 make 17/4', () => {
    const [prediction, target] = [
      tf.tensor2d([
        [1, 3],
        [2, 0],
      ]),
      tf.zeros([2, 2]),
    ]
    expect(value(meanSquaredError(prediction, target))).toBeCloseTo(3.5, 6)
    expect(value(meanSquaredError(prediction, target, { weights: tf.tensor1d([3, 1]) }))).toBeCloseTo(4.25, 6)
  })

  test('samples of weight 0 change neither the loss nor its gradient', () => {
    const target = tf.tensor2d([[0], [0], [99]])
    const loss = (x: tf.Tensor) => meanSquaredError(x, target, { weights: tf.tensor1d([1, 1, 0]) })
    const x = tf.tensor2d([[1], [3], [7]])
    expect(value(loss(x))).toBeCloseTo(5, 6)
    const gradient = tf.grad(loss)(x).dataSync()
    for (const [i, expected] of [1, 3, 0].entries()) expect(gradient[i]).toBeCloseTo(expected, 6)
  })

  test('a batch of padding alone costs nothing', () => {
    expect(value(meanSquaredError(tf.ones([2, 1]), tf.zeros([2, 1]), { weights: tf.zeros([2]) }))).toBe(0)
  })

  test('each task its own mean: (1 + 9)/2 and 4 of weight one', () => {
    const prediction = tf.tensor3d([
      [[1], [3]],
      [[2], [5]],
    ])
    const weights = tf.tensor2d([
      [1, 1],
      [1, 0],
    ])
    const losses = meanSquaredError(prediction, tf.zeros([2, 2, 1]), { weights, perTask: true })
    expect(Array.from(losses.dataSync())).toEqual([5, 4])
  })

  test('Huber: 0.5²/2 inside, 2 (3 − 1) beyond δ = 2', () => {
    expect(value(huber(tf.tensor2d([[0.5]]), tf.zeros([1, 1]), { delta: 2 }))).toBeCloseTo(0.125, 6)
    expect(value(huber(tf.tensor2d([[-3]]), tf.zeros([1, 1]), { delta: 2 }))).toBeCloseTo(4, 6)
  })

  test('softmax cross-entropy: labels and probabilities agree; −log(2/4) and −log(1/4)', () => {
    // softmax(0, 0, log 2) = (1/4, 1/4, 2/4)
    const logits = tf.tensor2d([
      [0, 0, Math.log(2)],
      [0, 0, Math.log(2)],
    ])
    const labels = softmaxCrossEntropy(logits, tf.tensor1d([2, 0], 'int32'))
    expect(value(labels)).toBeCloseTo((Math.log(2) + Math.log(4)) / 2, 6)
    const soft = softmaxCrossEntropy(
      logits,
      tf.tensor2d([
        [0, 0, 1],
        [1, 0, 0],
      ]),
    )
    expect(value(soft)).toBeCloseTo(value(labels), 6)
    expect(
      value(softmaxCrossEntropy(logits, tf.tensor1d([2, 0], 'int32'), { weights: tf.tensor1d([1, 0]) })),
    ).toBeCloseTo(Math.log(2), 6)
    expect(value(softmaxCrossEntropy(tf.tensor2d([[1e4, 0]]), tf.tensor1d([1], 'int32')))).toBeCloseTo(1e4, 0)
  })

  test('the gradient of softmax cross-entropy is (softmax − target) / n', () => {
    const logits = tf.tensor2d([[0, 0, Math.log(2)]])
    const gradient = tf.grad((x) => softmaxCrossEntropy(x, tf.tensor1d([2], 'int32')))(logits)
    for (const [i, expected] of [0.25, 0.25, -0.5].entries()) expect(gradient.dataSync()[i]).toBeCloseTo(expected, 6)
  })

  test('binary cross-entropy: −log σ(log 3) = log(4/3), and its gradient σ − t', () => {
    const logit = tf.tensor2d([[Math.log(3)]])
    expect(value(binaryCrossEntropy(logit, tf.ones([1, 1])))).toBeCloseTo(Math.log(4 / 3), 6)
    expect(value(tf.grad((x) => binaryCrossEntropy(x, tf.ones([1, 1])))(logit))).toBeCloseTo(-0.25, 6)
    expect(value(binaryCrossEntropy(tf.tensor2d([[-200]]), tf.ones([1, 1])))).toBeCloseTo(200, 4)
  })

  test('Gaussian: μ = 1, σ² = 4, t = 4: (log 2π + log 4 + 9/4) / 2', () => {
    const prediction = { mean: tf.ones([1, 1]), logVariance: tf.fill([1, 1], Math.log(4)) }
    const expected = (Math.log(2 * Math.PI) + Math.log(4) + 9 / 4) / 2
    expect(value(gaussianNll(prediction, tf.fill([1, 1], 4)))).toBeCloseTo(expected, 5)
  })

  test('Student-t: one degree is Cauchy with scale 2 at z = 3: log(2π (1 + 9)); 1e6 degrees are Gaussian', () => {
    const prediction = { location: tf.zeros([1, 1]), logScale: tf.fill([1, 1], Math.log(2)) }
    const cauchy = studentTNll(prediction, tf.fill([1, 1], 6), { degrees: 1 })
    expect(value(cauchy)).toBeCloseTo(Math.log(2 * Math.PI * 10), 5)
    const wide = studentTNll(prediction, tf.fill([1, 1], 2), { degrees: 1e5 })
    expect(value(wide)).toBeCloseTo(Math.log(2) + 0.5 * Math.log(2 * Math.PI) + 0.5, 3)
  })

  test('quantiles: 0.9 · 2 below, 0.1 · 2 above', () => {
    const levels = { quantiles: [0.9] }
    expect(value(quantileLoss(tf.tensor2d([[1]]), tf.tensor2d([[3]]), levels))).toBeCloseTo(1.8, 6)
    expect(value(quantileLoss(tf.tensor2d([[5]]), tf.tensor2d([[3]]), levels))).toBeCloseTo(0.2, 6)
    const both = quantileLoss(tf.tensor2d([[1, 5]]), tf.tensor2d([[3]]), { quantiles: [0.1, 0.9] })
    expect(value(both)).toBeCloseTo((0.1 * 2 + 0.1 * 2) / 2, 6)
  })
})

describe('refusals', () => {
  test('shapes and parameters', () => {
    expect(() => meanSquaredError(tf.ones([2, 1]), tf.ones([2]))).toThrow('same shape, got [2,1] and [2]')
    expect(() => meanSquaredError(tf.ones([2, 1]), tf.ones([2, 1]), { weights: tf.ones([3]) })).toThrow(
      'weights must have',
    )
    expect(() => huber(tf.ones([1]), tf.ones([1]), { delta: 0 })).toThrow('delta must be > 0, got 0')
    expect(() => quantileLoss(tf.ones([1, 2]), tf.ones([1, 1]), { quantiles: [0.5] })).toThrow('one level in (0, 1)')
  })
})

// Second derivatives by the reference in doubles: gradient of (∇loss · 1) against differences of ∇loss.
describe('second derivatives', () => {
  const target = () => tf.tensor2d([[0.2], [0.7], [0.4]])
  const losses: [string, (x: tf.Tensor) => tf.Tensor][] = [
    ['mean squared error', (x) => meanSquaredError(x, target())],
    ['huber', (x) => huber(x, target(), { delta: 0.5 })],
    ['binary cross-entropy', (x) => binaryCrossEntropy(x, target())],
    [
      'softmax cross-entropy',
      (x) => softmaxCrossEntropy(tf.concat([x, tf.square(x)], 1), tf.tensor1d([0, 1, 0], 'int32')),
    ],
    ['gaussian', (x) => gaussianNll({ mean: x, logVariance: tf.mul(x, 0.5) }, target())],
    ['student-t', (x) => studentTNll({ location: x, logScale: tf.mul(x, 0.5) }, target(), { degrees: 3 })],
    ['quantile', (x) => quantileLoss(tf.square(x), target(), { quantiles: [0.3] })],
  ]
  test.each(losses)('%s', async (_, loss) => {
    const gradient = (x: tf.Tensor) => tf.grad(loss)(x)
    const second = (x: tf.Tensor) => tf.grad((z: tf.Tensor) => tf.sum(gradient(z)))(x)
    const at = Float64Array.of(1.3, -0.4, 0.8)
    const form = [{ dtype: 'float32', shape: [3, 1], data: new Float32Array(3) }]
    const [first, product] = [await openReference(gradient as never, form), await openReference(second as never, form)]
    const exact = product.run([at])[0]!
    const h = 1e-5
    const [ahead, behind] = [h, -h].map((move) => first.run([at.map((x) => x + move)])[0]!)
    exact.forEach((x, i) => {
      expect(x).toBeCloseTo((ahead![i]! - behind![i]!) / (2 * h), 5)
    })
  })
})
