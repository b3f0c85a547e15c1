import '@tensorflow/tfjs'
import { createRng } from '@regimen/core'
import { compile, flattenTree, mapTree, type TensorLeaf, toTensors, train, valueAndGradient } from '@regimen/tensor'
import * as tf from '@tensorflow/tfjs-core'
import { describe, expect, test } from 'vitest'
import { ntm } from '../src/index.ts'
import { address, rollMatrix, similarity } from '../src/memory/addressing.ts'
import { leaf, relativeError } from './support/learners.ts'

const numbers = (t: tf.Tensor): number[] => Array.from(t.dataSync())
const cube = (rows: readonly (readonly number[])[]): tf.Tensor => tf.tensor([rows as number[][]])
const near = (found: readonly number[], wanted: readonly number[], digits = 5): void => {
  expect(found.length).toBe(wanted.length)
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i]!, digits)
  })
}

describe('addressing by hand, three rows', () => {
  const memory = cube([
    [1, 0],
    [0, 2],
    [3, 4],
  ])
  const before = cube([[0.5, 0.25, 0.25]])
  const still = {
    key: cube([[1, 0]]),
    strength: cube([[0]]),
    gate: cube([[0]]),
    shift: cube([[0, 1, 0]]),
    sharpen: cube([[1]]),
  }
  const rolls = rollMatrix(3, 1)

  test('content: the cosine to each row, sharpened by the strength', () => {
    // (1, 0) against (1, 0), (0, 2) and (3, 4): 1, 0 and 3/5.
    near(numbers(similarity(still.key, memory)), [1, 0, 0.6])
    const strong = { ...still, gate: cube([[1]]), strength: cube([[Math.log(32)]]) }
    // 32^1 : 32^0 : 32^0.6 = 32 : 1 : 8
    near(numbers(address(memory, before, strong, rolls)), [32 / 41, 1 / 41, 8 / 41])
  })

  test('interpolation: the gate mixes content and the weighting before', () => {
    const half = { ...still, gate: cube([[0.5]]), strength: cube([[Math.log(32)]]) }
    near(numbers(address(memory, before, half, rolls)), [0.25 + 16 / 41, 0.125 + 0.5 / 41, 0.125 + 4 / 41])
  })

  test('shift: s moves the weighting, around the end', () => {
    near(numbers(address(memory, before, { ...still, shift: cube([[0, 0, 1]]) }, rolls)), [0.25, 0.5, 0.25])
    near(numbers(address(memory, before, { ...still, shift: cube([[1, 0, 0]]) }, rolls)), [0.25, 0.25, 0.5])
    // A quarter stays behind: ¾ of (¼, ½, ¼) and ¼ of (½, ¼, ¼).
    const mostly = address(memory, before, { ...still, shift: cube([[0, 0.25, 0.75]]) }, rolls)
    near(numbers(mostly), [0.3125, 0.4375, 0.25])
  })

  test('sharpening: w² / Σ w²', () => {
    // ¼ : 1/16 : 1/16
    near(numbers(address(memory, before, { ...still, sharpen: cube([[2]]) }, rolls)), [4 / 6, 1 / 6, 1 / 6])
  })
})

