import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { conv2d, dense, mlp, random, sequential, withRandom } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import { adapt, evaluate, featureWise, metaTrain, relation, type Weights } from '../src/index.ts'
import { column, labels, leaf, metaGradient, unseenPatterns } from './support/learners.ts'

const line = dense({ inputs: 1, outputs: 1, bias: false })
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))
// Class means 2 and 5.
const support = { x: column([1, 3, 5]), y: labels([0, 0, 1]) }
const [a, b, c] = [0.5, -0.25, 0.125] as const
const judge = { kernel: leaf([2, 1], [a, b]), bias: leaf([1], [c]) }
const plain = relation({ ways: 2, scales: [{ net: line, relation: dense({ inputs: 2, outputs: 1 }) }] })
const params = { scales: [{ net: { kernel: leaf([1, 1], [1]) }, relation: judge }] } as Weights

describe('scores of pairs, by hand', () => {
  const logits = async (features: ('concat' | 'difference' | 'product')[], kernel: number[]) => {
    const width = kernel.length
    const learner = relation({
      ways: 2,
      features,
      scales: [{ net: line, relation: dense({ inputs: width, outputs: 1 }) }],
    })
    const relationNet = { kernel: leaf([width, 1], kernel), bias: leaf([1], [c]) }
    const model = {
      learner,
      params: { scales: [{ net: { kernel: leaf([1, 1], [1]) }, relation: relationNet }] } as Weights,
    }
    return [...(await (await adapt(model, support)).predict(column([4]))).data]
  }

  test('side by side, class first: a p + b x + c', async () => {
    expect(await logits(['concat'], [a, b])).toEqual([2 * a + 4 * b + c, 5 * a + 4 * b + c])
  })
  test('difference and product: a |p − x| + b p x + c', async () => {
    expect(await logits(['difference'], [a])).toEqual([2 * a + c, a + c])
    expect(await logits(['difference', 'product'], [a, b])).toEqual([2 * a + 8 * b + c, a + 20 * b + c])
  })
})

test('the scores of two depths add up', async () => {
  const scale = (width: number) => ({ net: line, relation: dense({ inputs: width, outputs: 1 }) })
  const learner = relation({ ways: 2, scales: [scale(2), scale(2)] })
  const deep = {
    scales: [
      { net: { kernel: leaf([1, 1], [1]) }, relation: judge },
      // The second depth doubles the first: p = 4 and 10, x = 8.
      { net: { kernel: leaf([1, 1], [2]) }, relation: { kernel: leaf([2, 1], [1, -1]), bias: leaf([1], [0]) } },
    ],
  } as Weights
  const { data } = await (await adapt({ learner, params: deep }, support)).predict(column([4]))
  expect([...data]).toEqual([2 * a + 4 * b + c - 4, 5 * a + 4 * b + c + 2])
})

describe('the meta-gradient, by hand', () => {
  const task = { support, query: { x: column([4]), y: labels([1]) } }
  const scores = [2 * a + 4 * b + c, 5 * a + 4 * b + c]

  test('squared error: L = ½ Σ (σ(l) − t)²', async () => {
    const { loss, gradient } = await metaGradient(plain, params, [task])
    const errors = scores.map((score, k) => sigmoid(score) - k)
    expect(loss).toBeCloseTo((errors[0]! ** 2 + errors[1]! ** 2) / 2, 5)
    const slopes = errors.map((error, k) => error * sigmoid(scores[k]!) * (1 - sigmoid(scores[k]!)))
    const means = [2, 5]
    const sum = (of: (k: number) => number) => slopes.reduce((total, slope, k) => total + slope * of(k), 0)
    // By the embedding's weight w, whose place is p w and x w; then a, b and c.
    const expected = [sum((k) => a * means[k]! + b * 4), sum((k) => means[k]!), sum(() => 4), sum(() => 1)]
    gradient.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 5)
    })
  })

  test('cross-entropy: L = −log softmax', async () => {
    const learner = relation({
      ways: 2,
      loss: 'crossEntropy',
      scales: [{ net: line, relation: dense({ inputs: 2, outputs: 1 }) }],
    })
    const { loss, gradient } = await metaGradient(learner, params, [task])
    // Softmax of scores that differ by 3 a.
    const share = sigmoid(-3 * a)
    expect(loss).toBeCloseTo(-Math.log(1 - share), 5)
    // By a: the mean of p under softmax less p of the right class.
    expect(gradient[1]).toBeCloseTo(share * (2 - 5), 5)
  })
})

test('class means move as labels arrive; a class without support scores nothing', async () => {
  const adapted = await adapt({ learner: plain, params }, support)
  // Class 1: (5 + 9) / 2 = 7.
  const moved = await adapted.observe({ x: column([9]), y: labels([1]) })
  expect((await moved.predict(column([4]))).data[1]).toBeCloseTo(7 * a + 4 * b + c, 5)
  const three = relation({ ways: 3, scales: [{ net: line, relation: dense({ inputs: 2, outputs: 1 }) }] })
  const { data } = await (await adapt({ learner: three, params }, support)).predict(column([4]))
  expect(data[2]).toBeLessThan(-1e8)
})

