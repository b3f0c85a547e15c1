import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { flattenTree, mapTree, meanSquaredError, type TensorLeaf } from '@regimen/tensor'
import { expect, test } from 'vitest'
import { adapt, chartPatterns, sampleFamily, snail, type Weights } from '../src/index.ts'
import { learnerContract } from './support/contract.ts'
import { column } from './support/learners.ts'

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

/** One causal sequence in double precision: the support, then the query without a target. */
function reference(p: { [path: string]: number[] }, rows: readonly (readonly number[])[], layers: number): number[] {
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v))
  const affine = (v: readonly number[], name: string): number[] => {
    const bias = p[`${name}.bias`]!
    return bias.map((b, j) => v.reduce((sum, one, i) => sum + one * p[`${name}.kernel`]![i * bias.length + j]!, b))
  }
  let x = rows.map((row) => affine(row, 'embed'))
  for (const layer of range(layers)) {
    for (const [i, dilation] of [1, 2].entries()) {
      x = x.map((now, t) => {
        const ago = x[t - dilation] ?? now.map(() => 0)
        const both = affine([...ago, ...now], `convolutions.${layer}.${i}`)
        const half = both.length / 2
        return [...now, ...range(half).map((j) => Math.tanh(both[j]!) * sigmoid(both[half + j]!))]
      })
    }
    const [queries, keys, values] = ['query', 'key', 'value'].map((part) =>
      x.map((row) => affine(row, `attentions.${layer}.${part}`)),
    )
    x = x.map((row, t) => {
      const e = range(t + 1).map((u) =>
        Math.exp(queries![t]!.reduce((s, q, j) => s + q * keys![u]![j]!, 0) / Math.sqrt(keys![u]!.length)),
      )
      const total = e.reduce((a, b) => a + b, 0)
      return [...row, ...values![0]!.map((_, j) => e.reduce((s, w, u) => s + (w / total) * values![u]![j]!, 0))]
    })
  }
  return affine(x.at(-1)!, 'output')
}

test('convolutions and attention over the sequence agree with the equations in double precision', async () => {
  const rng = createRng(4)
  // Three samples: dilations 1 and 2.
  const learner = snail({ inputs: 1, targets: 1, loss: meanSquaredError, samples: 3, filters: 2, width: 3, layers: 2 })
  const params = mapTree(
    (one: TensorLeaf) => ({ ...one, data: Float32Array.from(one.data, () => 0.5 * rng.normal()) }),
    learner.init(createRng(1)),
  ) as Weights
  const { leaves, paths } = flattenTree<TensorLeaf>(params)
  const plain = Object.fromEntries(paths.map((path, i) => [path, [...leaves[i]!.data]]))
  for (const n of [1, 2, 3, 5]) {
    const x = range(n).map((i) => Math.fround(Math.sin(3 * i + 1)))
    const y = range(n).map((i) => Math.fround(Math.cos(2 * i)))
    const adapted = await adapt({ learner, params }, { x: column(x), y: column(y) })
    const { data } = await adapted.predict(column([0.5, -2]))
    for (const [i, query] of [0.5, -2].entries()) {
      const wanted = reference(plain, [...x.map((one, k) => [one, y[k]!]), [query, 0]], 2)[0]!
      expect(data[i]).toBeCloseTo(wanted, 4)
    }
  }
})

test('bad options are refused', () => {
  expect(() => snail({ inputs: 1, ways: 2, samples: 0 })).toThrow('samples must be an integer ≥ 1, got 0')
  expect(() => snail({ inputs: 1, ways: 2, filters: 1.5 })).toThrow('filters must be an integer ≥ 1, got 1.5')
  expect(() => snail({ inputs: 1 })).toThrow('neither ways nor a loss')
})

learnerContract({
  learner: snail({ inputs: 16, ways: 2, samples: 4, filters: 3, width: 4, layers: 1 }),
  tasks: sampleFamily(chartPatterns({ shots: 2, ways: 2, length: 16 }), { seed: 1 }),
  ordered: true,
})
