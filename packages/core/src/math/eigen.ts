import { check, RegimenError } from '../errors.ts'
import { type Dense, type MatrixLike, toSquare } from './matrix.ts'

/** Eigenvalues and orthonormal eigenvectors of a symmetric matrix. */
export interface SymmetricEigen {
  /** Ascending. */
  readonly values: Float64Array
  /** Column j belongs to `values[j]`. */
  readonly vectors: Dense
}

/**
 * Decomposes a symmetric matrix, A = V·diag(λ)·Vᵀ, with the eigenvalues in ascending order. Only the lower triangle is
 * read. Householder reduction and implicit QL, about 9n³ operations; for a loop with buffers of its own take
 * {@link symmetricEigenInto}.
 *
 * Gotcha: the sign of an eigenvector is arbitrary; here its component of largest magnitude is positive.
 *
 * ```ts
 * import { symmetricEigen } from '@regimen/core/math'
 *
 * const { values } = symmetricEigen([[2, 1], [1, 2]])
 * values[0] // ≈ 1
 * values[1] // ≈ 3
 * ```
 *
 * Reference: Golub & Van Loan, Matrix Computations, 4th ed., §8.3.
 */
export function symmetricEigen(matrix: MatrixLike): SymmetricEigen {
  const { rows: n, data } = toSquare(matrix, 'core/eigen')
  for (let i = 0; i < data.length; i++)
    check(Number.isFinite(data[i]!), 'core/eigen', () => `the matrix must be finite, got ${data[i]} at ${i}.`)
  const values = new Float64Array(n)
  const vectors = new Float64Array(n * n)
  symmetricEigenInto(data, n, values, vectors, new Float64Array(n))
  return { values, vectors: { rows: n, cols: n, data: vectors } }
}

/**
 * Decomposes like {@link symmetricEigen} into `values` (n) and `vectors` (n × n, which may be `a`), using `work` (n);
 * allocates nothing. The matrix must be finite.
 *
 * ```ts
 * import { symmetricEigenInto } from '@regimen/core/math'
 *
 * const values = new Float64Array(2)
 * const vectors = new Float64Array(4)
 * symmetricEigenInto(Float64Array.of(5, 0, 0, 3), 2, values, vectors, new Float64Array(2))
 * Array.from(values) // => [3, 5]
 * ```
 */
export function symmetricEigenInto(
  a: Float64Array,
  n: number,
  values: Float64Array,
  vectors: Float64Array,
  work: Float64Array,
): void {
  if (n === 0) return
  // The rows of `vectors` hold the eigenvectors until the end, so that every rotation runs along contiguous memory.
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = a[i * n + j]!
      vectors[i * n + j] = value
      vectors[j * n + i] = value
    }
  }
  tridiagonalize(vectors, n, values, work)
  implicitQl(vectors, n, values, work)
  sortAscending(vectors, n, values)
  orientAndTranspose(vectors, n)
}

/**
 * Reduces the symmetric `q` to a tridiagonal matrix by Householder reflections from the last row up: diagonal in `d`,
 * subdiagonal in `e[1…]`, and Qᵀ (rows are the basis vectors) in `q`.
 */
function tridiagonalize(q: Float64Array, n: number, d: Float64Array, e: Float64Array): void {
  for (let i = n - 1; i > 0; i--) {
    const row = i * n
    let scale = 0
    for (let k = 0; k < i; k++) scale += Math.abs(q[row + k]!)
    if (i === 1 || scale === 0) {
      e[i] = q[row + i - 1]!
      d[i] = 0
      continue
    }
    let h = 0
    for (let k = 0; k < i; k++) {
      q[row + k]! /= scale
      h += q[row + k]! ** 2
    }
    const last = q[row + i - 1]!
    const g = last >= 0 ? -Math.sqrt(h) : Math.sqrt(h)
    e[i] = scale * g
    h -= last * g
    q[row + i - 1] = last - g
    // p = A·u / h with the lower triangle of the leading block, held in e[0 … i).
    e.fill(0, 0, i)
    for (let j = 0; j < i; j++) {
      const uj = q[row + j]!
      const at = j * n
      let total = q[at + j]! * uj
      for (let k = 0; k < j; k++) {
        total += q[at + k]! * q[row + k]!
        e[k]! += q[at + k]! * uj
      }
      e[j]! += total
    }
    let product = 0
    for (let j = 0; j < i; j++) {
      e[j]! /= h
      product += e[j]! * q[row + j]!
    }
    const half = product / (2 * h)
    for (let j = 0; j < i; j++) e[j]! -= half * q[row + j]!
    for (let j = 0; j < i; j++) {
      const uj = q[row + j]!
      const pj = e[j]!
      for (let k = 0, at = j * n; k <= j; k++) q[at + k]! -= uj * e[k]! + pj * q[row + k]!
    }
    d[i] = h
  }
  // Accumulate the reflections, growing Qᵀ from the top left corner. u_i lies in row i, columns 0 … i − 1.
  d[0] = q[0]!
  q[0] = 1
  for (let i = 1; i < n; i++) {
    const row = i * n
    const h = d[i]!
    d[i] = q[row + i]!
    if (h !== 0) {
      for (let j = 0; j < i; j++) {
        const at = j * n
        let g = 0
        for (let k = 0; k < i; k++) g += q[at + k]! * q[row + k]!
        g /= h
        for (let k = 0; k < i; k++) q[at + k]! -= g * q[row + k]!
      }
    }
    for (let k = 0; k < i; k++) {
      q[row + k] = 0
      q[k * n + i] = 0
    }
    q[row + i] = 1
  }
}

