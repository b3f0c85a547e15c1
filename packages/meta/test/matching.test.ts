import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { dense, flattenTree, mlp, type TensorLeaf, unflattenTree } from '@regimen/tensor'
import { describe, expect, test } from 'vitest'
import { adapt, evaluate, matching, openAdapter, type TaskSet, type Weights } from '../src/index.ts'
import { column, labels, leaf, metaGradient, relativeError, unseenPatterns } from './support/learners.ts'

const plain = (size: number) => dense({ inputs: size, outputs: size, bias: false })
const rows = (data: readonly number[], width = 2): TensorLeaf => leaf([data.length / width, width], data)
const line = { net: { kernel: leaf([1, 1], [1]) } } as Weights
const plane = { net: { kernel: leaf([2, 2], [1, 0, 0, 1]) } } as Weights

const probabilities = (data: ArrayLike<number>): number[] => {
  const top = Math.max(...Array.from(data))
  const powers = Array.from(data, (value) => Math.exp(value - top))
  const total = powers.reduce((a, b) => a + b, 0)
  return powers.map((power) => power / total)
}

describe('attention over the labels, by hand', () => {
  test('squared distance', async () => {
    // x = 1 lies 1, 1 and 2 from 0, 2 and 3: attention e⁻¹, e⁻¹ and e⁻⁴ over their sum; classes 0, 1 and 1.
    const learner = matching({ net: plain(1), ways: 2, embedding: 1, metric: 'euclidean' })
    const adapted = await adapt({ learner, params: line }, { x: column([0, 2, 3]), y: labels([0, 1, 1]) })
    const sum = 2 * Math.exp(-1) + Math.exp(-4)
    const [a, b] = probabilities((await adapted.predict(column([1]))).data)
    expect(a).toBeCloseTo(Math.exp(-1) / sum, 5)
    expect(b).toBeCloseTo((Math.exp(-1) + Math.exp(-4)) / sum, 5)
  })

  test('cosine, and a sample of weight two counts as two', async () => {
    // (3, 4) has cosines 3/5, 4/5 and −3/5 with (1, 0), (0, 2) and (−5, 0).
    const learner = matching({ net: plain(2), ways: 2, embedding: 2, scale: 2 })
    const support = { x: rows([1, 0, 0, 2, -5, 0]), y: labels([0, 1, 0]), weights: Float32Array.of(2, 1, 1) }
    const adapted = await adapt({ learner, params: plane }, support)
    const [a, b, c] = [2 * Math.exp(1.2), Math.exp(1.6), Math.exp(-1.2)] as const
    const [first, second] = probabilities((await adapted.predict(rows([3, 4]))).data)
    expect(first).toBeCloseTo((a + c) / (a + b + c), 5)
    expect(second).toBeCloseTo(b / (a + b + c), 5)
  })
})

test('the meta-gradient of a two-class problem, by hand', async () => {
  // Embedding w x, support 0 and w, query w (½ + a) of class 1: the same difference of squares as for prototypes, 2 a w².
  const [a, w] = [0.25, 1.5]
  const learner = matching({ net: plain(1), ways: 2, embedding: 1, metric: 'euclidean' })
  const task = { support: { x: column([0, 1]), y: labels([0, 1]) }, query: { x: column([0.5 + a]), y: labels([1]) } }
  const { loss, gradient } = await metaGradient(learner, { net: { kernel: leaf([1, 1], [w]) } } as Weights, [task])
  expect(loss).toBeCloseTo(Math.log1p(Math.exp(-2 * a * w * w)), 5)
  expect(gradient[0]).toBeCloseTo((-4 * a * w) / (1 + Math.exp(2 * a * w * w)), 5)
})

