import { createRng, decodeSnapshot, encodeSnapshot } from '@regimen/core'
import { numericalGradient, solveSpd } from '@regimen/core/math'
import { activation, dense, layerNorm, mlp, sequential, sgd } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import { afterEach, describe, expect, it } from 'vitest'
import { flatNet } from '../src/flat.ts'
import { joinFactors } from '../src/importance/kronecker-penalty.ts'
import { type KroneckerFactor, kroneckerFisher, kroneckerPenalty, openTrainer } from '../src/index.ts'
import { tinyNet } from './tiny-net.ts'

const opened: { dispose(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0)) await one.dispose()
})

/** (A ⊗ G)[(i, j), (k, l)] = A[i, k] G[j, l], weights in row-major order. */
function product({ inputs, outputs, rows, cols }: KroneckerFactor): number[][] {
  const size = rows * cols
  return Array.from({ length: size }, (_, a) =>
    Array.from({ length: size }, (_, b) => {
      const [i, j, k, l] = [Math.floor(a / cols), a % cols, Math.floor(b / cols), b % cols]
      return inputs[i! * rows + k!]! * outputs[j! * cols + l!]!
    }),
  )
}

const random = (n: number, seed: string): Float64Array => createRng(seed).fillNormal(new Float64Array(n))
const spd = (n: number, seed: string): Float64Array => {
  const root = random(n * n, seed)
  return Float64Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n]
    let sum = i === j ? 0.1 : 0
    for (let k = 0; k < n; k++) sum += root[i * n + k]! * root[j * n + k]!
    return sum
  })
}

describe('kroneckerFisher', () => {
  it('of one sample is the full Fisher information of every layer, by finite differences', async () => {
    const { net, flat, vector, x, p, slopes } = tinyNet()
    const factors = await kroneckerFisher(net, {
      params: flat.toParams(vector),
      samples: { x, width: 3 },
      outputs: 3,
    })
    expect(factors.map(({ rows, cols }) => [rows, cols])).toEqual([
      [4, 4],
      [5, 3],
    ])
    let start = 0
    for (const factor of factors) {
      const made = product(factor)
      for (const [a, row] of made.entries())
        for (const [b, value] of row.entries()) {
          const full = p.reduce((sum, share, c) => sum + share * slopes[start + a]![c]! * slopes[start + b]![c]!, 0)
          expect(Math.abs(value - full), `at ${a}, ${b}`).toBeLessThan(2e-3 * Math.max(0.1, Math.abs(full)))
        }
      start += made.length
    }
  })

  it('of linear regression is the mean of ã ãᵀ for any samples, in chunks', async () => {
    const net = dense({ inputs: 2, outputs: 2 })
    const params = flatNet(net).toParams(Float32Array.of(1, 2, 3, 4, 5, 6))
    const samples = { x: [1, 2, 3, -1, 0, 4], width: 2 }
    const shared = { params, samples, outputs: 2, likelihood: 'gaussian' as const, variance: 4 }
    const [layer] = await kroneckerFisher(net, { ...shared, chunk: 2 })
    // Rows (1, 2, 1), (3, −1, 1), (0, 4, 1) over three.
    const wanted = [10, -1, 4, -1, 21, 5, 4, 5, 3].map((value) => value / 3)
    for (const [i, value] of wanted.entries()) expect(layer!.inputs[i]).toBeCloseTo(value, 5)
    expect([...layer!.outputs]).toEqual([0.25, 0, 0, 0.25])
  })

  it('knows offsets: a class that cannot be answered has no slope', async () => {
    const net = dense({ inputs: 1, outputs: 3, bias: false })
    const params = flatNet(net).toParams(Float32Array.of(0, 0, 5))
    const options = { params, samples: { x: [2], width: 1 }, outputs: 3, offsets: [0, 0, -1e9] }
    const [layer] = await kroneckerFisher(net, options)
    // p = (½, ½, 0): diag p − p pᵀ.
    for (const [i, value] of [0.25, -0.25, 0, -0.25, 0.25, 0, 0, 0, 0].entries())
      expect(layer!.outputs[i]).toBeCloseTo(value, 6)
    expect([...layer!.inputs]).toEqual([4])
  })

  it('finds the activation, and refuses what are not dense layers in a row', async () => {
    for (const name of ['relu', 'sigmoid', 'gelu'] as const) {
      const net = mlp({ sizes: [2, 3, 1], activation: name })
      const flat = flatNet(net)
      const vector = Float32Array.from(random(flat.size, 'v'))
      const options = { params: flat.toParams(vector), samples: { x: [1, -2], width: 2 }, outputs: 1 }
      const [, last] = await kroneckerFisher(net, { ...options, likelihood: 'gaussian' })
      const made = [0, 1, 2].map((j) => vector[j]! - 2 * vector[3 + j]! + vector[6 + j]!)
      const erf = (z: number): number => {
        let sum = 0
        for (let k = 0, term = z; k < 60; k++, term *= (-z * z) / k) sum += term / (2 * k + 1)
        return (2 / Math.sqrt(Math.PI)) * sum
      }
      const hidden = {
        relu: (z: number) => Math.max(0, z),
        sigmoid: (z: number) => 1 / (1 + Math.exp(-z)),
        gelu: (z: number) => (z / 2) * (1 + erf(z / Math.SQRT2)),
      }[name]
      for (const [j, z] of made.entries()) expect(last!.inputs[4 * j + j], name).toBeCloseTo(hidden(z) ** 2, 4)
    }
    const init = { samples: { x: [1, 2], width: 2 }, outputs: 2 }
    const refused = async (net: ReturnType<typeof dense>, message: string): Promise<void> => {
      await expect(kroneckerFisher(net, { ...init, params: net.init(createRng(1)) })).rejects.toThrow(message)
    }
    const odd = sequential([
      dense({ inputs: 2, outputs: 2, activation: 'tanh' }),
      activation('tanh'),
      dense({ inputs: 2, outputs: 2 }),
    ])
    await refused(odd as never, 'not dense layers one after the other')
    await refused(layerNorm({ features: 2 }) as never, 'must be a kernel or bias of a dense layer')
    const line = dense({ inputs: 2, outputs: 2 })
    await expect(
      kroneckerFisher(line, { outputs: 2, params: line.init(createRng(1)), samples: { x: [Number.NaN, 1], width: 2 } }),
    ).rejects.toThrow('not finite')
  })
})

