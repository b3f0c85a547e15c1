import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { flattenTree, mapTree, meanSquaredError, type TensorLeaf } from '@regimen/tensor'
import { expect, test } from 'vitest'
import { adapt, chartPatterns, mann, metaTrain, sampleFamily, type Weights } from '../src/index.ts'
import { learnerContract } from './support/contract.ts'
import { boundLabels, column, labels, leaf, numbersAt } from './support/learners.ts'

const SIZE = { hidden: 3, slots: 4, width: 2, heads: 2, decay: 0.75 }

/** The machine written down once more in double precision: least recently used access, number by number. */
function reference(p: { [path: string]: number[] }, xs: readonly number[], told: readonly number[]): number[] {
  const { hidden, slots, width, heads, decay } = SIZE
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v))
  const affine = (v: readonly number[], name: string): number[] => {
    const bias = p[`${name}.bias`]!
    return bias.map((b, j) => v.reduce((sum, one, i) => sum + one * p[`${name}.kernel`]![i * bias.length + j]!, b))
  }
  const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)
  let h = range(hidden).map(() => 0)
  let c = h
  let memory = range(slots).map(() => range(width).map(() => 1e-6))
  let usage = range(slots).map(() => 0)
  let reading = range(heads).map(() => range(slots).map(() => 1 / slots))
  let reads = range(heads * width).map(() => 0)
  // The target arrives one step after its sample.
  xs.forEach((x, t) => {
    const gates = affine([x, told[t - 1] ?? 0, ...reads, ...h], 'controller')
    c = c.map((old, i) => sigmoid(gates[hidden + i]!) * old + sigmoid(gates[i]!) * Math.tanh(gates[3 * hidden + i]!))
    h = c.map((value, i) => sigmoid(gates[2 * hidden + i]!) * Math.tanh(value))
    const keys = affine(h, 'keys').map(Math.tanh)
    const idle = range(slots)
      .sort((a, b) => usage[a]! - usage[b]! || a - b)
      .slice(0, heads)
    const writing = range(heads).map((i) =>
      range(slots).map((slot) => {
        const share = sigmoid(p.gate![i]!)
        return share * reading[i]![slot]! + (1 - share) * (idle[i] === slot ? 1 : 0)
      }),
    )
    memory = memory.map((row, slot) =>
      row.map(
        (m, j) =>
          (idle.includes(slot) ? 0 : m) +
          range(heads).reduce((sum, i) => sum + writing[i]![slot]! * keys[i * width + j]!, 0),
      ),
    )
    reading = range(heads).map((i) => {
      const key = keys.slice(i * width, (i + 1) * width)
      const e = memory.map((row) => {
        const dot = row.reduce((sum, m, j) => sum + m * key[j]!, 0)
        return Math.exp(dot / Math.sqrt(row.reduce((s, m) => s + m * m, 0) * key.reduce((s, k) => s + k * k, 0) + 1e-6))
      })
      return e.map((one) => one / e.reduce((a, b) => a + b, 0))
    })
    usage = usage.map(
      (old, slot) => decay * old + range(heads).reduce((sum, i) => sum + reading[i]![slot]! + writing[i]![slot]!, 0),
    )
    reads = reading.flatMap((w) =>
      range(width).map((j) => memory.reduce((sum, row, slot) => sum + w[slot]! * row[j]!, 0)),
    )
  })
  return affine([...h, ...reads], 'output')
}

const learner = mann({ inputs: 1, targets: 1, loss: meanSquaredError, ...SIZE })
const rng = createRng(3)
const params = mapTree(
  (one: TensorLeaf) => ({ ...one, data: Float32Array.from(one.data, () => 0.8 * rng.normal()) }),
  learner.init(createRng(1)),
) as Weights
const support = { x: column([0.5, -1, 2, 1.5]), y: column([1, -2, 0.5, 3]) }

test('reading a support and answering agree with the equations in double precision', async () => {
  const { leaves, paths } = flattenTree<TensorLeaf>(params)
  const plain = Object.fromEntries(paths.map((path, i) => [path, [...leaves[i]!.data]]))
  const adapted = await adapt({ learner, params }, support)
  const { data } = await adapted.predict(column([0.25, -3]))
  for (const [i, x] of [0.25, -3].entries()) {
    expect(data[i]).toBeCloseTo(reference(plain, [...support.x.data, x], [...support.y.data])[0]!, 4)
  }
})

test('observing goes on where the support ended, and keep 0 starts anew', async () => {
  const model = { learner, params }
  const cut = (from: number, to: number) => ({
    x: column([...support.x.data.subarray(from, to)]),
    y: column([...support.y.data.subarray(from, to)]),
  })
  const whole = await adapt(model, support)
  const parts = await (await adapt(model, cut(0, 2))).observe(cut(2, 4))
  const anew = await whole.observe(cut(0, 2), { keep: 0 })
  for (const [a, b] of [
    [parts.own, whole.own],
    [anew.own, (await adapt(model, cut(0, 2))).own],
  ] as const) {
    const memory = numbersAt(b, 'memory')
    numbersAt(a, 'memory').forEach((value, i) => {
      expect(value).toBeCloseTo(memory[i]!, 5)
    })
  }
})

test('a head that never writes where it read fills one idle row after the other', async () => {
  const fill = mann({ inputs: 1, targets: 1, loss: meanSquaredError, hidden: 2, slots: 4, width: 1, heads: 1 })
  const fresh = fill.init(createRng(2)) as { [name: string]: Weights }
  const model = { learner: fill, params: { ...fresh, gate: leaf([1], [-40]) } as Weights }
  const rows = numbersAt((await adapt(model, { x: column([1, 2]), y: column([1, 2]) })).own, 'memory')
  // Two samples, two rows; the other two are as empty as at the start.
  expect(rows.filter((value) => Math.abs(value) > 1e-3).length).toBe(2)
  expect(rows.filter((value) => Math.abs(value - 1e-6) < 1e-9).length).toBe(2)
})

test('bad options and tasks are refused', async () => {
  expect(() => mann({ inputs: 1, ways: 2, slots: 1, heads: 2 })).toThrow('slots must be at least the 2 heads, got 1')
  expect(() => mann({ inputs: 1, ways: 2, decay: 1 })).toThrow('decay must be from 0 to below 1, got 1')
  expect(() => mann({ inputs: 0, ways: 2 })).toThrow('inputs must be an integer ≥ 1, got 0')
  expect(() => mann({ inputs: 1 })).toThrow('neither ways nor a loss')
  const set = { x: column([1, 2]), y: labels([0, 1]) }
  await expect(
    metaTrain(mann({ inputs: 2, ways: 2 }), { batch: () => [{ support: set, query: set }] }),
  ).rejects.toThrow('samples must be vectors of 2 numbers')
})

test('learns to bind labels that are numbered anew in every task', async () => {
  const learner = mann({ inputs: 2, ways: 2, hidden: 24, slots: 8, width: 8, heads: 1 })
  expect(await boundLabels(learner, 1)).toBeGreaterThan(0.85)
})

learnerContract({
  learner: mann({ inputs: 16, ways: 2, hidden: 6, slots: 5, width: 3, heads: 2 }),
  tasks: sampleFamily(chartPatterns({ shots: 2, ways: 2, length: 16 }), { seed: 1 }),
  ordered: true,
})