// The whole machine written down once more, number by number in double precision, one sequence at a time.
function reference(p: { [path: string]: number[] }, x: readonly number[][], size: typeof SIZE): number[][] {
  const { hidden, slots, width, readHeads, writeHeads } = size
  const heads = readHeads + writeHeads
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v))
  const softplus = (v: number): number => Math.log1p(Math.exp(v))
  const softmax = (v: readonly number[]): number[] => {
    const e = v.map(Math.exp)
    return e.map((one) => one / e.reduce((a, b) => a + b, 0))
  }
  const affine = (v: readonly number[], kernel: readonly number[], bias: readonly number[]): number[] =>
    bias.map((b, j) => v.reduce((sum, one, i) => sum + one * kernel[i * bias.length + j]!, b))
  const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i)
  let memory = range(slots).map(() => range(width).map(() => 1e-6))
  let [h, c, reads] = [p.hidden!, p.cell!, p.reads!]
  let weights = range(heads).map((i) => softmax(p.weights!.slice(i * slots, (i + 1) * slots)))
  return x.map((step) => {
    const gates = affine([...step, ...reads, ...h], p['controller.kernel']!, p['controller.bias']!)
    const gate = (which: number, i: number): number => gates[which * hidden + i]!
    c = c.map((old, i) => sigmoid(gate(1, i)) * old + sigmoid(gate(0, i)) * Math.tanh(gate(3, i)))
    h = c.map((value, i) => sigmoid(gate(2, i)) * Math.tanh(value))
    const want = affine(h, p['heads.kernel']!, p['heads.bias']!)
    let at = 0
    const take = (count: number, of: number): number[][] => {
      const start = at
      at += count * of
      return range(of).map((i) => want.slice(start + i * count, start + (i + 1) * count))
    }
    const keys = take(width, heads)
    const [strengths, mixes, sharpens] = [take(1, heads), take(1, heads), take(1, heads)]
    const [shifts, erases, adds] = [take(3, heads), take(width, writeHeads), take(width, writeHeads)]
    weights = weights.map((old, i) => {
      const key = keys[i]!.map(Math.tanh)
      const scores = memory.map((row) => {
        const dot = row.reduce((sum, m, j) => sum + m * key[j]!, 0)
        const lengths = row.reduce((s, m) => s + m * m, 0) * key.reduce((s, k) => s + k * k, 0)
        return (softplus(strengths[i]![0]!) * dot) / Math.sqrt(lengths + 1e-6)
      })
      const mix = sigmoid(mixes[i]![0]!)
      const mixed = softmax(scores).map((w, j) => mix * w + (1 - mix) * old[j]!)
      const s = softmax(shifts[i]!)
      const moved = mixed.map(
        (w, j) => s[1]! * w + s[0]! * mixed[(j + 1) % slots]! + s[2]! * mixed[(j + slots - 1) % slots]!,
      )
      const sharp = moved.map((w) => w ** (1 + softplus(sharpens[i]![0]!)))
      return sharp.map((w) => w / sharp.reduce((a, b) => a + b, 0))
    })
    memory = memory.map((row, slot) =>
      row.map((m, j) => {
        const writing = weights.slice(readHeads)
        const kept = writing.reduce((left, w, i) => left * (1 - w[slot]! * sigmoid(erases[i]![j]!)), m)
        return kept + writing.reduce((sum, w, i) => sum + w[slot]! * Math.tanh(adds[i]![j]!), 0)
      }),
    )
    reads = weights
      .slice(0, readHeads)
      .flatMap((w) => range(width).map((j) => memory.reduce((sum, row, slot) => sum + w[slot]! * row[j]!, 0)))
    return affine([...h, ...reads], p['output.kernel']!, p['output.bias']!)
  })
}

const SIZE = { inputs: 2, outputs: 3, hidden: 4, slots: 5, width: 3, readHeads: 2, writeHeads: 2 }
const net = ntm(SIZE)
const rng = createRng(5)
const params = mapTree(
  (one: TensorLeaf) => ({ ...one, data: Float32Array.from(one.data, () => 0.7 * rng.normal()) }),
  net.init(createRng(1)),
) as ReturnType<typeof net.init>
const x = Array.from({ length: 2 * 4 * 2 }, () => Math.fround(rng.normal()))
const input = leaf([2, 4, 2], x)

