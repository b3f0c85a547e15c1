import { createRng, RegimenError } from '@regimen/core'
import {
  cholesky,
  choleskyInto,
  choleskyInverse,
  choleskySolve,
  dot,
  identity,
  inverseSpd,
  logDetOf,
  mahalanobis,
  mahalanobisBatch,
  matmul,
  matmulInto,
  matvec,
  solveLowerInto,
  solveLowerManyInto,
  solveLowerTransposedInto,
  solveLowerTransposedManyInto,
  solveSpd,
  symmetricEigen,
  symmetricEigenInto,
  toMatrix,
  toRows,
  transpose,
} from '@regimen/core/math'
import { Matrix } from 'ml-matrix'
import { describe, expect, it } from 'vitest'

function randomSpd(n: number, seed: number) {
  const g = { rows: n, cols: n, data: createRng(seed).fillNormal(new Float64Array(n * n)) }
  const a = matmul(g, transpose(g))
  for (let i = 0; i < n; i++) a.data[i * n + i]! += 0.5
  return a
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>) {
  expect(a.length).toBe(b.length)
  let worst = 0
  for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i]! - b[i]!))
  return worst
}

describe('matrices at the door', () => {
  it('takes rows, typed rows, a Dense and an ml-matrix Matrix', () => {
    const expected = { rows: 2, cols: 2, data: Float64Array.of(1, 2, 3, 4) }
    expect(
      toMatrix([
        [1, 2],
        [3, 4],
      ]),
    ).toEqual(expected)
    expect(toMatrix([Float32Array.of(1, 2), Float32Array.of(3, 4)])).toEqual(expected)
    expect(
      toMatrix(
        new Matrix([
          [1, 2],
          [3, 4],
        ]),
      ),
    ).toEqual(expected)
    expect(toMatrix(expected)).toBe(expected)
    expect(toRows(expected)).toEqual([
      [1, 2],
      [3, 4],
    ])
  })

  it('names the ragged row and the wrong size', () => {
    expect(() => toMatrix([[1, 2], [3]])).toThrow(
      '[core/matrix] every row must have the 2 numbers of the first, got 1 in row 1.',
    )
    expect(() => toMatrix({ rows: 2, cols: 2, data: new Float64Array(3) })).toThrow('needs 4 numbers, got 3')
    expect(() => cholesky([[1, 2]])).toThrow('must be square, got 1 × 2')
  })
})

describe('products', () => {
  it('multiplies like ml-matrix', () => {
    const rng = createRng(1)
    const a = { rows: 7, cols: 5, data: rng.fillNormal(new Float64Array(35)) }
    const b = { rows: 5, cols: 9, data: rng.fillNormal(new Float64Array(45)) }
    const peer = new Matrix(toRows(a)).mmul(new Matrix(toRows(b)))
    expect(largestDifference(matmul(a, b).data, peer.to1DArray())).toBeLessThan(1e-14)
    expect(matmulInto(a.data, b.data, 7, 5, 9, new Float64Array(63))).toEqual(matmul(a, b).data)
    const x = rng.fillNormal(new Float64Array(5))
    expect(largestDifference(matvec(a, x), matmul(a, { rows: 5, cols: 1, data: x }).data)).toBeLessThan(1e-14)
    expect(transpose(transpose(a))).toEqual(a)
    expect(matmul(identity(7), a)).toEqual(a)
  })

  it('adds every element of a dot product, whatever the length modulo 4', () => {
    for (let n = 1; n < 10; n++) {
      const ones = new Float64Array(n).fill(1)
      expect(
        dot(
          ones,
          Float64Array.from({ length: n }, (_, i) => i),
        ),
      ).toBe((n * (n - 1)) / 2)
    }
    expect(() => dot([1], [1, 2])).toThrow(RegimenError)
    expect(() => matmul([[1, 2]], [[1, 2]])).toThrow('1 × 2 times 1 × 2 is not defined')
  })
})

