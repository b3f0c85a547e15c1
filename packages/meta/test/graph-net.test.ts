import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { dense, flattenTree, mlp, type TensorLeaf } from '@regimen/tensor'
import { expect, test } from 'vitest'
import {
  adapt,
  chartPatterns,
  evaluate,
  graphNet,
  metaTrain,
  openAdapter,
  sampleFamily,
  type TaskSet,
} from '../src/index.ts'
import { column, labels, metaGradient } from './support/learners.ts'

const line = dense({ inputs: 1, outputs: 1, bias: false })
const learner = graphNet({ net: line, ways: 2, embedding: 1, rounds: 2, growth: 3, edge: 4 })
const params = learner.init(createRng(7))
const model = { learner, params }

/** The paper's equations in plain double precision, for one query. */
function byHand(xs: readonly number[], ys: readonly number[], query: number): number[] {
  const { leaves, paths } = flattenTree<TensorLeaf>(params)
  const leafAt = (path: string) => leaves[paths.indexOf(path)]!
  const affine = (path: string, x: readonly number[]): number[] => {
    const [kernel, bias] = [leafAt(`${path}.kernel`), leafAt(`${path}.bias`)]
    const outputs = kernel.shape[1]!
    return Array.from(bias.data, (b, o) => x.reduce((sum, value, i) => sum + value * kernel.data[i * outputs + o]!, b))
  }
  const w = leafAt('net.kernel').data[0]!
  let nodes = [[w * query, 0.5, 0.5], ...xs.map((x, i) => [w * x, ys[i] === 0 ? 1 : 0, ys[i] === 1 ? 1 : 0])]
  for (const k of [0, 1]) {
    const fresh = nodes.map((node, i) => {
      const powers = nodes.map((other, j) => {
        if (i === j) return 0
        const apart = node.map((value, f) => Math.abs(value - other[f]!))
        const hidden = affine(`rounds.${k}.edge.0`, apart).map((value) => Math.max(0, value))
        return Math.exp(affine(`rounds.${k}.edge.1`, hidden)[0]!)
      })
      const total = powers.reduce((a, b) => a + b, 0)
      const heard = node.map((_, f) => nodes.reduce((sum, other, j) => sum + (powers[j]! / total) * other[f]!, 0))
      return affine(`rounds.${k}.update.0`, [...node, ...heard]).map((value) => (value > 0 ? value : 0.2 * value))
    })
    nodes = k === 1 ? fresh : nodes.map((node, i) => [...node, ...fresh[i]!])
  }
  return nodes[0]!
}

const answers = async (set: TaskSet, size: number): Promise<Float32Array> => {
  const adapter = openAdapter(model, { sizes: [size] })
  const { data } = await (await adapter(set)).predict(column([0.5, 2]))
  await adapter.dispose()
  return data as Float32Array
}

test('two rounds follow the equations, whatever padding, holes and order', async () => {
  const expected = [0.5, 2].flatMap((query) => byHand([0.25, -1, 3], [0, 1, 1], query))
  const whole = { x: column([0.25, -1, 3]), y: labels([0, 1, 1]) }
  const holed = { x: column([3, 9, 0.25, -1]), y: labels([1, 0, 0, 1]), weights: Float32Array.of(1, 0, 1, 1) }
  for (const found of [await answers(whole, 3), await answers(whole, 8), await answers(holed, 4)]) {
    expected.forEach((value, i) => {
      expect(found[i]).toBeCloseTo(value, 5)
    })
  }
})

test('a sample of weight two counts as two in what its neighbours hear', async () => {
  // Two alike are a graph of four nodes, in which each also hears its double; the query alone cannot tell after one round.
  const one = graphNet({ net: line, ways: 2, embedding: 1, rounds: 1 })
  const start = { learner: one, params: one.init(createRng(3)) }
  const double = await adapt(start, { x: column([1, 1, -2]), y: labels([0, 0, 1]) })
  const heavy = await adapt(start, { x: column([1, -2]), y: labels([0, 1]), weights: Float32Array.of(2, 1) })
  const [a, b] = [await double.predict(column([0.3])), await heavy.predict(column([0.3]))]
  expect(a.data[0]).toBeCloseTo(b.data[0]!, 5)
  expect(a.data[1]).toBeCloseTo(b.data[1]!, 5)
})

test('the loss of a batch is the mean over its queries, and a class without support is never the answer', async () => {
  const task = {
    support: { x: column([0.25, -1, 3]), y: labels([0, 1, 1]) },
    query: { x: column([0.5, 2]), y: labels([1, 0]) },
  }
  const expected = [0.5, 2].map((query, i) => {
    const [first, second] = byHand([0.25, -1, 3], [0, 1, 1], query) as [number, number]
    return Math.log1p(Math.exp(i === 0 ? first - second : second - first))
  })
  expect((await metaGradient(learner, params, [task])).loss).toBeCloseTo((expected[0]! + expected[1]!) / 2, 5)
  const lone = await adapt(model, { x: column([1, 2]), y: labels([0, 0]) })
  expect((await lone.predict(column([1]))).data[1]).toBeLessThan(-1e8)
})

test('learns to compare chart patterns that it has not seen', async () => {
  const patterns = ['double-top', 'double-bottom', 'bull-flag', 'bear-flag', 'v-bottom', 'spike-top'] as const
  const sizes = { shots: 1, queries: 2, ways: 3, span: [1, 1] as const }
  const graph = graphNet({ net: mlp({ sizes: [64, 32, 8] }), ways: 3, embedding: 8 })
  const { model: trained } = await metaTrain(graph, sampleFamily(chartPatterns({ ...sizes, patterns }), { seed: 1 }), {
    iterations: 200,
    tasksPerBatch: 8,
    rate: 3e-3,
  })
  const held = ['head-and-shoulders', 'inverse-head-and-shoulders', 'rising-wedge', 'cup-and-handle'] as const
  const unseen = sampleFamily(chartPatterns({ ...sizes, patterns: held }), { seed: 2 })
  const { accuracies } = await evaluate(trained, await unseen.batch(0, 60))
  // Guessing is right in a third.
  expect(accuracies!.at(-1)!.mean - accuracies!.at(-1)!.interval).toBeGreaterThan(0.5)
})

test('bad options are refused', () => {
  const make = (options: object) => () => graphNet({ net: line, ways: 2, embedding: 1, ...options })
  expect(make({ ways: 1 })).toThrow('[meta/graph-net] ways must be an integer ≥ 2, got 1')
  expect(make({ rounds: 0 })).toThrow('rounds must be an integer ≥ 1, got 0')
  expect(make({ growth: 1.5 })).toThrow('growth must be an integer ≥ 1, got 1.5')
  expect(make({ edge: -1 })).toThrow('edge must be an integer ≥ 1, got -1')
})