describe('kroneckerPenalty', () => {
  it('is ½ δᵀ (A ⊗ G) δ, with the gradient of finite differences', () => {
    const factors = [
      { inputs: spd(3, 'a'), outputs: spd(2, 'b'), rows: 3, cols: 2 },
      { inputs: spd(2, 'c'), outputs: spd(1, 'd'), rows: 2, cols: 1 },
    ]
    const [params, anchor] = [random(8, 'p'), random(8, 'q')]
    const { value, gradient } = kroneckerPenalty({ factors, params, anchor })
    let expected = 0
    for (const [start, factor] of [
      [0, factors[0]!],
      [6, factors[1]!],
    ] as const)
      for (const [a, row] of product(factor).entries())
        for (const [b, weight] of row.entries())
          expected +=
            (weight * (params[start + a]! - anchor[start + a]!) * (params[start + b]! - anchor[start + b]!)) / 2
    expect(value).toBeCloseTo(expected, 10)
    const slopes = numericalGradient((at) => kroneckerPenalty({ factors, params: at, anchor }).value, params)
    for (let i = 0; i < 8; i++) expect(gradient[i]).toBeCloseTo(slopes[i]!, 5)
    expect(() => kroneckerPenalty({ factors, params: [1], anchor })).toThrow('params must hold 8 numbers, got 1')
  })

  it('joins tasks by the mean of A and the sum of G: exact where one of them is shared', () => {
    const [a, b, g, h] = [spd(2, 'a'), spd(2, 'b'), spd(2, 'g'), spd(2, 'h')]
    const factor = (inputs: Float64Array, outputs: Float64Array) => [{ inputs, outputs, rows: 2, cols: 2 }]
    const sumOf = (one: KroneckerFactor[], two: KroneckerFactor[], decay = 1) =>
      product(one[0]!).map((row, i) => row.map((value, j) => decay * value + product(two[0]!)[i]![j]!))
    for (const [one, two] of [
      [factor(a, g), factor(a, h)],
      [factor(a, g), factor(b, g)],
    ] as const) {
      const { factors, weight } = joinFactors(joinFactors(undefined, one, 1), two, 1)
      expect(weight).toBe(2)
      const wanted = sumOf(one, two)
      for (const [i, row] of product(factors[0]!).entries())
        for (const [j, value] of row.entries()) expect(value).toBeCloseTo(wanted[i]![j]!, 10)
    }
    const faded = joinFactors(joinFactors(undefined, factor(a, g), 0.5), factor(a, h), 0.5)
    expect(faded.weight).toBe(1.5)
    const wanted = sumOf(factor(a, g), factor(a, h), 0.5)
    for (const [i, row] of product(faded.factors[0]!).entries())
      for (const [j, value] of row.entries()) expect(value).toBeCloseTo(wanted[i]![j]!, 10)
  })
})

