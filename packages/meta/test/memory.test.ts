import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { batchNorm, dense, dropout, flattenTree, mlp, sequential, sgd, type TensorLeaf } from '@regimen/tensor'
import { describe, expect, test } from 'vitest'
import {
  anil,
  cavia,
  fomaml,
  type MamlOptions,
  type MetaLearner,
  maml,
  mamlPlusPlus,
  metaSgd,
  metaTrain,
  sampleFamily,
  sinusoids,
  type Task,
  type TaskSampler,
  type Weights,
} from '../src/index.ts'
import { metaGradient, relativeError } from './support/learners.ts'

const net = mlp({ sizes: [1, 6, 6, 1], activation: 'tanh' })
const normed = sequential([
  dense({ inputs: 1, outputs: 6 }),
  batchNorm({ features: 6, statistics: 'running' }),
  dense({ inputs: 6, outputs: 1 }),
])
const tasks = sampleFamily(sinusoids({ shots: 5 }), { seed: 3 })
const some = (await tasks.batch(0, 4)) as Task[]
const numbers = (weights: Weights) => flattenTree<TensorLeaf>(weights).leaves.flatMap(({ data }) => [...data])

describe('remat: inner steps that are computed again give the same meta-gradient', () => {
  type Make = (options: MamlOptions) => MetaLearner
  const cases: [string, Make, MamlOptions][] = [
    ['MAML', maml, { net, steps: 4, rate: 0.05 }],
    ['with gradients that are cut', maml, { net, steps: 3, rate: 0.05, bound: 0.2 }],
    ['ANIL, which reads shared parameters inside', anil, { net, steps: 3, rate: 0.05 }],
    ['Meta-SGD, whose rates learn', metaSgd, { net, steps: 3, rate: 0.05 }],
    ['MAML++, which judges every step', mamlPlusPlus, { net, steps: 3, rate: 0.05 }],
    ['CAVIA', (o) => cavia({ ...o, context: 2 }), { net: mlp({ sizes: [3, 6, 1] }), steps: 2, rate: 0.5 }],
    ['first order', fomaml, { net, steps: 3, rate: 0.05 }],
    ['batch norm with running statistics', maml, { net: normed, steps: 2, rate: 0.05 }],
  ]
  test.each(cases)('%s', async (_, make, options) => {
    const [plain, saving] = [make(options), make({ ...options, remat: true })]
    const params = plain.init(createRng(5))
    const [expected, actual] = [await metaGradient(plain, params, some), await metaGradient(saving, params, some)]
    expect(relativeError(actual.gradient, expected.gradient)).toBeLessThan(1e-5)
    expect([actual.loss, actual.bounded]).toEqual([expect.closeTo(expected.loss, 5), expected.bounded])
  })

  test('random layers are refused', async () => {
    const random = maml({ net: sequential([dense({ inputs: 1, outputs: 4 }), dropout(0.5)]), remat: true })
    await expect(metaTrain(random, tasks, { iterations: 1, tasksPerBatch: 2 })).rejects.toThrow('draws random numbers')
  })
})

describe('accumulate: batches in turn are one batch of all their tasks', () => {
  const options = { iterations: 3, rate: 0.01, seed: 7, rule: sgd() }
  test.each([
    ['MAML', maml({ net, steps: 2 })],
    ['batch norm, whose running statistics move', maml({ net: normed })],
  ])('%s', async (_, learner) => {
    const whole = await metaTrain(learner, tasks, { ...options, tasksPerBatch: 12 })
    const parts = await metaTrain(learner, tasks, { ...options, tasksPerBatch: 4, accumulate: 3 })
    expect(relativeError(numbers(parts.model.params), numbers(whole.model.params))).toBeLessThan(1e-6)
    expect(relativeError([...parts.losses], [...whole.losses])).toBeLessThan(1e-6)
    // And it is no batch of four.
    const four = await metaTrain(learner, tasks, { ...options, tasksPerBatch: 4 })
    expect(relativeError(numbers(four.model.params), numbers(whole.model.params))).toBeGreaterThan(1e-4)
  })

  test('a sampler that runs short gives a smaller last part, which counts by its tasks', async () => {
    const learner = maml({ net })
    const five: TaskSampler = { batch: () => some.concat(some[0]!) }
    const whole = await metaTrain(learner, five, { ...options, tasksPerBatch: 5 })
    const parts = await metaTrain(learner, five, { ...options, tasksPerBatch: 3, accumulate: 2 })
    expect(relativeError(numbers(parts.model.params), numbers(whole.model.params))).toBeLessThan(1e-6)
  })

  test('it must be a count', async () => {
    await expect(metaTrain(maml({ net }), tasks, { accumulate: 0 })).rejects.toThrow(
      'accumulate must be an integer ≥ 1',
    )
  })
})
