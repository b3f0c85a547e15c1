import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import {
  attention,
  conv1d,
  dense,
  flatten,
  flattenTree,
  hierarchicalTimeframeNet,
  lstm,
  sequential,
  type TensorLeaf,
  unflattenTree,
} from '@regimen/tensor'
import { describe, expect, test } from 'vitest'
import { type MetaNet, maml, type Task, type Weights } from '../src/index.ts'
import { leaf, metaGradient } from './support/learners.ts'

const STEPS = 4
const nets: { [name: string]: { net: MetaNet; shape: number[] } } = {
  lstm: { net: sequential([lstm({ inputs: 2, hidden: 3 }), dense({ inputs: 3, outputs: 1 })]), shape: [STEPS, 2] },
  attention: {
    net: sequential([attention({ features: 2, heads: 1 }), flatten(), dense({ inputs: 2 * STEPS, outputs: 1 })]),
    shape: [STEPS, 2],
  },
  conv1d: {
    net: sequential([
      conv1d({ inputs: 2, outputs: 3, window: 2, activation: 'tanh' }),
      flatten(),
      dense({ inputs: 3 * STEPS, outputs: 1 }),
    ]),
    shape: [STEPS, 2],
  },
  hierarchical: {
    net: hierarchicalTimeframeNet({ timeframes: ['1d', '1h'], featuresPerTimeframe: 2, crossFeatures: 1, hidden: 4 }),
    shape: [5],
  },
}

describe('second-order MAML through every kind of net', () => {
  for (const [name, { net, shape }] of Object.entries(nets)) {
    test(name, async () => {
      const rng = createRng(name)
      const width = shape.reduce((a, b) => a * b, 1)
      const numbers = (size: number) => Array.from({ length: size }, () => rng.normal())
      const set = () => ({ x: leaf([3, ...shape], numbers(3 * width)), y: leaf([3, 1], numbers(3)) })
      const tasks: Task[] = [
        { support: set(), query: set() },
        { support: set(), query: set() },
      ]
      const learner = maml({ net, steps: 2, rate: 0.2 })
      // Biases of zero would put ReLUs of empty codes exactly on their kink, where no difference quotient is a derivative.
      const initial = flattenTree<TensorLeaf>(learner.init(rng))
      const shaken = initial.leaves.map((one) => ({
        ...one,
        data: Float32Array.from(one.data, (value) => value + 0.3 * rng.normal()),
      }))
      const params = unflattenTree(initial.structure, shaken) as Weights
      const { gradient } = await metaGradient(learner, params, tasks)
      const length = Math.hypot(...gradient)
      // Along its own direction the slope is the gradient's length. A loss in float32 is good to about 1e-6, which h turns into
      // 5e-4; a larger h would step over the kinks of the hierarchical net's ReLU.
      const h = 0.002
      const moved = (scale: number): Weights => {
        const { leaves, structure } = flattenTree<TensorLeaf>(params)
        let at = 0
        const next = leaves.map((one) => ({
          ...one,
          data: Float32Array.from(one.data, (value) => value + (scale * gradient[at++]!) / length),
        }))
        return unflattenTree(structure, next) as Weights
      }
      const [up, down] = [await metaGradient(learner, moved(h), tasks), await metaGradient(learner, moved(-h), tasks)]
      expect(Math.abs((up.loss - down.loss) / (2 * h) / length - 1)).toBeLessThan(0.01)
    })
  }
})
