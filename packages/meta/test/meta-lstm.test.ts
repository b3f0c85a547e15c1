import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { batchNorm, dense, meanSquaredError, mlp, sequential } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { expect, test } from 'vitest'
import { preprocess } from '../src/generated/meta-lstm.ts'
import { adapt, chartPatterns, evaluate, metaLstm, metaTrain, sampleFamily, type Weights } from '../src/index.ts'
import { learnerContract } from './support/contract.ts'
import { differences } from './support/double.ts'
import { leaf, metaGradient, numbersAt, relativeError, setOf } from './support/learners.ts'

const line = dense({ inputs: 1, outputs: 1, bias: false })
const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v))

test('sizes are told by their logarithm and sign, tiny ones by themselves', () => {
  const [log, sign] = preprocess(tf.tensor1d([Math.E ** 2, -1, 1e-6, 0]))
  // e⁻¹⁰ = 4.5e-5, so 1e-6 is tiny: 1e-6 e¹⁰ = 0.0220.
  const wanted = { log: [0.2, 0, -1, -1], sign: [1, -1, 1e-6 * Math.exp(10), 0] }
  Array.from(log.dataSync()).forEach((value, i) => {
    expect(value).toBeCloseTo(wanted.log[i]!, 5)
  })
  Array.from(sign.dataSync()).forEach((value, i) => {
    expect(value).toBeCloseTo(wanted.sign[i]!, 5)
  })
})

// y = w x from w = 1: support (1, 3) has loss (w − 3)² = 4 and slope 2 (w − 3) = −4.
const start = [1, 0.3, -0.2, 0.5, 0.1, 0.4, -0.6, -1, 0.2, 0.1, -0.3, 0.25, 0.15, 0.35, 2]
const paramsOf = (p: readonly number[]): Weights =>
  ({
    net: { kernel: leaf([1, 1], p.slice(0, 1)) },
    input: { weights: leaf([6], p.slice(1, 7)), bias: leaf([1], p.slice(7, 8)) },
    forget: { weights: leaf([6], p.slice(8, 14)), bias: leaf([1], p.slice(14)) },
  }) as Weights

/** Two steps of the rule in double precision, with the gradients and losses of the start taken for constants. */
function rule(
  p: readonly number[],
  at: readonly number[] = p,
): { path: number[]; looks: { slope: number; loss: number }[] } {
  const gate = (w: readonly number[], bias: number, facts: readonly number[]): number =>
    sigmoid(facts.reduce((sum, fact, i) => sum + fact * w[i]!, bias))
  const facts = (v: number): number[] => [Math.log(Math.abs(v)) / 10, Math.sign(v)]
  const walk = (q: readonly number[], looks?: { slope: number; loss: number }[]) => {
    let [w, input, forget] = [q[0]!, 0, 1]
    const path = [w]
    const seen: { slope: number; loss: number }[] = []
    for (let step = 0; step < 2; step++) {
      const look = looks?.[step] ?? { slope: 2 * (w - 3), loss: (w - 3) ** 2 }
      seen.push(look)
      const known = [...facts(look.slope), ...facts(look.loss), w]
      input = gate(q.slice(1, 7), q[7]!, [...known, input])
      forget = gate(q.slice(8, 14), q[14]!, [...known, forget])
      w = forget * w - input * look.slope
      path.push(w)
    }
    return { path, looks: seen }
  }
  return walk(p, walk(at).looks)
}

test('two steps of the rule agree with the equations in double precision', async () => {
  const learner = metaLstm({ net: line, loss: meanSquaredError, steps: 2 })
  const { path } = rule(start)
  const one = await adapt({ learner, params: paramsOf(start) }, setOf([1], [3]), { steps: 1 })
  expect(numbersAt(one.own, 'kernel')[0]).toBeCloseTo(path[1]!, 5)
  const two = await adapt({ learner, params: paramsOf(start) }, setOf([1], [3]), { steps: 2 })
  expect(numbersAt(two.own, 'kernel')[0]).toBeCloseTo(path[2]!, 5)
})

test("the meta-gradient takes the support's gradients for constants", async () => {
  const learner = metaLstm({ net: line, loss: meanSquaredError, steps: 2 })
  const found = await metaGradient(learner, paramsOf(start), [{ support: setOf([1], [3]), query: setOf([1], [5]) }])
  const outer = (p: readonly number[]): number => (rule(p, start).path[2]! - 5) ** 2
  expect(found.loss).toBeCloseTo(outer(start), 4)
  expect(relativeError(found.gradient, differences(outer, start))).toBeLessThan(1e-4)
  const through = differences((p) => (rule(p).path[2]! - 5) ** 2, start)
  expect(relativeError(found.gradient, through)).toBeGreaterThan(0.02)
})

test('starts as gradient descent with the rate, and keeps the rest', async () => {
  const learner = metaLstm({ net: line, loss: meanSquaredError, steps: 1, rate: 0.25, keep: 1 - 1e-7 })
  const { input, forget } = learner.init(createRng(1)) as { input: Weights; forget: Weights }
  const params = { net: { kernel: leaf([1, 1], [1]) }, input, forget } as Weights
  const { own } = await adapt({ learner, params }, setOf([1], [3]))
  // 1 − 0.25 · −4
  expect(numbersAt(own, 'kernel')[0]).toBeCloseTo(2, 4)
})

test('running statistics follow training, once for each look at the support and the query', async () => {
  const net = sequential([batchNorm({ features: 1, statistics: 'running', momentum: 0.5 }), line])
  const learner = metaLstm({ net, loss: meanSquaredError, steps: 2 })
  const task = { support: setOf([1, 3], [0, 1]), query: setOf([5, 7], [1, 0]) }
  const { model } = await metaTrain(learner, { batch: () => [task] }, { iterations: 1, tasksPerBatch: 1 })
  // Half a share from 0: twice +1 for the support's mean of 2, once +3 for the query's of 6, on average 5/3.
  expect(numbersAt(model.params, 'net.0.mean')[0]).toBeCloseTo(5 / 3, 5)
})

test('learns a rule that solves tasks of one straight line each', async () => {
  const tasks = {
    batch: (index: number, count: number) =>
      Array.from({ length: count }, (_, i) => {
        const slope = 2 * Math.sin(7 * index + 3 * i)
        return { support: setOf([1, -0.5], [slope, -0.5 * slope]), query: setOf([0.7, -1], [0.7 * slope, -slope]) }
      }),
  }
  const learner = metaLstm({ net: line, loss: meanSquaredError, steps: 3, rate: 0.02 })
  const params = learner.init(createRng(1))
  const test = tasks.batch(1000, 20)
  const before = (await evaluate({ learner, params }, test)).losses.at(-1)!.mean
  const { model } = await metaTrain(learner, tasks, { iterations: 200, tasksPerBatch: 8, rate: 0.05, params })
  const after = (await evaluate(model, test)).losses.at(-1)!.mean
  expect(after).toBeLessThan(0.2 * before)
})

test('bad options are refused', () => {
  expect(() => metaLstm({ net: line, steps: 0 })).toThrow('steps must be an integer ≥ 1, got 0')
  expect(() => metaLstm({ net: line, rate: 1 })).toThrow('rate must be below 1, got 1')
  expect(() => metaLstm({ net: line, keep: 0 })).toThrow('keep must be finite and above 0, got 0')
})

learnerContract({
  learner: metaLstm({ net: mlp({ sizes: [16, 4, 2], activation: 'tanh' }), steps: 2 }),
  tasks: sampleFamily(chartPatterns({ shots: 2, ways: 2, length: 16 }), { seed: 1 }),
  firstOrder: true,
})
