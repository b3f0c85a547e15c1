import '@tensorflow/tfjs'
import { dense, mlp } from '@regimen/tensor'
import { expect, test } from 'vitest'
import {
  adapt,
  chartPatterns,
  evaluate,
  metaTrain,
  prototypical,
  relation,
  sampleFamily,
  type Task,
  type TaskSet,
  type Weights,
  zeroShot,
} from '../src/index.ts'
import { column, labels, leaf, metaGradient, numbersAt } from './support/learners.ts'

const layer = (inputs: number, outputs = 1) => dense({ inputs, outputs, bias: false })
const rows = (data: readonly number[], width = 2) => leaf([data.length / width, width], data)
/** Descriptions are two numbers, samples are one. */
const described: TaskSet = { x: rows([1, 0, 0, 2]), y: labels([0, 1]), described: true }
const learner = zeroShot({ net: layer(1), describe: layer(2), ways: 2, embedding: 1, unit: false })
const params = { net: { kernel: leaf([1, 1], [2]) }, describe: { kernel: leaf([2, 1], [1, 3]) } } as Weights

test('prototypes are embedded descriptions, and samples go to the nearest, by hand', async () => {
  const adapted = await adapt({ learner, params }, described)
  // 1 · 1 + 3 · 0 and 1 · 0 + 3 · 2.
  expect(numbersAt(adapted.own, 'centres')).toEqual([1, 6])
  // f(2) = 4: −(4 − 1)² + (4 − 6)² = −5.
  const { data } = await adapted.predict(column([2]))
  expect(data[0]! - data[1]!).toBeCloseTo(-5, 4)
  // Both descriptions lie 25 from the other class: the support loss says how well they are told apart.
  expect(adapted.lossAfter).toBeCloseTo(Math.log1p(Math.exp(-25)), 5)
  // A second description of class 0: (1 + 3) / 2.
  const more = await adapted.observe({ x: rows([3, 0]), y: labels([0]), described: true })
  expect(numbersAt(more.own, 'centres')).toEqual([2, 6])
})

test('prototypes of length one', async () => {
  const unit = zeroShot({ net: layer(1, 2), describe: layer(2, 2), ways: 2, embedding: 2 })
  const identity = {
    net: { kernel: leaf([1, 2], [1, 0]) },
    describe: { kernel: leaf([2, 2], [1, 0, 0, 1]) },
  } as Weights
  const adapted = await adapt({ learner: unit, params: identity }, { ...described, x: rows([3, 4, 0, 2]) })
  ;[0.6, 0.8, 0, 1].forEach((value, i) => {
    expect(numbersAt(adapted.own, 'centres')[i]).toBeCloseTo(value, 5)
  })
})

test('the meta-gradient reaches both nets, by hand', async () => {
  // f = w x = 4, prototypes p = u and q = 2 v: logit of class 1 less that of class 0 is D = −(4 − q)² + (4 − p)² = −4 + 9.
  const task: Task = { support: described, query: { x: column([2]), y: labels([1]) } }
  const { loss, gradient } = await metaGradient(learner, params, [task])
  expect(loss).toBeCloseTo(Math.log1p(Math.exp(-5)), 5)
  const slope = -1 / (1 + Math.exp(5))
  // dD/dw = x (−2 (4 − q) + 2 (4 − p)) = 2 · 10, dD/du = −2 (4 − p) = −6, dD/dv = 2 (4 − q) · 2 = −8.
  ;[20, -6, -8].forEach((value, i) => {
    expect(gradient[i]).toBeCloseTo(slope * value, 4)
  })
})

test('a relation net compares samples with descriptions, by hand', async () => {
  const one = relation({ ways: 2, describe: layer(2), scales: [{ net: layer(1), relation: layer(2) }] })
  const pair = {
    scales: [{ net: { kernel: leaf([1, 1], [2]) }, relation: { kernel: leaf([2, 1], [0.5, -1]) } }],
    describe: { kernel: leaf([2, 1], [1, 3]) },
  } as Weights
  const { data } = await (await adapt({ learner: one, params: pair }, described)).predict(column([2]))
  // ½ p − f(x) with p = 1 and 6, f(x) = 4.
  expect([...data]).toEqual([-3.5, -1])
})

test('recognizes patterns that it has never seen, from their knots alone', async () => {
  const sizes = { shots: 1, queries: 5, ways: 3, described: true }
  const nets = { net: mlp({ sizes: [64, 48, 16] }), describe: mlp({ sizes: [16, 48, 16] }) }
  const { model } = await metaTrain(
    zeroShot({ ...nets, ways: 3, embedding: 16 }),
    sampleFamily(chartPatterns({ ...sizes, patterns: 'drawn', span: [1, 1] }), { seed: 1 }),
    { iterations: 400, tasksPerBatch: 8, rate: 3e-3 },
  )
  const test = await sampleFamily(chartPatterns({ ...sizes, span: [1, 1] }), { seed: 2 }).batch(0, 60)
  expect(test[0]!.support.x.shape).toEqual([3, 16])
  const { accuracies } = await evaluate(model, test)
  // Guessing is right in a third.
  expect(accuracies!.at(-1)!.mean - accuracies!.at(-1)!.interval).toBeGreaterThan(0.5)
})

test('descriptions and samples are not taken for each other', async () => {
  const samples = { x: column([1, 2]), y: labels([0, 1]) }
  const task: Task = { support: described, query: samples }
  const model = { learner, params }
  await expect(adapt(model, samples)).rejects.toThrow('meta/zero-shot adapts to descriptions, got a support of samples')
  const near = prototypical({ net: layer(1), ways: 2, embedding: 1 })
  const other = { learner: near, params: { net: { kernel: leaf([1, 1], [1]) } } as Weights }
  await expect(evaluate(other, [task])).rejects.toThrow('meta/prototypical adapts to samples, got a support of desc')
  await expect(metaTrain(near, { batch: () => [task] })).rejects.toThrow('adapts to samples')
  await expect(evaluate(model, [{ support: described, query: { ...samples, described: true } }])).rejects.toThrow(
    'the query must hold samples',
  )
  await expect(evaluate(model, [{ ...task, query: { ...samples, y: labels([0, 2]) } }])).rejects.toThrow(
    'class 2 is in the query but has no support',
  )
  expect(() => zeroShot({ net: layer(1), describe: layer(2), ways: 2, embedding: 0 })).toThrow(
    '[meta/zero-shot] embedding must be an integer ≥ 1, got 0',
  )
  const wide = zeroShot({ net: layer(1), describe: layer(2), ways: 2, embedding: 3 })
  await expect(adapt({ learner: wide, params }, described)).rejects.toThrow('must give vectors of 3 numbers')
})
