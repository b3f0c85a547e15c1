import { createRng } from '@regimen/core'
import { dense } from '@regimen/tensor'
import '@tensorflow/tfjs-core'
import { describe, expect, it } from 'vitest'
import {
  averageProject,
  consolidate,
  fisherDiagonal,
  openPathIntegral,
  outputSensitivity,
  projectGradient,
  suggestLambda,
} from '../src/index.ts'
import { tinyNet } from './tiny-net.ts'

const leaf = (shape: number[], data: number[]) => ({ dtype: 'float32' as const, shape, data: Float32Array.from(data) })

function near(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void {
  expect(actual.length).toBe(expected.length)
  for (let i = 0; i < expected.length; i++) {
    expect(Math.abs(actual[i]! - expected[i]!), `at ${i}: ${actual[i]} and ${expected[i]}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(expected[i]!)),
    )
  }
}

describe('fisherDiagonal', () => {
  it('of logistic regression is p (1 − p) x², the closed form', async () => {
    // Two classes with logits (0·x, z = w·x): ∂ log p_c / ∂w₁ = (1[c = 1] − p) x; its variance under the model is p (1 − p) x².
    const net = dense({ inputs: 2, outputs: 2, bias: false })
    const params = { kernel: leaf([2, 2], [0.3, -0.4, 0.1, 0.9]) }
    const x = [1, 2, -1, 0.5, 0.3, -2]
    const expected = [0, 0, 0, 0]
    for (let n = 0; n < 3; n++) {
      const [a, b] = [x[2 * n]!, x[2 * n + 1]!]
      const p = 1 / (1 + Math.exp(-((-0.4 - 0.3) * a + (0.9 - 0.1) * b)))
      for (const [i, value] of [a, a, b, b].entries()) expected[i]! += (p * (1 - p) * value * value) / 3
    }
    // A chunk of 2 leaves one padded sample in the second call.
    near(await fisherDiagonal(net, { params, samples: { x, width: 2 }, outputs: 2, chunk: 2 }), expected)
    const samples = { x: Float32Array.from({ length: 6000 }, (_, i) => x[i % 6]!), width: 2 }
    const sampled = await fisherDiagonal(net, { params, samples, outputs: 2, kind: 'sampled', chunk: 500 })
    near(sampled, expected, 0.05)
  })

  it('of a Gaussian model is x² / σ², and the empirical one takes the residual', async () => {
    const net = dense({ inputs: 2, outputs: 1 })
    const params = { kernel: leaf([2, 1], [0.5, -1]), bias: leaf([1], [0.25]) }
    const samples = { x: [1, 2, 3, -1], width: 2, y: [0, 1] }
    const shared = { params, samples, likelihood: 'gaussian' as const, outputs: 1, variance: 4 }
    // Order of the leaves: as the net writes them.
    const kernelFirst = Object.keys(net.init(createRng(1)))[0] === 'kernel'
    const order = (kernel: number[], bias: number[]) => (kernelFirst ? [...kernel, ...bias] : [...bias, ...kernel])
    near(await fisherDiagonal(net, shared), order([(1 + 9) / 2 / 4, (4 + 1) / 2 / 4], [1 / 4]))
    // Residuals: 0 − (0.5 − 2 + 0.25) = 1.25 and 1 − (1.5 + 1 + 0.25) = −1.75. Gradient r x / σ².
    const [r, s] = [1.25 / 4, -1.75 / 4]
    const squares = order([(r * r + 9 * s * s) / 2, (4 * r * r + s * s) / 2], [(r * r + s * s) / 2])
    near(await fisherDiagonal(net, { ...shared, kind: 'empirical' }), squares)
  })

  it('of a net with hidden layers equals the sum over classes of finite differences', async () => {
    const { net, flat, vector, x, p, slopes } = tinyNet()
    const expected = slopes.map((each) => each.reduce((sum, slope, c) => sum + p[c]! * slope ** 2, 0))
    near(
      await fisherDiagonal(net, { params: flat.toParams(vector), samples: { x, width: 3 }, outputs: 3 }),
      expected,
      2e-3,
    )
  })

  it('refuses what it cannot measure', async () => {
    const net = dense({ inputs: 1, outputs: 1, bias: false })
    const params = { kernel: leaf([1, 1], [1]) }
    const shared = { params, outputs: 1, likelihood: 'gaussian' as const }
    const samples = { x: [1], width: 1 }
    await expect(fisherDiagonal(net, { ...shared, samples, kind: 'empirical' })).rejects.toThrow('needs labels')
    await expect(fisherDiagonal(net, { ...shared, samples: { x: [Number.NaN], width: 1 } })).rejects.toThrow('is NaN')
  })
})

describe('outputSensitivity', () => {
  it('is |∂ ‖f‖² / ∂w| by hand', async () => {
    // f = (w₁ x, w₂ x): 2 |wₖ| x².
    const net = dense({ inputs: 1, outputs: 2, bias: false })
    const params = { kernel: leaf([1, 2], [-0.5, 2]) }
    near(await outputSensitivity(net, { params, samples: { x: [1, 3], width: 1 }, chunk: 3 }), [5, 20])
  })
})

describe('openPathIntegral', () => {
  it('worked by hand for two steps', () => {
    // Loss ½ (θ₁² + 4 θ₂²), rate 0.25, from (1, 1): g = (1, 4) → (0.75, 0); g = (0.75, 0) → (0.5625, 0).
    const path = openPathIntegral([1, 1], { damping: 0.1 })
    path.step([1, 4], [1, 1], [0.75, 0])
    path.step([0.75, 0], [0.75, 0], [0.5625, 0])
    // ω₁ = 1 · 0.25 + 0.75 · 0.1875 = 0.390625; ω₂ = 4.
    near(path.path, [0.390625, 4], 1e-12)
    // Δ₁ = −0.4375, Δ₂ = −1.
    near(path.finish([0.5625, 0]), [0.390625 / (0.4375 ** 2 + 0.1), 4 / 1.1], 1e-12)
    // The next task starts from here; work against the loss counts as none.
    path.step([1, 1], [0.5625, 0], [1.5625, -2])
    near(path.finish([1.5625, -2]), [0, 2 / 4.1], 1e-12)
  })
})

describe('consolidate', () => {
  it('holds the optimum of a sum of quadratic losses, the analytic solution of EWC', () => {
    // Tasks ½ aₖ (θ − cₖ)² have Fisher aₖ and optimum cₖ. With λ = 1 EWC's optimum of task 3 is that of all three.
    const [a, c] = [
      [1, 2, 5],
      [0, 3, -1],
    ]
    let penalty = consolidate(undefined, { importance: [a[0]!], params: [c[0]!] })
    const second = (a[1]! * c[1]! + a[0]! * c[0]!) / (a[0]! + a[1]!)
    expect(
      (a[1]! * c[1]! + penalty.importance[0]! * penalty.anchor[0]!) / (a[1]! + penalty.importance[0]!),
    ).toBeCloseTo(second, 12)
    // Each task's anchor is its own optimum here, as separate anchors have it.
    penalty = consolidate(penalty, { importance: [a[1]!], params: [c[1]!] })
    const third = (a[2]! * c[2]! + penalty.importance[0]! * penalty.anchor[0]!) / (a[2]! + penalty.importance[0]!)
    expect(third).toBeCloseTo((0 * 1 + 3 * 2 - 1 * 5) / 8, 12)
  })

  it('has the gradient of separate anchors, and decays with γ', () => {
    const rng = createRng(1)
    let penalty: ReturnType<typeof consolidate> | undefined
    const tasks = Array.from({ length: 5 }, () => ({
      importance: Float64Array.from({ length: 3 }, () => rng.exponential()),
      params: Float64Array.from({ length: 3 }, () => rng.normal()),
    }))
    for (const task of tasks) penalty = consolidate(penalty, task)
    const theta = [0.2, -1, 3]
    for (let i = 0; i < 3; i++) {
      const separate = tasks.reduce((sum, { importance, params }) => sum + importance[i]! * (theta[i]! - params[i]!), 0)
      expect(penalty!.importance[i]! * (theta[i]! - penalty!.anchor[i]!)).toBeCloseTo(separate, 10)
    }
    const online = consolidate(penalty, { ...tasks[0]!, anchors: 'latest', decay: 0.5, mask: [1, 0, 2] })
    expect(online.anchor).toEqual(tasks[0]!.params)
    expect(online.importance[1]).toBe(0.5 * penalty!.importance[1]!)
    expect(online.importance[2]).toBeCloseTo(0.5 * penalty!.importance[2]! + 2 * tasks[0]!.importance[2]!, 12)
    expect(() => consolidate(penalty, { importance: [1], params: [1] })).toThrow('penalty is of 3 parameters')
    expect(() => consolidate(undefined, { importance: [-1], params: [1] })).toThrow('at least 0')
  })

  it('suggests the λ at which the predicted rise is the tolerance', () => {
    const data = { old: [1, 2, 0], new: [0.5, 0.1, 1], gradient: [0.3, -0.4, 2], tolerance: 0.01 }
    const lambda = suggestLambda(data)
    const rise = 0.5 * (0.3 / (0.5 + lambda)) ** 2 + (0.4 / (0.1 + 2 * lambda)) ** 2
    expect(rise).toBeCloseTo(0.01, 9)
    expect(suggestLambda({ ...data, tolerance: 100 })).toBe(0)
  })
})

describe('projectGradient', () => {
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0)

  it('satisfies every constraint to 1e-9 and is the nearest that does', () => {
    const rng = createRng(9)
    for (let run = 0; run < 60; run++) {
      const [n, k] = [rng.int(2, 30), rng.int(1, 12)]
      const gradient = Float64Array.from({ length: n }, () => rng.normal())
      const memories = Array.from({ length: k }, () =>
        Float64Array.from({ length: n }, () => rng.normal() - gradient[0]! / 2),
      )
      // A repeated memory makes the program singular.
      if (run % 3 === 0) memories.push(memories[0]!.map((value) => 2 * value))
      const projected = projectGradient(gradient, memories)
      for (const memory of memories) expect(dot(projected, memory)).toBeGreaterThan(-1e-9)
      // The optimality of a projection onto a cone: ⟨g − g̃, g̃⟩ = 0, and no feasible direction is nearer.
      const lost = gradient.map((value, i) => value - projected[i]!)
      expect(Math.abs(dot(lost, projected))).toBeLessThan(1e-9)
      const other = projectGradient(
        gradient.map((value) => value + rng.normal()),
        memories,
      )
      expect(dot(lost, other)).toBeLessThan(1e-9)
    }
  })

  it('equals A-GEM with one memory', () => {
    const rng = createRng(2)
    for (let run = 0; run < 20; run++) {
      const gradient = Float64Array.from({ length: 7 }, () => rng.normal())
      const memory = Float64Array.from({ length: 7 }, () => rng.normal())
      near(projectGradient(gradient, [memory]), averageProject(gradient, memory), 1e-12)
    }
  })

  it('adds the margin, skips empty memories and refuses NaN', () => {
    expect(projectGradient([1, 0], [[0, 2]], { margin: 0.5 })).toEqual(Float64Array.of(1, 1))
    expect(projectGradient([1, -1], [[0, 0]])).toEqual(Float64Array.of(1, -1))
    expect(averageProject([1, -1], [0, 0])).toEqual(Float64Array.of(1, -1))
    expect(() => projectGradient([Number.NaN], [[1]])).toThrow('finite')
    expect(() => projectGradient([1], [[1, 2]])).toThrow('memory 0 must hold 1')
  })
})
