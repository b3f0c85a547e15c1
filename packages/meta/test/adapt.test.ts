import '@tensorflow/tfjs'
import { createRng, type Optimizer } from '@regimen/core'
import { dense, lstm, meanSquaredError, mlp, sequential } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import {
  adapt,
  anil,
  evaluate,
  type InnerPoint,
  maml,
  openAdapter,
  sampleFamily,
  sinusoids,
  type TaskLoss,
  tuneInner,
  type Weights,
} from '../src/index.ts'
import { adapted as inDouble } from './support/double.ts'
import { column, leaf, numbersAt, setOf } from './support/learners.ts'

const line = dense({ inputs: 1, outputs: 1, bias: false })
const lineModel = (rate: number, w = 1) => ({
  learner: maml({ net: line, rate }),
  params: { net: { kernel: leaf([1, 1], [w]) } } as Weights,
})

test('one step on a quadratic, by hand, whatever the padding', async () => {
  // y = w x from w = 1, mean of the gradients 2 (w − 3) = −4 and 2 (w − 5) = −8: w′ = 1 + 0.25 · 6 = 2.5.
  const adapted = await adapt(lineModel(0.25), setOf([1, 1], [3, 5]))
  expect(numbersAt(adapted.own, 'kernel')[0]).toBeCloseTo(2.5, 5)
  // ((1 − 3)² + (1 − 5)²) / 2 and (0.25 + 6.25) / 2.
  expect(adapted.lossBefore).toBeCloseTo(10, 5)
  expect(adapted.lossAfter).toBeCloseTo(3.25, 5)
  expect([...(await adapted.predict(column([1, 2, -1]))).data]).toEqual([2.5, 5, -2.5])
  expect(await adapted.explain()).toEqual([{ path: 'kernel', norm: 1, change: 1.5, relative: 1.5 }])
  expect(adapted.recoveries).toBe(0)
})

test('weights count', async () => {
  // Only the second sample: gradient −8, w′ = 1 + 0.25 · 8 = 3.
  const adapted = await adapt(lineModel(0.25), { ...setOf([1, 1], [3, 5]), weights: Float32Array.of(0, 2) })
  expect([...(await adapted.predict(column([1]))).data]).toEqual([3])
})

test('five steps of a tanh net agree with double precision', async () => {
  const start = [0.5, -0.75, 0.25, 0.1, 0.2, -0.3, 1, -0.5, 0.75, 0.125].map(Math.fround)
  const model = {
    learner: maml({ net: mlp({ sizes: [1, 3, 1], activation: 'tanh' }), rate: 0.125 }),
    params: {
      net: [
        { kernel: leaf([1, 3], start.slice(0, 3)), bias: leaf([3], start.slice(3, 6)) },
        { kernel: leaf([3, 1], start.slice(6, 9)), bias: leaf([1], start.slice(9)) },
      ],
    } as Weights,
  }
  const samples = { x: [-1, 0.5, 2, 1], y: [1, -0.5, 0.25, 0] }
  const { own } = await adapt(model, setOf(samples.x, samples.y), { steps: 5 })
  const found = ['0.kernel', '0.bias', '1.kernel', '1.bias'].flatMap((path) => numbersAt({ ...(own as object) }, path))
  inDouble(start, samples, { steps: 5, rate: 0.125 }).forEach((value, i) => {
    expect(found[i]).toBeCloseTo(value, 5)
  })
})

test('a rate that diverges is halved until it does not, and reported', async () => {
  // The step multiplies w − 3 by 1 − 2 · rate: from rate 2 by −3 (loss × 9), then by −1 at rate 1, which is no worse.
  const adapted = await adapt(lineModel(2), setOf([1], [3]))
  expect(adapted.recoveries).toBe(1)
  expect(adapted.lossAfter).toBeCloseTo(4, 5)
  await expect(adapt(lineModel(2), setOf([1], [3]), { recoveries: 0 })).rejects.toMatchObject({ code: 'DIVERGED' })
  await expect(adapt(lineModel(1), setOf([Number.NaN], [3]))).rejects.toThrow('support.x must be finite')
})

test('ANIL adapts the head and nothing else; an LSTM adapts too', async () => {
  const learner = anil({
    net: sequential([lstm({ inputs: 1, hidden: 4 }), dense({ inputs: 4, outputs: 1 })]),
    rate: 0.1,
  })
  const rng = createRng(5)
  const adapter = openAdapter({ learner, params: learner.init(rng) }, { steps: 3, sizes: [4, 8] })
  const x = { dtype: 'float32' as const, shape: [6, 5, 1], data: Float32Array.from({ length: 30 }, () => rng.normal()) }
  const y = column(Array.from({ length: 6 }, () => rng.normal()))
  await adapter.warmup({ x, y })
  const adapted = await adapter({ x, y })
  expect((await adapted.explain()).map(({ path }) => path)).toEqual(['1.kernel', '1.bias'])
  expect(adapted.lossAfter).toBeLessThan(adapted.lossBefore)
  await adapter.dispose()
})

