import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { dense, sequential } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import { adapt, chartPatterns, inContext, sampleFamily, taskNorm } from '../src/index.ts'
import { learnerContract } from './support/contract.ts'
import { numbersAt } from './support/learners.ts'

const paramsOf = (features: number, share: number[]) => ({
  scale: tf.ones([features]),
  bias: tf.zeros([features]),
  share: tf.tensor1d(share),
})
const near = (found: tf.Tensor, wanted: readonly number[]): void => {
  Array.from(found.dataSync()).forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, 4)
  })
}

describe('by hand', () => {
  test('half the support, half the sample itself', () => {
    // Two samples of two features, (0, 4) and (2, 4). The support: means (1, 4), variances (1, 0). The first sample: mean 2, variance 4.
    // α = σ(0) = ½, first feature: μ = 1.5, σ² = ½ (1 + ¼) + ½ (4 + ¼) = 2.75; second: μ = 3, σ² = ½ (0 + 1) + ½ (4 + 1) = 3.
    // The second sample, mean 3 and variance 1: μ = 2, σ² = ½ (1 + 1) + ½ (1 + 1) = 2; μ = 3.5, σ² = ½ ¼ + ½ (1 + ¼) = 0.75.
    const y = taskNorm({ features: 2 }).apply(
      paramsOf(2, [0, 0]),
      tf.tensor2d([
        [0, 4],
        [2, 4],
      ]),
    )
    near(y, [-1.5 / Math.sqrt(2.75), 1 / Math.sqrt(3), 0, 0.5 / Math.sqrt(0.75)])
  })

  test('the share grows with the support: α = σ(slope · 2 + offset)', () => {
    // σ(2 ln 3 − ln 3) = ¾, features (0) and (2) of one channel with a mean of 1 and a variance of 1; a sample of one number is its own mean.
    // First: μ = ¾, σ² = ¾ (1 + 1/16) + ¼ (0 + 9/16) = 0.9375.
    const y = taskNorm({ features: 1 }).apply(paramsOf(1, [Math.log(3), -Math.log(3)]), tf.tensor2d([[0], [2]]))
    near(y, [-0.75 / Math.sqrt(0.9375), 0.75 / Math.sqrt(0.9375)])
  })

  test('instance: each channel over its places', () => {
    // α ≈ 0, one sample with two places and channels (0, 5) and (2, 9): mean 1 and 7, deviation 1 and 2.
    const net = taskNorm({ features: 2, own: 'instance' })
    near(
      net.apply(
        paramsOf(2, [0, -50]),
        tf.tensor3d([
          [
            [0, 5],
            [2, 9],
          ],
        ]),
      ),
      [-1, -1, 1, 1],
    )
  })
})

const encoder = sequential([dense({ inputs: 16, outputs: 4 }), taskNorm({ features: 4 })])
const learner = inContext({ encoder, inputs: 4, ways: 2, width: 8, heads: 2, layers: 1, hidden: 8 })
const tasks = sampleFamily(chartPatterns({ shots: 2, ways: 2, length: 16 }), { seed: 1 })

test('a task owns the moments of its support', async () => {
  const [task] = await tasks.batch(0, 1)
  const params = learner.init(createRng(1))
  const { own } = await adapt({ learner, params }, task!.support)
  expect(numbersAt(own, 'moments.0.count')).toEqual([4])
  // Mean of the first unit over the support.
  const kernel = numbersAt(params, 'encoder.0.kernel')
  const { data } = task!.support.x
  const unit = [0, 1, 2, 3].map((i) =>
    kernel.reduce((sum, w, k) => (k % 4 === 0 ? sum + w * data[i * 16 + k / 4]! : sum), 0),
  )
  expect(numbersAt(own, 'moments.0.mean')[0]).toBeCloseTo(unit.reduce((a, b) => a + b, 0) / 4, 5)
})

test('bad options and inputs are refused', () => {
  expect(() => taskNorm({ features: 0 })).toThrow('features must be an integer ≥ 1, got 0')
  expect(() => taskNorm({ features: 1, epsilon: 0 })).toThrow('epsilon must be above 0, got 0')
  const net = taskNorm({ features: 2, own: 'instance' })
  expect(() => net.apply(paramsOf(2, [0, 0]), tf.zeros([3, 2]))).toThrow('at least 3 axes, the last of 2, got [3, 2]')
  expect(() => net.apply({ ...paramsOf(2, [0, 0]), scale: tf.ones([3, 2]) }, tf.zeros([3, 2, 2]))).toThrow(
    'have a task axis',
  )
})

learnerContract({ learner, tasks })