describe("a trainer with fisher 'kronecker'", () => {
  it('ends where linear regression on all tasks ends, which no diagonal can', { timeout: 30_000 }, async () => {
    // Inputs that hang together: x₂ = x₁ + noise. With λ = 1 the second task minimizes ½ Σ (w·x − y)² / n + ½ (w − w₁)ᵀ A₁ (w − w₁).
    const task = (seed: string, slope: number) => {
      const rng = createRng(seed)
      const x: number[] = []
      for (let i = 0; i < 32; i++) {
        const first = rng.normal()
        x.push(first, first + 0.5 * rng.normal())
      }
      return { x, y: Array.from({ length: 32 }, (_, i) => slope * x[2 * i]! - x[2 * i + 1]! + 0.1 * rng.normal()) }
    }
    const tasks = [task('one', 1), task('two', 2)]
    const end = async (fisher: 'kronecker' | 'exact'): Promise<number[]> => {
      const trainer = openTrainer({
        net: dense({ inputs: 2, outputs: 1, bias: false }),
        inputs: 2,
        outputs: 1,
        likelihood: 'gaussian',
        rule: sgd(),
        rate: 0.2,
        strategy: { penalty: { kind: 'ewc', lambda: 1, fisher } },
      })
      opened.push(trainer)
      for (const one of tasks) await trainer.learn(one, { epochs: 400 })
      return [...trainer.params().kernel.data]
    }
    // Both tasks have the same number of samples, so this is regression on all of them.
    const gram = [
      [0, 0],
      [0, 0],
    ]
    const right = [0, 0]
    for (const { x, y } of tasks)
      for (let i = 0; i < 32; i++)
        for (const a of [0, 1]) {
          right[a]! += x[2 * i + a]! * y[i]!
          for (const b of [0, 1]) gram[a]![b]! += x[2 * i + a]! * x[2 * i + b]!
        }
    const wanted = solveSpd(gram, right)
    const [ours, diagonal] = [await end('kronecker'), await end('exact')]
    for (const i of [0, 1]) expect(ours[i]).toBeCloseTo(wanted[i]!, 3)
    expect(Math.abs(diagonal[0]! - wanted[0]!)).toBeGreaterThan(0.02)
  })

  it('is counted in its bytes, survives a snapshot, and refuses what it cannot do', async () => {
    const options = { net: mlp({ sizes: [2, 3, 2] }), inputs: 2, outputs: 2, rate: 0.02 }
    const penalty = { kind: 'ewc' as const, lambda: 5, fisher: 'kronecker' as const }
    const trainer = openTrainer({ ...options, strategy: { penalty } })
    const plain = openTrainer({ ...options, strategy: { penalty: { kind: 'ewc', lambda: 5 } } })
    opened.push(trainer, plain)
    // Layers of 3 × 3 and 4 × 2: 9 + 9 + 16 + 4 numbers of eight and of four bytes.
    expect(trainer.bytes - plain.bytes).toBe(12 * 38)
    await trainer.learn({ x: [1, 2, -1, 0], y: [0, 1] }, { epochs: 3 })
    const saved = decodeSnapshot(encodeSnapshot(trainer.snapshot()))
    const state = saved.state as { kronecker: { factors: unknown[] } }
    const cut = { ...saved, state: { ...state, kronecker: { ...state.kronecker, factors: [] } } }
    expect(() => openTrainer({ ...options, strategy: { penalty } }, cut as never)).toThrow('of other layers')
    const mask = new Float32Array(17).fill(1)
    await expect(trainer.learn({ x: [1, 2], y: [0], mask })).rejects.toThrow('take no mask')
    for (const more of [{ anchors: 'separate' as const }, { lambda: 'auto' as const }, { mask: { '0': 0 } }])
      expect(() => openTrainer({ ...options, strategy: { penalty: { ...penalty, ...more } } })).toThrow(
        'latest anchor only',
      )
  })
})