test('uncertainty is the spread of adaptations to reweighted supports', async () => {
  // y = w x: members differ in w alone, so the deviation at x is |x| times that at 1, and none at 0.
  const adapted = await adapt(lineModel(0.25), setOf([1, 1, 1], [3, 5, 10]))
  const { mean, deviation } = await adapted.predictUncertain(column([0, 1, -4]), { members: 400, seed: 1 })
  expect(deviation.data[0]).toBe(0)
  expect(deviation.data[2]! / deviation.data[1]!).toBeCloseTo(4, 4)
  // w′ = (1 + m) / 2 with m the mean of 3, 5 and 10 under Dirichlet(1, 1, 1) weights: its mean is 6 and its variance is the
  // population's, (9 + 1 + 16) / 3, over 3 + 1. So w′ has mean 3.5 and deviation √2.1667 / 2 = 0.736; 400 members, 4 errors.
  expect(Math.abs(mean.data[1]! - 3.5)).toBeLessThan(0.15)
  expect(Math.abs(deviation.data[1]! - 0.736)).toBeLessThan(0.11)
  await expect(adapted.observe(setOf([1], [1]))).rejects.toThrow('cannot take samples in without gradients')
})

test('evaluation follows the inner steps, with an interval', async () => {
  // A task y = 3 x at x = 1 from w = 1 and rate 0.25 halves the error each step: losses 4, 1, 0.25.
  const task = { support: setOf([1], [3]), query: setOf([1], [3]) }
  const { losses } = await evaluate(lineModel(0.25), [task, task, task], { steps: 2, tasksPerCall: 2 })
  expect(losses.map(({ mean }) => mean)).toEqual([4, 1, 0.25])
  expect(losses[1]).toMatchObject({ interval: 0, values: Float64Array.of(1, 1, 1) })
})

test('any optimizer of the contract tunes the inner loop', async () => {
  // Three points by hand; the best rate for a quadratic is 0.5, which solves it in one step.
  const told: unknown[] = []
  const points = [0.25, 0.5, 1e30].map((innerRate, id) => ({ id, point: { innerRate, steps: 1 } }))
  const optimizer: Optimizer<InnerPoint> = {
    direction: 'minimize',
    ask: () => points.splice(0, 1),
    tell: (results) => void told.push(...results),
    best: undefined,
    stopped: undefined,
    snapshot: () => {
      throw new Error('not asked for')
    },
  }
  const task = { support: setOf([1], [3]), query: setOf([1], [3]) }
  const tuned = await tuneInner(lineModel(0.1), { optimizer, tasks: [task] })
  expect(tuned).toEqual({ point: { innerRate: 0.5, steps: 1 }, loss: 0, trials: 3 })
  expect(told).toEqual([
    { id: 0, value: 1 },
    { id: 1, value: 0 },
    { id: 2, failed: 'the query loss is Infinity' },
  ])
  await expect(
    tuneInner(lineModel(0.1), { optimizer: { ...optimizer, direction: 'maximize' }, tasks: [task] }),
  ).rejects.toThrow('must minimize')
})

test('an optimizer tunes a learned loss, judged by the true one', async () => {
  // Inner loss c (w x − y)²: from w = 1 with rate 0.25 a step goes by 0.25 · 2 c · 2 = c towards 3, so c = 2 arrives.
  const points = [1, 2, 3].map((c, id) => ({ id, point: { c } }))
  const optimizer: Optimizer<{ c: number }> = {
    direction: 'minimize',
    ask: () => points.splice(0, 1),
    tell: () => {},
    best: undefined,
    stopped: undefined,
    snapshot: () => {
      throw new Error('not asked for')
    },
  }
  const learned =
    (c: number): TaskLoss =>
    (prediction, target, options) =>
      tf.mul(meanSquaredError(prediction, target, options), c)
  const task = { support: setOf([1], [3]), query: setOf([1], [3]) }
  const { params } = lineModel(0.25)
  const tuned = await tuneInner(lineModel(0.25), {
    optimizer,
    tasks: [task],
    build: (_, { c }) => ({
      model: { params, learner: { ...maml({ net: line, rate: 0.25, loss: learned(c) }), loss: meanSquaredError } },
    }),
  })
  expect(tuned).toEqual({ point: { c: 2 }, loss: 0, trials: 3 })
})

test('prediction by a sampled sinusoid model is finite before any training', async () => {
  const learner = maml({ net: mlp({ sizes: [1, 8, 1] }) })
  const tasks = await sampleFamily(sinusoids({ shots: 5 })).batch(0, 3)
  const { losses } = await evaluate({ learner, params: learner.init(createRng(1)) }, tasks)
  expect(losses.every(({ mean }) => Number.isFinite(mean) && mean > 0)).toBe(true)
})