/** Diagonalizes the tridiagonal (d, e) by QL steps with Wilkinson's shift, rotating the rows of `q` along. */
function implicitQl(q: Float64Array, n: number, d: Float64Array, e: Float64Array): void {
  for (let i = 1; i < n; i++) e[i - 1] = e[i]!
  e[n - 1] = 0
  for (let l = 0; l < n; l++) {
    for (let sweep = 0; ; sweep++) {
      let m = l
      while (m < n - 1) {
        const size = Math.abs(d[m]!) + Math.abs(d[m + 1]!)
        if (Math.abs(e[m]!) <= Number.EPSILON * size) break
        m++
      }
      if (m === l) break
      if (sweep === 60) {
        throw new RegimenError('the QL iteration did not converge.', {
          code: 'NO_CONVERGENCE',
          where: 'core/eigen',
          hint: 'Check the matrix for NaN or huge entries.',
        })
      }
      let g = (d[l + 1]! - d[l]!) / (2 * e[l]!)
      let r = Math.hypot(g, 1)
      g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? r : -r))
      let s = 1
      let c = 1
      let p = 0
      let i = m - 1
      for (; i >= l; i--) {
        const f = s * e[i]!
        const b = c * e[i]!
        r = Math.sqrt(f * f + g * g)
        e[i + 1] = r
        if (r === 0) {
          d[i + 1]! -= p
          e[m] = 0
          break
        }
        s = f / r
        c = g / r
        g = d[i + 1]! - p
        const t = (d[i]! - g) * s + 2 * c * b
        p = s * t
        d[i + 1] = g + p
        g = c * t - b
        rotateRows(q, n, i, c, s)
      }
      if (r === 0 && i >= l) continue
      d[l]! -= p
      e[l] = g
      e[m] = 0
    }
  }
}

function rotateRows(q: Float64Array, n: number, i: number, c: number, s: number): void {
  const upper = i * n
  const lower = upper + n
  for (let k = 0; k < n; k++) {
    const x = q[upper + k]!
    const y = q[lower + k]!
    q[lower + k] = s * x + c * y
    q[upper + k] = c * x - s * y
  }
}

function sortAscending(q: Float64Array, n: number, d: Float64Array): void {
  for (let i = 0; i < n - 1; i++) {
    let smallest = i
    for (let j = i + 1; j < n; j++) if (d[j]! < d[smallest]!) smallest = j
    if (smallest === i) continue
    const value = d[i]!
    d[i] = d[smallest]!
    d[smallest] = value
    for (let k = 0; k < n; k++) {
      const held = q[i * n + k]!
      q[i * n + k] = q[smallest * n + k]!
      q[smallest * n + k] = held
    }
  }
}

function orientAndTranspose(q: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    let largest = 0
    for (let k = 0; k < n; k++) if (Math.abs(q[i * n + k]!) > Math.abs(largest) * (1 + 1e-9)) largest = q[i * n + k]!
    if (largest < 0) for (let k = 0; k < n; k++) q[i * n + k]! *= -1
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const held = q[i * n + j]!
      q[i * n + j] = q[j * n + i]!
      q[j * n + i] = held
    }
  }
}