describe('cholesky', () => {
  // The example of Wikipedia's article "Cholesky decomposition": all entries are whole numbers.
  const a = [
    [4, 12, -16],
    [12, 37, -43],
    [-16, -43, 98],
  ]

  it('factors the textbook matrix exactly', () => {
    const { lower, logDet, jitter } = cholesky(a)
    expect(Array.from(lower)).toEqual([2, 0, 0, 6, 1, 0, -8, 5, 3])
    expect(logDet).toBeCloseTo(Math.log(36), 14) // (2·1·3)²
    expect(jitter).toBe(0)
  })

  it('reads only the lower triangle and factors in place', () => {
    const buffer = Float64Array.of(4, 99, 99, 12, 37, 99, -16, -43, 98)
    expect(choleskyInto(buffer, 3, buffer)).toBe(true)
    expect(Array.from(buffer)).toEqual([2, 0, 0, 6, 1, 0, -8, 5, 3])
    expect(logDetOf(buffer, 3)).toBeCloseTo(Math.log(36), 14)
  })

  it('rebuilds, solves and inverts random matrices', () => {
    for (const n of [1, 2, 3, 10, 33]) {
      const spd = randomSpd(n, n)
      const factor = cholesky(spd)
      const l = { rows: n, cols: n, data: factor.lower }
      expect(largestDifference(matmul(l, transpose(l)).data, spd.data)).toBeLessThan(1e-12 * n)
      const x = createRng(n).fillNormal(new Float64Array(n))
      const b = matvec(spd, x)
      expect(largestDifference(choleskySolve(factor, b), x)).toBeLessThan(1e-9)
      expect(largestDifference(solveSpd(spd, b), x)).toBeLessThan(1e-9)
      expect(largestDifference(matmul(spd, choleskyInverse(factor)).data, identity(n).data)).toBeLessThan(1e-9)
      expect(inverseSpd(spd)).toEqual(choleskyInverse(factor))
    }
  })

  it('climbs the jitter ladder on a singular matrix and says how far', () => {
    // [[1,1],[1,1]] has eigenvalues 0 and 2; the first rung is 1e-10 of the mean diagonal 1.
    const { jitter, lower } = cholesky([
      [1, 1],
      [1, 1],
    ])
    expect(jitter).toBe(1e-10)
    expect(lower[3]! ** 2).toBeCloseTo(2e-10, 15)
    expect(() =>
      cholesky(
        [
          [1, 1],
          [1, 1],
        ],
        { jitter: 0 },
      ),
    ).toThrow('not positive definite')
    // Indefinite by 1e-5: needs a jitter above 1e-5, and the next rung is 1e-4.
    expect(
      cholesky([
        [1, 1 + 1e-5],
        [1 + 1e-5, 1],
      ]).jitter,
    ).toBeCloseTo(1e-4, 15)
  })

  it('refuses an indefinite matrix and NaN', () => {
    expect(() =>
      cholesky([
        [1, 2],
        [2, 1],
      ]),
    ).toThrow('[core/cholesky] the matrix of 2 × 2 is not positive definite.')
    expect(() => cholesky([[Number.NaN]])).toThrow(RegimenError)
    expect(choleskyInto(Float64Array.of(-1), 1, new Float64Array(1))).toBe(false)
    expect(() => choleskySolve(cholesky([[1]]), [1, 2])).toThrow('must have 1 numbers, got 2')
  })
})

describe('triangular solves', () => {
  it('solves one and many right-hand sides alike', () => {
    const n = 6
    const { lower } = cholesky(randomSpd(n, 5))
    const many = createRng(3).fillNormal(new Float64Array(n * 4))
    const forward = solveLowerManyInto(lower, n, many.slice(), 4)
    const backward = solveLowerTransposedManyInto(lower, n, many.slice(), 4)
    const l = { rows: n, cols: n, data: lower }
    expect(largestDifference(matmul(l, { rows: n, cols: 4, data: forward }).data, many)).toBeLessThan(1e-12)
    expect(largestDifference(matmul(transpose(l), { rows: n, cols: 4, data: backward }).data, many)).toBeLessThan(1e-12)
    for (let c = 0; c < 4; c++) {
      const b = Float64Array.from({ length: n }, (_, i) => many[i * 4 + c]!)
      const x = solveLowerInto(lower, n, b, new Float64Array(n))
      const y = solveLowerTransposedInto(lower, n, b, b.slice())
      for (let i = 0; i < n; i++) {
        expect(forward[i * 4 + c]).toBeCloseTo(x[i]!, 12)
        expect(backward[i * 4 + c]).toBeCloseTo(y[i]!, 12)
      }
    }
  })
})

