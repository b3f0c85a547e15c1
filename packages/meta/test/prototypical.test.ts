import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { dense, mlp } from '@regimen/tensor'
import { expect, test } from 'vitest'
import { adapt, chartPatterns, evaluate, metaTrain, prototypical, sampleFamily, type Weights } from '../src/index.ts'
import { column, labels, leaf, metaGradient, numbersAt } from './support/learners.ts'

const identity = { net: { kernel: leaf([1, 1], [1]) } } as Weights
const line = dense({ inputs: 1, outputs: 1, bias: false })
const learner = prototypical({ net: line, ways: 2, embedding: 1 })
const support = { x: column([0, 2, 9, 11]), y: labels([0, 0, 1, 1]) }

test('a class is the mean of its support, and logits are minus squared distances up to a constant', async () => {
  const adapted = await adapt({ learner, params: identity }, support)
  expect(numbersAt(adapted.own, 'centres')).toEqual([1, 10])
  const { data } = await adapted.predict(column([4]))
  // −(4 − 1)² + (4 − 10)² = 27
  expect(data[0]! - data[1]!).toBeCloseTo(27, 4)
})

test('the meta-gradient of a two-class problem, by hand', async () => {
  // Embedding w x, prototypes 0 and w; query x = ½ + a of class 1 has logit difference (second minus first)
  // w² ((½ + a)² − (½ − a)²) = 2 a w², so the loss is log(1 + exp(−2 a w²)) and its slope −4 a w σ(−2 a w²).
  const [a, w] = [0.25, 1.5]
  const point = { net: { kernel: leaf([1, 1], [w]) } } as Weights
  const task = { support: { x: column([0, 1]), y: labels([0, 1]) }, query: { x: column([0.5 + a]), y: labels([1]) } }
  const { loss, gradient } = await metaGradient(learner, point, [task])
  expect(loss).toBeCloseTo(Math.log1p(Math.exp(-2 * a * w * w)), 5)
  expect(gradient[0]).toBeCloseTo((-4 * a * w) / (1 + Math.exp(2 * a * w * w)), 5)
})

test('the learned metric starts as the identity and can stretch an axis', async () => {
  const net = dense({ inputs: 2, outputs: 2, bias: false })
  const stretched = prototypical({ net, ways: 2, embedding: 2, metric: 'mahalanobis' })
  expect(numbersAt(stretched.init(createRng(1)), 'metric')).toEqual([1, 0, 0, 1])
  const rows = (data: number[]) => leaf([data.length / 2, 2], data)
  const task = { x: rows([0, 0, 2, 1]), y: labels([0, 1]) }
  const unit = leaf([2, 2], [1, 0, 0, 1])
  const answer = async (metric: number[]) => {
    const params = { net: { kernel: unit }, metric: leaf([2, 2], metric) } as Weights
    const { data } = await (await adapt({ learner: stretched, params }, task)).predict(rows([0.5, 1]))
    return data[1]! > data[0]! ? 1 : 0
  }
  // (0.5, 1): 1.25 from (0, 0), 2.25 from (2, 1); with the second axis stretched three times 9.25 against 2.25.
  expect(await answer([1, 0, 0, 1])).toBe(0)
  expect(await answer([1, 0, 0, 3])).toBe(1)
})

test('prototypes move as labels arrive, and forget', async () => {
  const adapted = await adapt({ learner, params: identity }, support)
  const more = { x: column([4]), y: labels([0]) }
  const centresOf = (own: Weights) => numbersAt(own, 'centres')
  // (0 + 2 + 4) / 3; the other class stays.
  expect(centresOf((await adapted.observe(more)).own)).toEqual([2, 10])
  // Old samples count half: (½ · 2 · 1 + 4) / 2 = 2.5.
  expect(centresOf((await adapted.observe(more, { keep: 0.5 })).own)).toEqual([2.5, 10])
})

test('a class without support is never the answer until its first label; labels beyond the ways are refused', async () => {
  const three = prototypical({ net: line, ways: 3, embedding: 1 })
  const model = { learner: three, params: identity }
  // Class 1 has no support; were it at the origin, 0.1 would be its own.
  const adapted = await adapt(model, { x: column([5, 7, -6]), y: labels([0, 0, 2]) })
  const answer = async (who: typeof adapted) => {
    const { data } = await who.predict(column([0.1]))
    return data.indexOf(Math.max(...data))
  }
  // 5.9² to class 0 against 6.1² to class 2.
  expect(await answer(adapted)).toBe(0)
  expect(await answer(await adapted.observe({ x: column([0.5]), y: labels([1]) }))).toBe(1)
  await expect(adapt(model, { x: column([1, 2]), y: labels([0, 3]) })).rejects.toThrow('classes from 0 to 2, got 3')
  for (const label of [-1, 3]) {
    const bad = { x: column([1, 2]), y: labels([0, label]) }
    const task = { support: bad, query: bad }
    await expect(evaluate(model, [task])).rejects.toThrow(`got ${label}`)
    await expect(metaTrain(three, { batch: () => [task] })).rejects.toThrow(`got ${label}`)
    await expect(metaTrain(three, { batch: () => [] }, { validation: [task] })).rejects.toThrow(`got ${label}`)
  }
})

test('learns to embed chart patterns that it has not seen', async () => {
  const patterns = ['double-top', 'double-bottom', 'bull-flag', 'bear-flag', 'v-bottom', 'spike-top'] as const
  const family = chartPatterns({ shots: 3, queries: 5, ways: 3, patterns, span: [1, 1] })
  const net = prototypical({ net: mlp({ sizes: [64, 32, 8] }), ways: 3, embedding: 8 })
  const { model } = await metaTrain(net, sampleFamily(family, { seed: 1 }), {
    iterations: 200,
    tasksPerBatch: 8,
    rate: 3e-3,
  })
  const held = ['head-and-shoulders', 'inverse-head-and-shoulders', 'rising-wedge', 'cup-and-handle'] as const
  const unseen = sampleFamily(chartPatterns({ shots: 3, queries: 5, ways: 3, patterns: held, span: [1, 1] }), {
    seed: 2,
  })
  const { accuracies } = await evaluate(model, await unseen.batch(0, 60))
  // Guessing is right in a third.
  expect(accuracies!.at(-1)!.mean - accuracies!.at(-1)!.interval).toBeGreaterThan(0.6)
})
