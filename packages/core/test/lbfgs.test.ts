import { createRng } from '@regimen/core'
import { lbfgs, leastSquares, matvec, numericalGradient, numericalHessian, svd } from '@regimen/core/math'
import { describe, expect, it } from 'vitest'

const rosenbrock = (x: Float64Array, g: Float64Array) => {
  let value = 0
  g.fill(0)
  for (let i = 0; i + 1 < x.length; i++) {
    const a = 1 - x[i]!
    const b = x[i + 1]! - x[i]! ** 2
    value += a * a + 100 * b * b
    g[i]! += -2 * a - 400 * x[i]! * b
    g[i + 1]! += 200 * b
  }
  return value
}

describe('l-bfgs', () => {
  it('reaches the minimum of Rosenbrock’s valley', () => {
    for (const n of [2, 20]) {
      const { x, value, stopped } = lbfgs(rosenbrock, new Array(n).fill(-1.2), { maxIterations: 500 })
      expect(stopped).not.toBe('limit')
      expect(value).toBeLessThan(1e-9)
      for (const xi of x) expect(Math.abs(xi - 1)).toBeLessThan(1e-4)
    }
  })

  it('solves a quadratic exactly', () => {
    // ½ Σ i (x − i)² with condition 30.
    const { x, stopped, iterations } = lbfgs((x, g) => {
      let value = 0
      for (let i = 0; i < 30; i++) {
        g[i] = (i + 1) * (x[i]! - i)
        value += 0.5 * (i + 1) * (x[i]! - i) ** 2
      }
      return value
    }, new Float64Array(30))
    expect(['gradient', 'value']).toContain(stopped)
    expect(iterations).toBeLessThan(60)
    for (let i = 0; i < 30; i++) expect(Math.abs(x[i]! - i)).toBeLessThan(1e-5)
  })

  it('stops at the bounds where Kuhn and Tucker say', () => {
    // min (x − 2)² + (y − 2)² + xy on [0, 1] × [−5, 5]: x = 1 is active, then y = 2 − ½.
    const { x, gradient } = lbfgs(
      (p, g) => {
        g[0] = 2 * (p[0]! - 2) + p[1]!
        g[1] = 2 * (p[1]! - 2) + p[0]!
        return (p[0]! - 2) ** 2 + (p[1]! - 2) ** 2 + p[0]! * p[1]!
      },
      [9, -9],
      { lower: [0, -5], upper: [1, 5] },
    )
    expect(x[0]).toBe(1)
    expect(x[1]).toBeCloseTo(1.5, 6)
    expect(gradient[0]!).toBeLessThan(0)
    const boxed = lbfgs(rosenbrock, [-1, 2], { lower: [-2, -2], upper: [0.5, 3], maxIterations: 500 })
    expect(boxed.x[0]).toBe(0.5)
    expect(boxed.x[1]).toBeCloseTo(0.25, 5)
  })

  it('backs off from where the function is not defined', () => {
    // x − ln x has its minimum at 1 and is NaN for x < 0.
    const { x } = lbfgs(
      (p, g) => {
        g[0] = 1 - 1 / p[0]!
        return p[0]! - Math.log(p[0]!)
      },
      [0.01],
    )
    expect(x[0]).toBeCloseTo(1, 5)
    expect(() => lbfgs(() => Number.NaN, [1])).toThrow('the start must have a finite value and gradient, got NaN')
    expect(() => lbfgs(() => 0, [1], { lower: [2], upper: [1] })).toThrow('lower[0] must not exceed upper[0]')
  })

  it('says so when the gradient is wrong', () => {
    const { stopped } = lbfgs(
      (p, g) => {
        g[0] = -2 * p[0]!
        return p[0]! ** 2
      },
      [1],
    )
    expect(stopped).toBe('line-search')
  })
})

describe('differences', () => {
  it('agree with derivatives by hand', () => {
    const f = (x: Float64Array) => Math.exp(x[0]!) * Math.sin(x[1]!) + x[2]! ** 3
    const at = [0.3, 1.1, -20]
    const e = Math.exp(0.3)
    const expected = [e * Math.sin(1.1), e * Math.cos(1.1), 1200]
    numericalGradient(f, at).forEach((g, i) => {
      expect(Math.abs(g / expected[i]! - 1)).toBeLessThan(1e-7)
    })
    const h = numericalHessian(f, at).data
    expect(h[0]).toBeCloseTo(e * Math.sin(1.1), 3)
    expect(h[1]).toBeCloseTo(e * Math.cos(1.1), 3)
    expect(h[4]).toBeCloseTo(-e * Math.sin(1.1), 3)
    expect(h[8]! / -120).toBeCloseTo(1, 4)
    expect(h[2]).toBe(h[6])
  })
})

describe('decompositions', () => {
  it('rebuild a wide and a tall matrix', () => {
    for (const [rows, cols] of [
      [3, 5],
      [5, 3],
    ] as const) {
      const a = { rows, cols, data: createRng(2).fillNormal(new Float64Array(rows * cols)) }
      const { u, s, v } = svd(a)
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < cols; j++) {
          let value = 0
          for (let k = 0; k < 3; k++) value += u.data[i * u.cols + k]! * s[k]! * v.data[j * v.cols + k]!
          expect(value).toBeCloseTo(a.data[i * cols + j]!, 12)
        }
      }
    }
  })

  it('solve least squares, of least norm where columns depend', () => {
    const x = leastSquares(
      [
        [1, 0],
        [1, 1],
        [1, 2],
      ],
      [1, 3, 5],
    )
    expect(x[0]).toBeCloseTo(1, 13)
    expect(x[1]).toBeCloseTo(2, 13)
    // Both columns equal: x₁ + x₂ = 2 of least norm is (1, 1).
    const y = leastSquares(
      [
        [1, 1],
        [2, 2],
      ],
      [2, 4],
    )
    expect(y[0]).toBeCloseTo(1, 13)
    expect(
      matvec(
        [
          [1, 1],
          [2, 2],
        ],
        y,
      )[1],
    ).toBeCloseTo(4, 13)
    expect(() => leastSquares([[1]], [1, 2])).toThrow('b must have 1 numbers, got 2')
  })
})