// One number a sample, so that the paper's equations (appendix A) can be followed in plain double precision.
describe('full context', () => {
  const cell = (kernel: number[], recurrent: number[], bias: number[]) => ({
    kernel: leaf([1, 4], kernel),
    recurrent: leaf([recurrent.length / 4, 4], recurrent),
    bias: leaf([4], bias),
  })
  const weights = {
    forward: [
      [0.5, -0.4, 0.3, 0.8],
      [0.2, 0.1, -0.3, 0.4],
      [0.1, 1, 0, -0.1],
    ],
    backward: [
      [-0.3, 0.6, 0.9, -0.7],
      [0.5, -0.2, 0.1, 0.3],
      [0, 1, 0.2, 0.1],
    ],
    query: [
      [0.7, 0.2, -0.5, 0.6],
      [0.3, -0.6, 0.2, 0.1, 0.4, 0.5, -0.2, -0.8],
      [0.2, 1, 0.1, 0],
    ],
  } as const
  const params = {
    net: { kernel: leaf([1, 1], [1]) },
    context: Object.fromEntries(
      Object.entries(weights).map(([name, [kernel, recurrent, bias]]) => [
        name,
        cell([...kernel], [...recurrent], [...bias]),
      ]),
    ),
  } as Weights
  const learner = matching({
    net: plain(1),
    ways: 2,
    embedding: 1,
    metric: 'euclidean',
    context: 'full',
    processing: 2,
  })
  const support = { x: column([0.5, -1, 2]), y: labels([0, 1, 1]) }

  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))
  const run = (name: keyof typeof weights, x: number, inputs: readonly number[], c: number): [h: number, c: number] => {
    const [kernel, recurrent, bias] = weights[name]
    const [i, f, o, g] = [0, 1, 2, 3].map(
      (k) => x * kernel[k]! + bias[k]! + inputs.reduce((sum, h, j) => sum + h * recurrent[4 * j + k]!, 0),
    ) as [number, number, number, number]
    const next = sigmoid(f) * c + sigmoid(i) * Math.tanh(g)
    return [sigmoid(o) * Math.tanh(next), next]
  }
  const byHand = (xs: readonly number[], ys: readonly number[], query: number): number[] => {
    const pass = (name: 'forward' | 'backward', list: readonly number[]): number[] => {
      let [h, c] = [0, 0]
      return list.map((x) => {
        ;[h, c] = run(name, x, [h], c)
        return h
      })
    }
    const ahead = pass('forward', xs)
    const back = pass('backward', [...xs].reverse()).reverse()
    const keys = xs.map((x, i) => ahead[i]! + back[i]! + x)
    let [h, c] = [query, 0]
    for (let k = 0; k < 2; k++) {
      const attention = probabilities(keys.map((key) => h * key))
      const read = attention.reduce((sum, a, i) => sum + a * keys[i]!, 0)
      const [fresh, next] = run('query', query, [h, read], c)
      ;[h, c] = [fresh + query, next]
    }
    const share = probabilities(keys.map((key) => -((h - key) ** 2)))
    return [0, 1].map((label) => share.reduce((sum, a, i) => sum + (ys[i] === label ? a : 0), 0))
  }
  const answer = async (set: TaskSet, sizes = [8]) => {
    const adapter = openAdapter({ learner, params }, { sizes })
    const { data } = await (await adapter(set)).predict(column([0.25, 1]))
    await adapter.dispose()
    return [probabilities(data.subarray(0, 2)), probabilities(data.subarray(2, 4))].flat()
  }

  test('both LSTMs follow the equations, whatever the padding', async () => {
    const expected = [0.25, 1].flatMap((query) => byHand([0.5, -1, 2], [0, 1, 1], query))
    for (const sizes of [[3], [8]]) {
      ;(await answer(support, sizes)).forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i]!, 5)
      })
    }
    // A sample of weight zero in the middle is stepped over.
    const holed = { x: column([0.5, 9, -1, 2]), y: labels([0, 0, 1, 1]), weights: Float32Array.of(1, 0, 1, 1) }
    expect(relativeError(await answer(holed), expected)).toBeLessThan(1e-5)
  })

  test('the order of the support matters with full context, and not without', async () => {
    const turned = { x: column([2, -1, 0.5]), y: labels([1, 1, 0]) }
    expect(relativeError(await answer(turned), await answer(support))).toBeGreaterThan(0.01)
    const alone = matching({ net: plain(1), ways: 2, embedding: 1, metric: 'euclidean' })
    const of = async (set: TaskSet) =>
      (await (await adapt({ learner: alone, params: line }, set)).predict(column([1]))).data
    expect(relativeError([...(await of(turned))], [...(await of(support))])).toBeLessThan(1e-6)
  })

  test('its meta-gradient agrees with differences along its own direction', async () => {
    const net = mlp({ sizes: [2, 3], activation: 'tanh' })
    const one = matching({ net, ways: 2, embedding: 3, context: 'full', processing: 2, scale: 2 })
    const rng = createRng(3)
    const set = () => ({ x: rows(Array.from({ length: 8 }, () => rng.normal())), y: labels([0, 1, 1, 0]) })
    const tasks = [
      { support: set(), query: set() },
      { support: set(), query: set() },
    ]
    const start = one.init(rng)
    const { gradient } = await metaGradient(one, start, tasks)
    const length = Math.hypot(...gradient)
    const at = async (shift: number) => {
      const { leaves, structure } = flattenTree<TensorLeaf>(start)
      let k = 0
      const moved = leaves.map((part) => ({
        ...part,
        data: Float32Array.from(part.data, (value) => value + (shift * gradient[k++]!) / length),
      }))
      return (await metaGradient(one, unflattenTree(structure, moved) as Weights, tasks)).loss
    }
    expect(((await at(0.01)) - (await at(-0.01))) / 0.02 / length).toBeCloseTo(1, 2)
  })
})