test('several heads over several steps agree with the equations in double precision', async () => {
  const { leaves, paths } = flattenTree<TensorLeaf>(params)
  const plain = Object.fromEntries(paths.map((path, i) => [path, [...leaves[i]!.data]]))
  const run = compile((p: Parameters<typeof net.apply>[0], v: tf.Tensor) => net.apply(p, v))
  const { data } = await run(params as never, input as never)
  const wanted = [0, 1].flatMap((n) => {
    const steps = [0, 1, 2, 3].map((t) => x.slice((n * 4 + t) * 2, (n * 4 + t + 1) * 2))
    return reference(plain, steps, SIZE).flat()
  })
  near([...data], wanted, 4)
  // A task axis is a longer batch.
  const split = compile((p: Parameters<typeof net.apply>[0], v: tf.Tensor) => net.apply(p, v, { tasks: true }))
  near([...(await split(params as never, { ...input, shape: [2, 1, 4, 2] } as never)).data], [...data], 5)
  await Promise.all([run.dispose(), split.dispose()])
})

test('the gradient agrees with a central difference along itself', async () => {
  const loss = (p: Parameters<typeof net.apply>[0], v: tf.Tensor): tf.Tensor => tf.mean(tf.square(net.apply(p, v)))
  const value = compile(loss)
  const slope = compile((p: Parameters<typeof net.apply>[0], v: tf.Tensor) =>
    valueAndGradient((q: typeof p) => loss(q, v), p),
  )
  const { gradient } = await slope(params as never, input as never)
  const g = flattenTree<TensorLeaf>(gradient).leaves.flatMap(({ data }) => [...data])
  const norm = Math.hypot(...g)
  const at = async (step: number): Promise<number> => {
    let i = 0
    const moved = mapTree(
      (one: TensorLeaf) => ({ ...one, data: Float32Array.from(one.data, (v) => v + (step * g[i++]!) / norm) }),
      params,
    )
    return (await value(moved as never, input as never)).data[0]!
  }
  expect(relativeError([((await at(4e-3)) - (await at(-4e-3))) / 8e-3], [norm])).toBeLessThan(0.01)
  await Promise.all([value.dispose(), slope.dispose()])
})

test('all heads start on the first row of an empty memory, and what is later has no say in what was before', () => {
  const fresh = net.init(createRng(2))
  const rows = numbers(tf.softmax(toTensors(fresh).weights))
  for (let head = 0; head < 4; head++) expect(rows[head * SIZE.slots]).toBeGreaterThan(0.999)
  const tensors = toTensors(params)
  const all = net.apply(tensors, tf.tensor3d(x, [2, 4, 2]))
  const start = net.apply(tensors, tf.slice(tf.tensor3d(x, [2, 4, 2]), [0, 0, 0], [2, 3, 2]))
  near(numbers(tf.slice(all, [0, 0, 0], [2, 3, 3])), numbers(start))
})

test('bad options and inputs are refused', () => {
  expect(() => ntm({ inputs: 1, outputs: 1, slots: 2 })).toThrow('slots must be above 2 · reach = 2, got 2')
  expect(() => ntm({ inputs: 1, outputs: 1, readHeads: 0 })).toThrow('readHeads must be an integer ≥ 1, got 0')
  expect(() => net.apply(toTensors(params), tf.zeros([2, 4, 3]))).toThrow('must be [n, steps, 2], got [2, 4, 3]')
  expect(() => net.apply(toTensors(params), tf.zeros([4, 2]))).toThrow('must be [n, steps, 2], got [4, 2]')
})

test('learns to recall what it saw two steps ago', async () => {
  const small = ntm({ inputs: 1, outputs: 1, hidden: 8, slots: 4, width: 3 })
  const steps = 6
  const bits = Array.from({ length: 16 * steps }, () => rng.int(0, 2) * 2 - 1)
  const seen = leaf([16, steps, 1], bits)
  const wanted = leaf(
    [16, steps, 1],
    bits.map((_, i) => (i % steps >= 2 ? bits[i - 2]! : 0)),
  )
  const { epochs } = await train(
    small,
    { x: seen, y: wanted },
    { epochs: 150, rate: 0.02, batchSize: 16, seed: 1, clip: 10 },
  )
  // Answering 0 costs 4/6.
  expect(epochs.at(-1)!.loss).toBeLessThan(0.2)
})