test('maps are compared as maps: convolutional relation nets', async () => {
  // 2×2 images of one channel, the embedding passes them on, the relation is a 2×2 kernel over both channels.
  const learner = relation({
    ways: 2,
    scales: [
      {
        net: conv2d({ inputs: 1, outputs: 1, window: 1, bias: false }),
        relation: conv2d({ inputs: 2, outputs: 1, window: 2, padding: 'valid', bias: false }),
      },
    ],
  })
  const kernel = leaf([2, 2, 2, 1], [1, 10, 2, 20, 3, 30, 4, 40])
  const model = {
    learner,
    params: { scales: [{ net: { kernel: leaf([1, 1, 1, 1], [1]) }, relation: { kernel } }] } as Weights,
  }
  const image = (...pixels: number[]) => leaf([pixels.length / 4, 2, 2, 1], pixels)
  const adapted = await adapt(model, { x: image(1, 0, 0, 1, 0, 1, 1, 0), y: labels([0, 1]) })
  // Class part 1 + 4 and 2 + 3, sample part 10 · 1 + 30 · 2.
  expect([...(await adapted.predict(image(1, 0, 2, 0))).data]).toEqual([75, 75])
})

describe('feature-wise transformation', () => {
  const layer = featureWise({ features: 20_000 })
  const spreadOf = (values: ArrayLike<number>, centre: number) =>
    Math.sqrt(Array.from(values).reduce((sum, value) => sum + (value - centre) ** 2, 0) / values.length)

  test('factors and shifts have the deviations softplus(0.3) and softplus(0.5)', () => {
    const shifts = withRandom(1, () => layer.apply([], tf.zeros([1, 20_000]), { training: true })).dataSync()
    const both = withRandom(1, () => layer.apply([], tf.ones([1, 20_000]), { training: true })).dataSync()
    // Four standard errors of 20,000 numbers: 2 %.
    expect(spreadOf(shifts, 0) / Math.log1p(Math.exp(0.5))).toBeCloseTo(1, 1.6)
    const factors = both.map((value, i) => value - shifts[i]!)
    expect(spreadOf(factors, 1) / Math.log1p(Math.exp(0.3))).toBeCloseTo(1, 1.6)
  })

  test('one draw for all samples and passes of a meta-iteration, none outside of training', () => {
    const small = featureWise({ features: 2, gamma: 0, beta: 1 })
    const x = tf.tensor2d([
      [1, 2],
      [1, 2],
    ])
    withRandom(2, () => {
      const run = (updates: []) => [...small.apply([], x, { training: true, updates }).dataSync()]
      const updates: [] = []
      const first = run(updates)
      expect(first.slice(0, 2)).toEqual(first.slice(2))
      expect(run(updates)).toEqual(first)
      expect(run([])).not.toEqual(first)
    })
    expect([...small.apply([], x).dataSync()]).toEqual([1, 2, 1, 2])
    // Factor first, then shift: N(1, log 2) and N(0, log(1 + e)).
    const [factor, shift] = withRandom(3, () => [
      random.normal([2], { mean: 1, deviation: Math.log(2) }).dataSync(),
      random.normal([2], { deviation: Math.log1p(Math.E) }).dataSync(),
    ]) as [Float32Array, Float32Array]
    const y = withRandom(3, () => small.apply([], x, { training: true })).dataSync()
    expect(y[1]).toBeCloseTo(2 * factor[1]! + shift[1]!, 5)
  })

  test('training draws anew in every iteration, evaluation never', async () => {
    const net = sequential([line, featureWise({ features: 1 })])
    const learner = relation({ ways: 2, scales: [{ net, relation: dense({ inputs: 2, outputs: 1 }) }] })
    const task = { support, query: { x: column([4, 2]), y: labels([1, 0]) } }
    const { losses, model } = await metaTrain(
      learner,
      { batch: () => [task] },
      { iterations: 6, tasksPerBatch: 1, rate: 1e-9 },
    )
    expect(new Set(losses.map((loss) => Math.round(loss * 1e4))).size).toBeGreaterThan(3)
    const [one, two] = [await evaluate(model, [task]), await evaluate(model, [task])]
    expect(one.losses[1]!.mean).toBe(two.losses[1]!.mean)
  })
})

test('learns to compare chart patterns that it has not seen', async () => {
  const learner = relation({
    ways: 3,
    features: ['difference', 'product'],
    loss: 'crossEntropy',
    scales: [{ net: mlp({ sizes: [64, 32, 8] }), relation: mlp({ sizes: [16, 16, 1] }) }],
  })
  // Guessing is right in a third.
  expect(await unseenPatterns(learner)).toBeGreaterThan(0.6)
})

test('bad options and nets are refused', async () => {
  const scale = { net: line, relation: dense({ inputs: 2, outputs: 1 }) }
  const make = (options: object) => () => relation({ ways: 2, scales: [scale], ...options })
  expect(make({ ways: 1 })).toThrow('[meta/relation] ways must be an integer ≥ 2, got 1')
  expect(make({ scales: [] })).toThrow('the list of scales is empty')
  expect(make({ features: [] })).toThrow('the list of features is empty')
  expect(make({ features: ['sum'] })).toThrow('features must be "concat", "difference" or "product", got "sum"')
  expect(make({ loss: 'hinge' })).toThrow('loss must be "mse" or "crossEntropy", got "hinge"')
  expect(make({ describe: line, scales: [scale, scale] })).toThrow('descriptions are compared at one scale, got 2')
  expect(() => featureWise({ features: 0 })).toThrow('[meta/feature-wise] features must be an integer ≥ 1, got 0')
  expect(() => featureWise({ features: 2, gamma: Number.NaN })).toThrow('gamma must be finite, got NaN')
  expect(() => featureWise({ features: 3 }).apply([], tf.zeros([1, 2]), { training: true })).toThrow('must be 3')
  const two = relation({ ways: 2, scales: [{ net: line, relation: dense({ inputs: 2, outputs: 2 }) }] })
  const model = { learner: two, params: two.init(createRng(1)) }
  await expect(adapt(model, support)).rejects.toThrow('must give one number a pair')
})
