import '@tensorflow/tfjs'
import { meanSquaredError } from '@regimen/tensor'
import { expect, test } from 'vitest'
import { adapt, chartPatterns, fastWeights, sampleFamily, type Weights } from '../src/index.ts'
import { learnerContract } from './support/contract.ts'
import { boundLabels, column, leaf, numbersAt } from './support/learners.ts'

// Two hidden units, driven by x and by y + 1; normalized, two different numbers become 1 (the larger) and −1, so relu leaves (1, 0)
// or (0, 1), whatever A adds, as long as it does not turn the order around.
const learner = fastWeights({
  inputs: 1,
  targets: 1,
  loss: meanSquaredError,
  hidden: 2,
  settle: 1,
  decay: 0.5,
  rate: 2,
})
const params = {
  sample: { kernel: leaf([2, 2], [1, 0, 0, 1]), bias: leaf([2], [0, 1]) },
  recurrent: leaf([2, 2], [0, 0, 0, 0]),
  norm: { scale: leaf([2], [1, 1]), bias: leaf([2], [0, 0]) },
  output: { kernel: leaf([2, 1], [1, 10]), bias: leaf([1], [0]) },
} as Weights

test('the fast weights are a fading sum of outer products, by hand', async () => {
  // (3, 1): first unit, h = (1, 0), A = 2 [1 0; 0 0]. (0, 3): drive (0, 4) → h = (0, 1), A = ½ · 2 [1 0; 0 0] + 2 [0 0; 0 1].
  const { own } = await adapt({ learner, params }, { x: column([3, 0]), y: column([1, 3]) })
  const fast = numbersAt(own, 'fast')
  const wanted = [1, 0, 0, 2]
  fast.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, 3)
  })
  expect(numbersAt(own, 'state')[1]).toBeCloseTo(1, 4)
})

test('a state is attracted to what it resembles, by hand', async () => {
  const adapted = await adapt({ learner, params }, { x: column([3]), y: column([1]) })
  // A = 2 [1 0; 0 0]. A query has y = 0: at x = ½ the drive is (½, 1) and relu the same; A lifts the first unit by 1 to 1.5 > 1.
  const { data } = await adapted.predict(column([0.5]))
  expect(data[0]).toBeCloseTo(1, 3)
  // At x = ¼ it is lifted to ¾ < 1: the second unit wins.
  expect((await adapted.predict(column([0.25]))).data[0]).toBeCloseTo(10, 2)
})

test('observing goes on where the support ended; keep is a share of what was known', async () => {
  const first = await adapt({ learner, params }, { x: column([3]), y: column([1]) })
  const both = await first.observe({ x: column([0]), y: column([3]) })
  expect(numbersAt(both.own, 'fast')[0]).toBeCloseTo(1, 3)
  const half = await first.observe({ x: column([0]), y: column([3]) }, { keep: 0.5 })
  expect(numbersAt(half.own, 'fast')[0]).toBeCloseTo(0.5, 3)
})

test('bad options are refused', () => {
  expect(() => fastWeights({ inputs: 1, ways: 2, decay: 2 })).toThrow('decay must be from 0 to 1, got 2')
  expect(() => fastWeights({ inputs: 1, ways: 2, rate: 0 })).toThrow('rate must be finite and above 0, got 0')
  expect(() => fastWeights({ inputs: 1, ways: 2, settle: 0 })).toThrow('settle must be an integer ≥ 1, got 0')
})

test('learns to bind labels that are numbered anew in every task', async () => {
  expect(await boundLabels(fastWeights({ inputs: 2, ways: 2 }), 5)).toBeGreaterThan(0.95)
})

learnerContract({
  learner: fastWeights({ inputs: 16, ways: 2, hidden: 6 }),
  tasks: sampleFamily(chartPatterns({ shots: 2, ways: 2, length: 16 }), { seed: 1 }),
  ordered: true,
})
