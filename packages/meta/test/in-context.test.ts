import '@tensorflow/tfjs'
import { batchNorm, dense, meanSquaredError, sequential } from '@regimen/tensor'
import { describe, expect, test } from 'vitest'
import {
  adapt,
  chartPatterns,
  evaluate,
  inContext,
  metaTrain,
  sampleFamily,
  sinusoids,
  type Weights,
} from '../src/index.ts'
import { learnerContract } from './support/contract.ts'
import { column, labels, leaf, numbersAt, setOf } from './support/learners.ts'

// Tokens are (x, y) with x and y of ±1, so their root mean square is 1 and the normalization leaves them. Queries are (x, 1).
// Scores look at x alone, c · x x′ / √2 with c = √2 ln(3) / 2: a sample of the same x weighs three times one of the other x.
const c = (Math.SQRT2 * Math.log(3)) / 2
const block = (output: readonly number[]) => ({
  ask: leaf([2, 3], [c, 0, 0, 0, 0, 0]),
  askBias: leaf([3], [0, 0, 0]),
  remember: leaf([2, 4], [1, 0, 0, 0, 0, 0, 0, 1]),
  output: leaf([3, 2], output),
  outputBias: leaf([2], [0, 0]),
})
const shared = { sample: { kernel: leaf([1, 2], [1, 0]), bias: leaf([2], [0, 0]) }, unknown: leaf([2], [0, 1]) }
const sizes = { inputs: 1, width: 2, heads: 1, layers: 1, hidden: 1 }

describe('one block of attention, by hand', () => {
  const learner = inContext({ ...sizes, targets: 1, loss: meanSquaredError })
  const params = {
    ...shared,
    target: { kernel: leaf([1, 2], [0, 1]) },
    blocks: [block([1, 0, 0, 1, 0, 0])],
    head: { kernel: leaf([2, 1], [0, 1]), bias: leaf([1], [0]) },
  } as Weights
  const support = setOf([1, -1], [1, -1])

  test('the query mixes the values of its support', async () => {
    const adapted = await adapt({ learner, params }, support)
    const { data } = await adapted.predict(column([1, -1]))
    // At x = 1 the value read is (3 · 1 − 1) / 4 = ½: token (1, 3/2), root mean square √(13/8).
    expect(data[0]).toBeCloseTo(1.5 / Math.sqrt(13 / 8), 5)
    // At x = −1 it is −½: token (−1, ½), root mean square √(5/8).
    expect(data[1]).toBeCloseTo(0.5 / Math.sqrt(5 / 8), 5)
  })

  test('a sample of weight 2 is two samples', async () => {
    const twice = await adapt({ learner, params }, { ...support, weights: Float32Array.of(2, 1) })
    // (6 − 1) / 7 = 5/7
    const token = 1 + 5 / 7
    const { data } = await twice.predict(column([1]))
    expect(data[0]).toBeCloseTo(token / Math.sqrt((1 + token ** 2) / 2), 5)
  })
})

test('votes: the last attention shares its weight among the labels, by hand', async () => {
  const learner = inContext({ ...sizes, ways: 2, readout: 'vote' })
  const params = {
    ...shared,
    target: { kernel: leaf([2, 2], [0, 1, 0, -1]) },
    // The block adds nothing.
    blocks: [block([0, 0, 0, 0, 0, 0])],
    head: { kernel: leaf([2, 2], [c, 0, 0, 0]), bias: leaf([2], [0, 0]) },
  } as Weights
  const adapted = await adapt({ learner, params }, { x: column([1, -1, -1]), y: labels([0, 1, 1]) })
  const { data } = await adapted.predict(column([1]))
  // One vote of weight 3 against two of weight 1.
  expect(data[0]).toBeCloseTo(Math.log(3 / 5), 4)
  expect(data[1]).toBeCloseTo(Math.log(2 / 5), 4)
})

test('running statistics of the encoder follow training', async () => {
  const encoder = sequential([
    batchNorm({ features: 1, statistics: 'running', momentum: 0.5 }),
    dense({ inputs: 1, outputs: 1 }),
  ])
  const learner = inContext({ ...sizes, targets: 1, loss: meanSquaredError, encoder })
  const task = { support: setOf([1, 3], [0, 1]), query: setOf([5, 7], [1, 0]) }
  const { model } = await metaTrain(learner, { batch: () => [task] }, { iterations: 1, tasksPerBatch: 1 })
  // Half a share from 0: the support's mean 2 gives +1, the query's mean 6 gives +3.
  expect(numbersAt(model.params, 'encoder.0.mean')[0]).toBeCloseTo(2, 5)
})

test('bad options and tasks are refused', async () => {
  const fine = { inputs: 1, ways: 2 }
  expect(() => inContext({ inputs: 1 })).toThrow('neither ways nor a loss is given')
  expect(() => inContext({ ...fine, width: 10, heads: 4 })).toThrow('width must be a multiple of heads, got 10 and 4')
  expect(() => inContext({ ...fine, ways: 1 })).toThrow('ways must be an integer ≥ 2, got 1')
  expect(() => inContext({ ...fine, layers: 0 })).toThrow('layers must be an integer ≥ 1, got 0')
  expect(() => inContext({ ...fine, outputs: 3 })).toThrow('outputs must be the 2 ways')
  expect(() => inContext({ inputs: 1, loss: meanSquaredError, readout: 'vote' })).toThrow('"vote" needs classes')
  const task = { support: setOf([1, 3], [0, 1]), query: setOf([5, 7], [1, 0]) }
  const wide = inContext({ inputs: 2, targets: 1, loss: meanSquaredError, width: 4 })
  await expect(metaTrain(wide, { batch: () => [task] })).rejects.toThrow('samples must be vectors of 2 numbers')
  const two = inContext({ inputs: 1, targets: 2, loss: meanSquaredError, width: 4 })
  await expect(metaTrain(two, { batch: () => [task] })).rejects.toThrow('targets must be float32 with 2 numbers')
  const classes = { x: column([1, 2]), y: labels([0, 2]) }
  await expect(metaTrain(inContext(fine), { batch: () => [{ support: classes, query: classes }] })).rejects.toThrow(
    'got 2',
  )
})

test('predicts unseen sine waves in one pass', async () => {
  const learner = inContext({ inputs: 1, targets: 1, width: 16, heads: 2, layers: 2, loss: meanSquaredError })
  const tasks = sampleFamily(sinusoids({ shots: 10 }), { seed: 1 })
  const { model } = await metaTrain(learner, tasks, { iterations: 300, tasksPerBatch: 8, rate: 5e-3, seed: 1 })
  const { losses } = await evaluate(model, await tasks.batch(1_000_000, 60))
  // Answering 0 has a loss of ½ E[amplitude²] = 4.3.
  expect(losses[1]!.mean + losses[1]!.interval).toBeLessThan(2.6)
})

const patterns = sampleFamily(chartPatterns({ shots: 2, ways: 3, length: 16 }), { seed: 1 })
const small = { width: 8, heads: 2, layers: 2, hidden: 8 }
learnerContract({
  learner: inContext({ ...small, inputs: 1, targets: 1, loss: meanSquaredError }),
  tasks: sampleFamily(sinusoids({ shots: 4 }), { seed: 1 }),
})
learnerContract({
  learner: inContext({ ...small, inputs: 4, ways: 3, readout: 'vote', encoder: dense({ inputs: 16, outputs: 4 }) }),
  tasks: patterns,
})