test('a class without support is never the answer; padded tasks of a batch change nothing', async () => {
  const learner = matching({ net: plain(1), ways: 3, embedding: 1, metric: 'euclidean' })
  const model = { learner, params: line }
  const adapted = await adapt(model, { x: column([5, -6]), y: labels([0, 2]) })
  const { data } = await adapted.predict(column([0.1]))
  expect(probabilities(data)[1]).toBe(0)
  const query = { x: column([1]), y: labels([1]) }
  const short = { support: { x: column([0, 2]), y: labels([0, 1]) }, query }
  const long = { support: { x: column([0, 2, 9, 9]), y: labels([0, 1, 2, 2]) }, query }
  const { losses } = await evaluate(model, [short, long])
  // Both neighbours of 1 lie at distance 1; those at 9 add e⁻⁶⁴.
  expect(losses[1]!.values[0]).toBeCloseTo(Math.log(2), 5)
  expect(losses[1]!.values[1]).toBeCloseTo(Math.log(2), 5)
})

test('learns to compare chart patterns that it has not seen', async () => {
  const learner = matching({ net: mlp({ sizes: [64, 32, 8] }), ways: 3, embedding: 8 })
  // Guessing is right in a third.
  expect(await unseenPatterns(learner)).toBeGreaterThan(0.6)
})

test('bad options and nets are refused', async () => {
  const make = (options: object) => () => matching({ net: plain(1), ways: 2, embedding: 1, ...options })
  expect(make({ ways: 1 })).toThrow('[meta/matching] ways must be an integer ≥ 2, got 1')
  expect(make({ metric: 'manhattan' })).toThrow('metric must be "cosine" or "euclidean", got "manhattan"')
  expect(make({ context: 'half' })).toThrow('context must be "none" or "full", got "half"')
  expect(make({ scale: 0 })).toThrow('scale must be finite and above 0, got 0')
  expect(make({ processing: 0 })).toThrow('processing must be an integer ≥ 1, got 0')
  const wide = matching({ net: plain(1), ways: 2, embedding: 3 })
  const support = { x: column([1, 2]), y: labels([0, 1]) }
  await expect(adapt({ learner: wide, params: line }, support)).rejects.toThrow('must give vectors of 3 numbers')
  await expect(adapt({ learner: make({})(), params: line }, { ...support, y: labels([0, 2]) })).rejects.toThrow('got 2')
})
