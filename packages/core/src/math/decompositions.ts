import { Matrix, SingularValueDecomposition } from 'ml-matrix'
import { check } from '../errors.ts'
import { type Dense, type MatrixLike, toMatrix, toRows, type VectorLike } from './matrix.ts'

/** A thin singular value decomposition A = U·diag(s)·Vᵀ. */
export interface Svd {
  readonly u: Dense
  /** Descending. */
  readonly s: Float64Array
  readonly v: Dense
}

/**
 * Decomposes any matrix into singular values and vectors. This is ml-matrix's decomposition behind core's types: for
 * symmetric positive matrices `cholesky` and `symmetricEigen` are faster and allocate less.
 *
 * ```ts
 * import { svd } from '@regimen/core/math'
 *
 * svd([[3, 0], [0, 4]]).s[0] // ≈ 4
 * ```
 */
export function svd(matrix: MatrixLike): Svd {
  const result = new SingularValueDecomposition(new Matrix(toRows(matrix)), { autoTranspose: true })
  return {
    u: toMatrix(result.leftSingularVectors),
    s: Float64Array.from(result.diagonal),
    v: toMatrix(result.rightSingularVectors),
  }
}

/**
 * Solves min ‖A·x − b‖ for x of least norm, by singular values: works where A has dependent columns, too. Singular
 * values below `tolerance` × the largest count as zero.
 *
 * ```ts
 * import { leastSquares } from '@regimen/core/math'
 *
 * const [intercept, slope] = leastSquares([[1, 0], [1, 1], [1, 2]], [1, 3, 5])
 * intercept // ≈ 1
 * slope // ≈ 2
 * ```
 */
export function leastSquares(matrix: MatrixLike, b: VectorLike, tolerance = 1e-12): Float64Array {
  const { u, s, v } = svd(matrix)
  check(b.length === u.rows, 'core/least-squares', () => `b must have ${u.rows} numbers, got ${b.length}.`)
  const x = new Float64Array(v.rows)
  for (let k = 0; k < s.length; k++) {
    if (s[k]! <= tolerance * s[0]!) continue
    let along = 0
    for (let i = 0; i < u.rows; i++) along += u.data[i * u.cols + k]! * b[i]!
    for (let j = 0; j < v.rows; j++) x[j]! += (along / s[k]!) * v.data[j * v.cols + k]!
  }
  return x
}
