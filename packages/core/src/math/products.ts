import { check } from '../errors.ts'
import { type Dense, type MatrixLike, toMatrix, type VectorLike } from './matrix.ts'

/**
 * Multiplies two vectors element by element and adds up, plainly (four partial sums). For long sums of mixed sign that
 * must not lose digits use `sum` over the products.
 *
 * ```ts
 * import { dot } from '@regimen/core/math'
 *
 * dot([1, 2, 3], [4, 5, 6]) // => 32
 * ```
 */
export function dot(a: VectorLike, b: VectorLike): number {
  const n = a.length
  check(b.length === n, 'core/dot', () => `the vectors must have one length, got ${n} and ${b.length}.`)
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let i = 0
  for (; i + 3 < n; i += 4) {
    s0 += a[i]! * b[i]!
    s1 += a[i + 1]! * b[i + 1]!
    s2 += a[i + 2]! * b[i + 2]!
    s3 += a[i + 3]! * b[i + 3]!
  }
  for (; i < n; i++) s0 += a[i]! * b[i]!
  return s0 + s1 + (s2 + s3)
}

/**
 * Multiplies two matrices: C = A·B.
 *
 * ```ts
 * import { matmul, toRows } from '@regimen/core/math'
 *
 * toRows(matmul([[1, 2], [3, 4]], [[0, 1], [1, 0]])) // => [[2, 1], [4, 3]]
 * ```
 */
export function matmul(a: MatrixLike, b: MatrixLike): Dense {
  const left = toMatrix(a, 'core/matmul')
  const right = toMatrix(b, 'core/matmul')
  check(
    left.cols === right.rows,
    'core/matmul',
    () => `${left.rows} × ${left.cols} times ${right.rows} × ${right.cols} is not defined.`,
    'The left columns must equal the right rows.',
  )
  const data = new Float64Array(left.rows * right.cols)
  return {
    rows: left.rows,
    cols: right.cols,
    data: matmulInto(left.data, right.data, left.rows, left.cols, right.cols, data),
  }
}

/**
 * Multiplies an m × k by a k × n matrix into `out` (m × n, neither operand), without allocating or checking.
 *
 * ```ts
 * import { matmulInto } from '@regimen/core/math'
 *
 * const out = new Float64Array(1)
 * matmulInto(Float64Array.of(1, 2), Float64Array.of(3, 4), 1, 2, 1, out)[0] // => 11
 * ```
 */
export function matmulInto(
  a: Float64Array,
  b: Float64Array,
  m: number,
  k: number,
  n: number,
  out: Float64Array,
): Float64Array {
  out.fill(0, 0, m * n)
  for (let i = 0; i < m; i++) {
    const row = i * n
    for (let p = 0; p < k; p++) {
      const factor = a[i * k + p]!
      const from = p * n
      for (let j = 0; j < n; j++) out[row + j]! += factor * b[from + j]!
    }
  }
  return out
}

/**
 * Multiplies a matrix by a vector, y = A·x, into `out` if given.
 *
 * ```ts
 * import { matvec } from '@regimen/core/math'
 *
 * Array.from(matvec([[1, 2], [3, 4]], [1, 1])) // => [3, 7]
 * ```
 */
export function matvec(a: MatrixLike, x: VectorLike, out?: Float64Array): Float64Array {
  const { rows, cols, data } = toMatrix(a, 'core/matvec')
  check(x.length === cols, 'core/matvec', () => `x must have ${cols} numbers, got ${x.length}.`)
  const y = out ?? new Float64Array(rows)
  for (let i = 0; i < rows; i++) {
    let total = 0
    for (let j = 0, at = i * cols; j < cols; j++) total += data[at + j]! * x[j]!
    y[i] = total
  }
  return y
}

/**
 * Swaps rows and columns into a new matrix.
 *
 * ```ts
 * import { toRows, transpose } from '@regimen/core/math'
 *
 * toRows(transpose([[1, 2, 3]])) // => [[1], [2], [3]]
 * ```
 */
export function transpose(a: MatrixLike): Dense {
  const { rows, cols, data } = toMatrix(a, 'core/transpose')
  const out = new Float64Array(rows * cols)
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) out[j * rows + i] = data[i * cols + j]!
  return { rows: cols, cols: rows, data: out }
}
