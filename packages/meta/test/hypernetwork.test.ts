import '@tensorflow/tfjs'
import { batchNorm, dense, meanSquaredError, mlp, sequential } from '@regimen/tensor'
import { expect, test } from 'vitest'
import {
  adapt,
  chartPatterns,
  evaluate,
  hypernetwork,
  metaTrain,
  sampleFamily,
  sinusoids,
  type Weights,
} from '../src/index.ts'
import { learnerContract } from './support/contract.ts'
import { column, leaf, numbersAt, setOf } from './support/learners.ts'

const line = dense({ inputs: 1, outputs: 1 })
const options = { net: line, inputs: 1, targets: 1, loss: meanSquaredError, hidden: 1, embedding: 1 }
const unit = (rows: number) => ({ kernel: leaf([rows, 1], new Array(rows).fill(1)), bias: leaf([1], [0]) })
// The reader gives relu(x + y), the summary tanh(½ mean).
const reading = {
  net: { kernel: leaf([1, 1], [0.5]), bias: leaf([1], [2]) },
  reader: [unit(2), unit(1)],
  summary: [unit(1), { kernel: leaf([1, 1], [0.5]), bias: leaf([1], [0]) }],
}

test('reads the support and generates the weights, by hand', async () => {
  const learner = hypernetwork(options)
  const params = { ...reading, generator: { kernel: leaf([1, 2], [3, -1]) } } as Weights
  // relu(1 + 1) = 2 and relu(3 − 2) = 1, weighed 1 and 3: mean 5/4, z = tanh(5/8).
  const support = { ...setOf([1, 3], [1, -2]), weights: Float32Array.of(1, 3) }
  const adapted = await adapt({ learner, params }, support)
  const z = Math.tanh(5 / 8)
  // The leaves follow each other in the order of the net's tree.
  expect(numbersAt(adapted.own, 'kernel')[0]).toBeCloseTo(0.5 + 3 * z, 5)
  expect(numbersAt(adapted.own, 'bias')[0]).toBeCloseTo(2 - z, 5)
  const { data } = await adapted.predict(column([2]))
  expect(data[0]).toBeCloseTo(2 * (0.5 + 3 * z) + 2 - z, 5)
})

test('generates the named part alone; the rest is shared', async () => {
  const learner = hypernetwork({ ...options, generates: 'bias' })
  const params = { ...reading, generator: { kernel: leaf([1, 1], [-1]) } } as Weights
  const adapted = await adapt({ learner, params }, setOf([1], [1]))
  expect(Object.keys(adapted.own)).toEqual(['bias'])
  const { data } = await adapted.predict(column([2]))
  expect(data[0]).toBeCloseTo(2 * 0.5 + 2 - Math.tanh(1), 5)
})

test('running statistics of the generated net follow training', async () => {
  const net = sequential([batchNorm({ features: 1, statistics: 'running', momentum: 0.5 }), line])
  const learner = hypernetwork({ ...options, net })
  const task = { support: setOf([1, 3], [0, 1]), query: setOf([5, 7], [1, 0]) }
  const { model } = await metaTrain(learner, { batch: () => [task] }, { iterations: 1, tasksPerBatch: 1 })
  // Half a share from 0 to the query's mean of 6: the support does not go through the net.
  expect(numbersAt(model.params, 'net.0.mean')[0]).toBeCloseTo(3, 5)
})

test('learns to read the amplitude and the phase off ten samples', async () => {
  const learner = hypernetwork({
    ...options,
    net: mlp({ sizes: [1, 24, 1], activation: 'tanh' }),
    hidden: 32,
    embedding: 16,
  })
  const tasks = sampleFamily(sinusoids({ shots: 10 }), { seed: 1 })
  const { model } = await metaTrain(learner, tasks, { iterations: 500, tasksPerBatch: 16, rate: 3e-3, seed: 1 })
  const { losses } = await evaluate(model, await tasks.batch(1_000_000, 60))
  // Answering 0 has a loss of ½ E[amplitude²] = 4.3.
  expect(losses[1]!.mean + losses[1]!.interval).toBeLessThan(2.8)
})

test('bad options are refused', async () => {
  expect(() => hypernetwork({ ...options, embedding: 0 })).toThrow('embedding must be an integer ≥ 1, got 0')
  const task = { support: setOf([1, 3], [0, 1]), query: setOf([5, 7], [1, 0]) }
  const lost = hypernetwork({ ...options, generates: 'head' })
  await expect(metaTrain(lost, { batch: () => [task] })).rejects.toThrow(
    'no parameter starts with "head", the paths are kernel, bias',
  )
})

learnerContract({
  learner: hypernetwork({
    net: mlp({ sizes: [16, 4, 2], activation: 'tanh' }),
    inputs: 16,
    ways: 2,
    hidden: 8,
    embedding: 4,
  }),
  tasks: sampleFamily(chartPatterns({ shots: 2, ways: 2, length: 16 }), { seed: 1 }),
})
