import '@tensorflow/tfjs'
import { createRng, type RegimenEvent, type Snapshot, snapshotFromJson, snapshotToJson } from '@regimen/core'
import { cosineDecay, dense, flattenTree, mlp, type TensorLeaf } from '@regimen/tensor'
import { describe, expect, test } from 'vitest'
import {
  adapt,
  anil,
  cavia,
  chartPatterns,
  evaluate,
  fomaml,
  graphNet,
  imaml,
  type MetaLearner,
  type MetaTrainOptions,
  maml,
  mamlPlusPlus,
  matching,
  metaSgd,
  metaTrain,
  modelFromSnapshot,
  modelToSnapshot,
  prototypical,
  relation,
  reptile,
  sampleFamily,
  sinusoids,
  type Task,
  type Weights,
} from '../src/index.ts'
import { setOf } from './support/learners.ts'

const net = mlp({ sizes: [1, 16, 16, 1] })
const family = sinusoids({ shots: 10 })
const tasks = sampleFamily(family, { seed: 1 })
const numbers = (weights: Weights) => flattenTree<TensorLeaf>(weights).leaves.flatMap(({ data }) => [...data])

test('MAML learns to learn: one step from the trained start beats one step from the initial', async () => {
  const learner = maml({ net, rate: 0.02 })
  const { model, losses } = await metaTrain(learner, tasks, { iterations: 150, tasksPerBatch: 8, seed: 2, rate: 3e-3 })
  const test = await sampleFamily(family, { seed: 'held out' }).batch(0, 100)
  const before = await evaluate({ learner, params: learner.init(createRng(2).split('init')) }, test)
  const after = await evaluate(model, test)
  expect(losses.length).toBe(150)
  // Of the same tasks, so compared task by task.
  const gain = after.losses[1]!.values.map((value, i) => before.losses[1]!.values[i]! - value)
  const mean = gain.reduce((a, b) => a + b, 0) / gain.length
  const error = Math.sqrt(gain.reduce((sum, g) => sum + (g - mean) ** 2, 0)) / gain.length
  expect(mean).toBeGreaterThan(3 * error)
})

test('a checkpoint through JSON continues to the same bytes', async () => {
  const learner = fomaml({ net })
  const options = { iterations: 12, tasksPerBatch: 4, validation: await tasks.batch(99, 5), validateEvery: 4 }
  const whole = await metaTrain(learner, tasks, options)
  const saved: Snapshot[] = []
  await metaTrain(learner, tasks, { ...options, checkpointEvery: 5, onCheckpoint: (one) => void saved.push(one) })
  const from = snapshotFromJson(snapshotToJson(saved[0]!))
  const resumed = await metaTrain(learner, tasks, { ...options, from })
  expect(numbers(resumed.model.params)).toEqual(numbers(whole.model.params))
  expect([...resumed.losses]).toEqual([...whole.losses.slice(5)])
  await expect(metaTrain(maml({ net }), tasks, { from })).rejects.toThrow('the checkpoint is of meta/fomaml/training')
})

describe('eagerly and compiled alike', () => {
  const small = mlp({ sizes: [1, 4, 1], activation: 'tanh' })
  const one = { net: small, steps: 2 }
  const patterns = sampleFamily(chartPatterns({ shots: 1, ways: 2, length: 16 }), { seed: 1 })
  const learners: MetaLearner[] = [
    maml(one),
    fomaml(one),
    anil(one),
    metaSgd(one),
    mamlPlusPlus(one),
    cavia({ net: mlp({ sizes: [2, 4, 1], activation: 'tanh' }), context: 1, rate: 0.1 }),
    imaml({ ...one, solverSteps: 2 }),
    reptile(one),
    prototypical({ net: mlp({ sizes: [16, 4] }), ways: 2, embedding: 4, metric: 'mahalanobis' }),
    matching({ net: mlp({ sizes: [16, 4] }), ways: 2, embedding: 4, context: 'full', processing: 2 }),
    graphNet({ net: mlp({ sizes: [16, 4] }), ways: 2, embedding: 4 }),
    relation({ ways: 2, scales: [{ net: mlp({ sizes: [16, 4] }), relation: mlp({ sizes: [8, 1] }) }] }),
  ]
  for (const learner of learners) {
    test(learner.id, async () => {
      const sampler = learner.ways ? patterns : tasks
      const run = (execution: 'eager' | 'compiled') =>
        metaTrain(learner, sampler, { iterations: 2, tasksPerBatch: 2, compile: { execution } })
      const [a, b] = [await run('eager'), await run('compiled')]
      a.losses.forEach((loss, i) => {
        expect(Math.abs(loss - b.losses[i]!)).toBeLessThan(1e-4 * loss)
      })
    })
  }
})

test('an iteration that ends in NaN is taken back, reported, and repeated with half the rates', async () => {
  const events: RegimenEvent[] = []
  const learner = maml({ net, steps: 5, rate: 1e6, bound: Number.POSITIVE_INFINITY })
  const result = await metaTrain(learner, tasks, {
    iterations: 3,
    tasksPerBatch: 2,
    recoveries: 60,
    onEvent: (event) => events.push(event),
  })
  expect(result.recoveries).toBeGreaterThan(0)
  expect(events.length).toBe(result.recoveries)
  expect(events[0]!.type).toBe('meta/recover')
  expect(numbers(result.model.params).every(Number.isFinite)).toBe(true)
  const hopeless = metaTrain(learner, tasks, { iterations: 1, tasksPerBatch: 2, recoveries: 1 })
  await expect(hopeless).rejects.toMatchObject({ code: 'DIVERGED' })
})