describe('mahalanobis', () => {
  it('matches the definition (x − μ)ᵀ Σ⁻¹ (x − μ), singly and in batches of every remainder', () => {
    const n = 5
    const spd = randomSpd(n, 8)
    const factor = cholesky(spd)
    const inverse = inverseSpd(spd)
    const mean = createRng(4).fillNormal(new Float64Array(n))
    for (const rows of [0, 1, 3, 4, 9]) {
      const points = { rows, cols: n, data: createRng(9).fillNormal(new Float64Array(rows * n)) }
      const distances = mahalanobisBatch(points, mean, factor)
      for (let r = 0; r < rows; r++) {
        const x = points.data.subarray(r * n, (r + 1) * n)
        const z = x.map((value, j) => value - mean[j]!)
        const expected = dot(z, matvec(inverse, z))
        expect(Math.abs(distances[r]! / expected - 1)).toBeLessThan(1e-12)
        expect(Math.abs(mahalanobis(x, mean, factor) / expected - 1)).toBeLessThan(1e-12)
      }
    }
    expect(() => mahalanobisBatch([[1, 2]], mean, factor)).toThrow('must have one dimension, got 2, 5 and 5')
  })
})

describe('symmetric eigen', () => {
  it('solves a 3 × 3 by hand', () => {
    // [[2,−1,0],[−1,2,−1],[0,−1,2]]: the path graph's second difference, λ_k = 2 − 2 cos(kπ/4).
    const { values } = symmetricEigen([
      [2, -1, 0],
      [-1, 2, -1],
      [0, -1, 2],
    ])
    expect(largestDifference(values, [2 - Math.SQRT2, 2, 2 + Math.SQRT2])).toBeLessThan(1e-14)
  })

  it('rebuilds random, diagonal, zero and repeated-eigenvalue matrices with orthonormal vectors', () => {
    const cases = [1, 2, 3, 8, 40].map((n) => randomSpd(n, 100 + n))
    cases.push(
      identity(4),
      toMatrix([
        [0, 0],
        [0, 0],
      ]),
      toMatrix([
        [3, 0, 0],
        [0, -7, 0],
        [0, 0, 1],
      ]),
    )
    cases.push(
      toMatrix([
        [1, 1, 1],
        [1, 1, 1],
        [1, 1, 1],
      ]),
    )
    for (const a of cases) {
      const n = a.rows
      const { values, vectors } = symmetricEigen(a)
      const scaled = { rows: n, cols: n, data: vectors.data.map((v, at) => v * values[at % n]!) }
      const scale = Math.max(1, ...a.data.map(Math.abs))
      expect(largestDifference(matmul(scaled, transpose(vectors)).data, a.data)).toBeLessThan(1e-13 * n * scale)
      expect(largestDifference(matmul(transpose(vectors), vectors).data, identity(n).data)).toBeLessThan(1e-13 * n)
      expect(Array.from(values)).toEqual(Array.from(values).sort((x, y) => x - y))
    }
  })

  it('keeps tiny eigenvalues of a badly scaled matrix', () => {
    const { values } = symmetricEigen([
      [1e8, 1],
      [1, 1e-6],
    ])
    // λ₁·λ₂ = 1e2 − 1, λ₁ + λ₂ = 1e8 + 1e-6, hence λ₁ ≈ 99/1e8.
    expect(values[0]! / 9.9e-7).toBeCloseTo(1, 1)
  })

  it('works in the matrix itself', () => {
    const a = randomSpd(6, 3)
    const expected = symmetricEigen(a)
    const values = new Float64Array(6)
    symmetricEigenInto(a.data, 6, values, a.data, new Float64Array(6))
    expect(values).toEqual(expected.values)
    expect(a.data).toEqual(expected.vectors.data)
    expect(() => symmetricEigen([[Number.NaN]])).toThrow('must be finite')
  })
})
