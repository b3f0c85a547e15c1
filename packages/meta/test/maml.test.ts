import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { dense, flattenTree, mlp, type TensorLeaf } from '@regimen/tensor'
import { describe, expect, test } from 'vitest'
import { anil, cavia, fomaml, maml, mamlPlusPlus, metaSgd, type Task, type Weights } from '../src/index.ts'
import { adapted, differences, gradient, loss, type Samples } from './support/double.ts'
import { leaf, metaGradient, relativeError, setOf } from './support/learners.ts'

const HIDDEN = 3
const net = mlp({ sizes: [1, HIDDEN, 1], activation: 'tanh' })
const start = (() => {
  const rng = createRng(4)
  return Array.from({ length: 3 * HIDDEN + 1 }, () => Math.fround(0.7 * rng.normal()))
})()
const params: Weights = {
  net: [
    { kernel: leaf([1, HIDDEN], start.slice(0, 3)), bias: leaf([HIDDEN], start.slice(3, 6)) },
    { kernel: leaf([HIDDEN, 1], start.slice(6, 9)), bias: leaf([1], start.slice(9)) },
  ],
}
const problems: { support: Samples; query: Samples }[] = [
  { support: { x: [-1, 0.5, 2], y: [1, -0.5, 0.25] }, query: { x: [0, 1.5], y: [0.5, -1] } },
  { support: { x: [-2, 1, 0.25], y: [-1.5, 2, 1] }, query: { x: [-1, 3], y: [0, 1] } },
]
const tasks: Task[] = problems.map(({ support, query }) => ({
  support: setOf(support.x, support.y),
  query: setOf(query.x, query.y),
}))
const RATE = 0.125

const outer =
  (settings: { steps: number; moves?: (i: number) => boolean }) =>
  (p: readonly number[]): number =>
    problems.reduce(
      (sum, { support, query }) => sum + loss(adapted(p, support, { rate: RATE, ...settings }), query) / 2,
      0,
    )

describe('the outer gradient agrees with finite differences in double precision', () => {
  for (const steps of [1, 2, 5]) {
    test(`MAML, ${steps} inner steps`, async () => {
      const { gradient: found, loss: value } = await metaGradient(maml({ net, steps, rate: RATE }), params, tasks)
      expect(value).toBeCloseTo(outer({ steps })(start), 5)
      // float32 against double: about 1e-6 of the norm.
      expect(relativeError(found, differences(outer({ steps }), start))).toBeLessThan(2e-5)
    })
  }

  test('ANIL: the head alone moves in the inner loop, the body still gets its outer gradient', async () => {
    const moves = (i: number): boolean => i >= 2 * HIDDEN
    const { gradient: found } = await metaGradient(anil({ net, steps: 3, rate: RATE }), params, tasks)
    expect(relativeError(found, differences(outer({ steps: 3, moves }), start))).toBeLessThan(2e-5)
    expect(Math.hypot(...found.slice(0, 2 * HIDDEN))).toBeGreaterThan(0.01)
  })

  test('MAML++ weighs the query loss of every step', async () => {
    const steps = 3
    const plain = differences((p) => [1, 2, 3].reduce((sum, k) => sum + outer({ steps: k })(p) / 3, 0), start)
    const learner = mamlPlusPlus({ net, steps, rate: RATE, firstOrder: 0 })
    const rates = Array.from({ length: 4 }, () => leaf([steps], new Array(steps).fill(RATE)))
    const { gradient: found } = await metaGradient(learner, { ...(params as object), rates } as Weights, tasks)
    expect(relativeError(found.slice(0, start.length), plain)).toBeLessThan(2e-5)
  })
})

test('FOMAML is the query gradient at the adapted parameters, and not the gradient of MAML', async () => {
  const { gradient: found } = await metaGradient(fomaml({ net, steps: 2, rate: RATE }), params, tasks)
  const expected = start.map((_, i) =>
    problems.reduce(
      (sum, { support, query }) => sum + gradient(adapted(start, support, { steps: 2, rate: RATE }), query)[i]! / 2,
      0,
    ),
  )
  expect(relativeError(found, expected)).toBeLessThan(1e-5)
  expect(relativeError(found, differences(outer({ steps: 2 }), start))).toBeGreaterThan(0.05)
})

