import '@tensorflow/tfjs'
import { dense } from '@regimen/tensor'
import { expect, test } from 'vitest'
import { adapt, imaml, reptile, type Weights } from '../src/index.ts'
import { leaf, metaGradient, setOf } from './support/learners.ts'

const line = dense({ inputs: 1, outputs: 1, bias: false })
const at = (w: number) => ({ net: { kernel: leaf([1, 1], [w]) } }) as Weights

test('Reptile on a quadratic with gradient descent, by hand', async () => {
  // y = w x from w = 1, all four samples at x = 1 with mean target 5: loss′ = 2 (w − 5), rate 0.25 halves the distance:
  // 1 → 3 → 4. The pseudo-gradient is w − w′ = −3.
  const learner = reptile({ net: line, steps: 2, rate: 0.25, inner: 'sgd' })
  const task = { support: setOf([1, 1], [4, 6]), query: setOf([1, 1], [4, 6]) }
  const found = await metaGradient(learner, at(1), [task])
  expect(found.gradient[0]).toBeCloseTo(-3, 5)
  // The query loss after adaptation: ((4 − 4)² + (4 − 6)²) / 2.
  expect(found.loss).toBeCloseTo(2, 5)
})

test('Reptile with Adam without momentum: the first step is the rate, whatever the gradient', async () => {
  const learner = reptile({ net: line, steps: 1, rate: 0.5 })
  const up = { support: setOf([1], [100]), query: setOf([1], [100]) }
  const down = { support: setOf([1], [0.5]), query: setOf([1], [0.5]) }
  expect((await metaGradient(learner, at(1), [up])).gradient[0]).toBeCloseTo(-0.5, 4)
  // One task goes up by 0.5, the other down by 0.5: the start stays.
  expect((await metaGradient(learner, at(1), [up, down])).gradient[0]).toBeCloseTo(0, 4)
})

test('Reptile in parts: each step sees the next part, by hand', async () => {
  // Parts are the samples 0 and 2 (both in the support and in the query: targets 5) and the samples 1 and 3 (targets 3). Rate 0.25
  // halves the distance: 1 → 3 towards 5, then stays at 3. The pseudo-gradient is −2.
  const learner = reptile({ net: line, steps: 2, rate: 0.25, inner: 'sgd', parts: 2 })
  const task = { support: setOf([1, 1], [4, 3]), query: setOf([1, 1], [6, 3]) }
  const found = await metaGradient(learner, at(1), [task])
  expect(found.gradient[0]).toBeCloseTo(-2, 5)
  // Adapted without a query: 1 → 2.5 towards the first sample, → 2.75 towards the second, and the first again.
  const model = { learner, params: at(1) }
  const adapted = await adapt(model, setOf([1, 1], [4, 3]), { steps: 3 })
  expect((await adapted.predict(leaf([1, 1], [1]))).data[0]).toBeCloseTo((2.75 + 4) / 2, 5)
  expect(() => reptile({ net: line, parts: 0 })).toThrow('parts must be an integer ≥ 1, got 0')
})

test('iMAML on a quadratic: the gradient of the exact minimum, by hand', async () => {
  // min over φ of (φ − 3)² + (λ/2) (φ − θ)², λ = 2: 2 (φ − 3) + 2 (φ − 1) = 0, so φ = 2 from θ = 1, and dφ/dθ = λ/(2 + λ) = ½.
  // Query (φ − 5)²: the meta-gradient is 2 (2 − 5) · ½ = −3. Rate 0.25 reaches φ in one step (curvature 4).
  const learner = imaml({ net: line, steps: 3, rate: 0.25, pull: 2, solverSteps: 3 })
  const found = await metaGradient(learner, at(1), [{ support: setOf([1], [3]), query: setOf([1], [5]) }])
  expect(found.loss).toBeCloseTo(9, 4)
  expect(found.gradient[0]).toBeCloseTo(-3, 4)
})