test('stops when the query loss is flat, when validation stalls, and on abort', async () => {
  const still: MetaLearner = { ...reptile({ net, steps: 1 }), innerRate: 1e-9 }
  const flat = await metaTrain(still, tasks, {
    iterations: 500,
    tasksPerBatch: 2,
    rate: 1e-9,
    flat: { window: 20, tolerance: 1 },
  })
  expect(flat).toMatchObject({ stopped: 'flat', iterations: 40 })
  const stalled = await metaTrain(still, tasks, {
    iterations: 500,
    tasksPerBatch: 2,
    rate: 1e-12,
    validation: await tasks.batch(7, 4),
    validateEvery: 5,
    patience: 2,
  })
  // The first validation is the best; two more bring nothing.
  expect(stalled).toMatchObject({ stopped: 'patience', iterations: 15 })
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(metaTrain(still, tasks, { signal })).rejects.toThrow('enough')
})

test('a bad task of a sampler is an error before the first iteration', async () => {
  const bad = {
    batch: async () =>
      (await tasks.batch(0, 1)).map((task) => ({ ...task, query: { ...task.query, weights: new Float32Array(3) } })),
  }
  let reports = 0
  await expect(metaTrain(fomaml({ net }), bad, { onReport: () => reports++ })).rejects.toThrow(
    'query.weights must hold',
  )
  expect(reports).toBe(0)
  await expect(metaTrain(fomaml({ net }), tasks, { patience: 2 })).rejects.toThrow('patience needs validation tasks')
})

test('rate and steps of the inner loop are chosen on the validation tasks', async () => {
  // y = w x at x = 1, target 3: a step multiplies w − 3 by 1 − 2 · rate, so 0.5 solves it at once, and 0.25 halves the error.
  const learner = maml({ net: dense({ inputs: 1, outputs: 1, bias: false }), rate: 0.25 })
  const task = { support: setOf([1], [3]), query: setOf([1], [3]) }
  const options = { iterations: 1, validation: [task] }
  const train = (chooseInner: NonNullable<MetaTrainOptions['chooseInner']>) =>
    metaTrain(learner, { batch: () => [task] }, { ...options, chooseInner })
  const { model } = await train({ rates: [0.1, 0.5, 0.9], steps: [1, 2] })
  expect(model.inner).toEqual({ innerRate: 0.5, steps: 1 })
  expect((await train({ steps: [1, 3, 2] })).model.inner).toEqual({ innerRate: 0.25, steps: 3 })
  // Evaluation, adaptation and snapshots keep to it.
  expect((await evaluate(model, [task])).losses[1]!.mean).toBeCloseTo(0, 10)
  expect((await adapt(model, task.support)).lossAfter).toBeCloseTo(0, 10)
  expect(modelFromSnapshot(learner, modelToSnapshot(model)).inner).toEqual(model.inner)
  await expect(metaTrain(learner, { batch: () => [task] }, { chooseInner: {} })).rejects.toThrow(
    'chooseInner needs validation tasks',
  )
  await expect(train({ rates: [-1] })).rejects.toThrow('chooseInner.rates must be finite and above 0, got -1')
  await expect(train({ steps: [0] })).rejects.toThrow('chooseInner.steps must be integers ≥ 1, got 0')
})

test('MAML++ anneals: order of derivatives by its share, outer rate by a cosine', async () => {
  const learner = mamlPlusPlus({ net: mlp({ sizes: [1, 4, 1] }), steps: 2, firstOrder: 0.5 })
  expect([0, 4, 5, 9].map((i) => learner.controls(i, 10).secondOrder)).toEqual([false, false, true, true])
  const rates: number[] = []
  const rate = cosineDecay({ from: 0.01, steps: 4 })
  await metaTrain(learner, tasks, { iterations: 4, tasksPerBatch: 2, rate, onReport: (one) => rates.push(one.rate) })
  // ½ (1 + cos π i/4) of 0.01.
  rates.forEach((value, i) => {
    expect(value).toBeCloseTo(0.005 * (1 + Math.cos((Math.PI * i) / 4)), 12)
  })
})

test('training that reaches into the time of the test is an error before any training', async () => {
  const at = (...time: number[]): Task => {
    const [first, ...rest] = time
    const timed = (list: number[]) => ({ ...setOf(list, list), time: Float64Array.from(list) })
    return { support: timed([first!]), query: timed(rest) }
  }
  const learner = fomaml({ net: dense({ inputs: 1, outputs: 1 }) })
  const run = (task: Task, options: MetaTrainOptions) =>
    metaTrain(learner, { batch: () => [task] }, { iterations: 1, onReport: () => reports++, ...options })
  let reports = 0
  await expect(run(at(1, 3), { test: [at(2, 4)] })).rejects.toThrow('training reaches 3, the test begins at 2')
  await expect(run(at(1, 2), { test: [at(5, 6)], validation: [at(4, 5)] })).rejects.toThrow('overlap')
  await expect(run(at(1, 2), { test: [{ support: setOf([1], [1]), query: setOf([1], [1]) }] })).rejects.toThrow(
    'carries no times',
  )
  expect(reports).toBe(0)
  await run(at(1, 2), { test: [at(5, 6)], validation: [at(3, 4)] })
  expect(reports).toBe(1)
})

test('a model goes through a snapshot', () => {
  const learner = maml({ net })
  const params = learner.init(createRng(3))
  const copy = modelFromSnapshot(learner, snapshotFromJson(snapshotToJson(modelToSnapshot({ learner, params }))))
  expect(numbers(copy.params)).toEqual(numbers(params))
  const other = maml({ net: mlp({ sizes: [1, 8, 1] }) })
  expect(() => modelFromSnapshot(other, modelToSnapshot({ learner, params }))).toThrow('net.0.kernel')
})