test('Meta-SGD on a quadratic, by hand', async () => {
  // y = w x, one support sample (1, 3) and one query sample (1, 5), w = 1, rate a = 0.25:
  // support gradient 2 (w − 3) = −4, so w′ = 1 + 0.25 · 4 = 2, and the query loss is (2 − 5)² = 9.
  // ∂/∂w = 2 (w′ − 5) (1 − 2 a) = −6 · 0.5 = −3 and ∂/∂a = 2 (w′ − 5) · 4 = −24.
  const line = dense({ inputs: 1, outputs: 1, bias: false })
  const learner = metaSgd({ net: line, rate: 0.25 })
  const fresh = learner.init(createRng(1)) as { net: unknown; rates: Weights[] }
  expect(fresh.rates[0]).toEqual(leaf([1, 1], [0.25]))
  const point = { net: { kernel: leaf([1, 1], [1]) }, rates: fresh.rates } as Weights
  const found = await metaGradient(learner, point, [{ support: setOf([1], [3]), query: setOf([1], [5]) }])
  expect(found.loss).toBeCloseTo(9, 5)
  expect(found.gradient[0]).toBeCloseTo(-3, 5)
  expect(found.gradient[1]).toBeCloseTo(-24, 4)
})

test('CAVIA: the context starts at zero and moves, by hand', async () => {
  // y = u x + v c with u = 1, v = 2, c = 0; support (1, 3): ∂(u + v c − 3)²/∂c = 2 (1 − 3) · 2 = −8, so c′ = 0.125 · 8 = 1.
  // query (1, 5): prediction 1 + 2 · 1 = 3, loss 4. c′ = −2 a (u − 3) v, so ∂c′/∂u = −2 a v = −0.5 and
  // ∂c′/∂v = −2 a (u − 3) = 0.5; ∂loss/∂u = 2 (3 − 5) (1 + 2 · −0.5) = 0 and ∂loss/∂v = −4 (c′ + 2 · 0.5) = −8.
  const learner = cavia({ net: dense({ inputs: 2, outputs: 1, bias: false }), context: 1, rate: 0.125 })
  const point = { net: { kernel: leaf([2, 1], [1, 2]) } } as Weights
  const found = await metaGradient(learner, point, [{ support: setOf([1], [3]), query: setOf([1], [5]) }])
  expect(found.loss).toBeCloseTo(4, 5)
  expect(found.gradient[0]).toBeCloseTo(0, 5)
  expect(found.gradient[1]).toBeCloseTo(-8, 5)
})

test('a long inner gradient is cut to the bound, and the report says so', async () => {
  // y = w x, support (1, 101) at w = 1: gradient −200, cut to −10, so w′ = 1 + 0.1 · 10 = 2; query (1, 3): loss 1.
  const learner = maml({ net: dense({ inputs: 1, outputs: 1, bias: false }), rate: 0.1, bound: 10 })
  const point = { net: { kernel: leaf([1, 1], [1]) } } as Weights
  const found = await metaGradient(learner, point, [{ support: setOf([1], [101]), query: setOf([1], [3]) }])
  expect(found.loss).toBeCloseTo(1, 5)
  expect(found.bounded).toBe(1)
  // The direction of a clipped scalar gradient does not depend on w: ∂/∂w = 2 (w′ − 3) · 1.
  expect(found.gradient[0]).toBeCloseTo(-2, 4)
})

test('parameters in the order of the net, rates only for what adapts', () => {
  const shapes = (weights: Weights) => flattenTree<TensorLeaf>(weights).leaves.map(({ shape }) => shape.join('×'))
  expect(shapes(maml({ net }).init(createRng(1)))).toEqual(['1×3', '3', '3×1', '1'])
  expect(shapes(mamlPlusPlus({ net, steps: 2 }).init(createRng(1)))).toEqual([
    '1×3',
    '3',
    '3×1',
    '1',
    '2',
    '2',
    '2',
    '2',
  ])
})

test('bad options are refused', () => {
  expect(() => maml({ net, steps: 0 })).toThrow('steps must be an integer ≥ 1, got 0')
  expect(() => maml({ net, rate: Number.NaN })).toThrow('rate must be finite and above 0, got NaN')
  expect(() => cavia({ net, context: 0 })).toThrow('context must be an integer ≥ 1')
})
