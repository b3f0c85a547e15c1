import { check, describe, RegimenError } from '../errors.ts'
import { type Dense, type MatrixLike, toSquare, type VectorLike } from './matrix.ts'
import { solveLowerInto, solveLowerTransposedInto } from './triangular.ts'

/** Options of {@link cholesky}. */
export interface CholeskyOptions {
  /**
   * First jitter tried on the diagonal once the bare matrix fails, relative to the mean diagonal; it grows tenfold a
   * step. 0 turns the ladder off.
   * @default 1e-10
   */
  jitter?: number
  /**
   * Largest relative jitter tried before giving up.
   * @default 1e-3
   */
  maxJitter?: number
}

/** A symmetric positive definite matrix factored as L·Lᵀ. */
export interface Cholesky {
  readonly n: number
  /** L, row-major n × n, zeros above the diagonal. */
  readonly lower: Float64Array
  /** ln |A| of the matrix that was factored, jitter included. */
  readonly logDet: number
  /** What was added to the diagonal, in the matrix's own units; 0 when nothing was needed. */
  readonly jitter: number
}

/**
 * Factors a symmetric positive definite matrix, A + jitter·I = L·Lᵀ, adding the smallest jitter of a tenfold ladder
 * that makes it succeed. Only the lower triangle is read. Use it for covariances and Gram matrices; for the hot loop
 * with a buffer of its own take {@link choleskyInto}. n³/3 operations.
 *
 * Gotcha: a jitter above 0 means that the matrix was singular to rounding; look at `jitter` where that matters. A
 * matrix that stays indefinite throws `NOT_POSITIVE_DEFINITE`.
 *
 * ```ts
 * import { cholesky } from '@regimen/core/math'
 *
 * const { lower, logDet } = cholesky([[4, 2], [2, 5]])
 * Array.from(lower) // => [2, 0, 1, 2]
 * logDet // ≈ 2.772588722239781
 * ```
 *
 * Reference: Golub & Van Loan, Matrix Computations, 4th ed., §4.2.
 */
export function cholesky(matrix: MatrixLike, options: CholeskyOptions = {}): Cholesky {
  const { jitter: first = 1e-10, maxJitter = 1e-3 } = options
  check(first >= 0, 'core/cholesky', () => `jitter must be at least 0, got ${describe(first)}.`)
  const { rows: n, data } = toSquare(matrix, 'core/cholesky')
  let scale = 0
  for (let i = 0; i < n; i++) scale += Math.abs(data[i * n + i]!) / n
  const lower = new Float64Array(n * n)
  for (let relative = 0; relative <= maxJitter; relative = relative === 0 ? first : relative * 10) {
    const jitter = relative * scale
    if (choleskyInto(data, n, lower, jitter)) return { n, lower, logDet: logDetOf(lower, n), jitter }
    if (first === 0) break
  }
  throw new RegimenError(`the matrix of ${n} × ${n} is not positive definite.`, {
    code: 'NOT_POSITIVE_DEFINITE',
    where: 'core/cholesky',
    hint: 'Check it for NaN, or raise maxJitter.',
  })
}

/**
 * Factors A + jitter·I into `out` (which may be `a` itself), reading the lower triangle only. Returns false, with
 * `out` unspecified, where the matrix is not positive definite or holds NaN.
 *
 * ```ts
 * import { choleskyInto } from '@regimen/core/math'
 *
 * const a = Float64Array.of(4, 2, 2, 5)
 * choleskyInto(a, 2, a) // => true
 * Array.from(a) // => [2, 0, 1, 2]
 * ```
 */
export function choleskyInto(a: Float64Array, n: number, out: Float64Array, jitter = 0): boolean {
  const even = n - (n % 2)
  for (let i = 0; i < even; i += 2) if (!factorTwoRows(a, n, out, i, jitter)) return false
  return even === n || factorLastRow(a, n, out, jitter)
}

/** Rows i and i + 1 against the finished rows in pairs: every number loaded serves two products. */
function factorTwoRows(a: Float64Array, n: number, out: Float64Array, i: number, jitter: number): boolean {
  const r0 = i * n
  const r1 = r0 + n
  for (let j = 0; j < i; j += 2) {
    const c0 = j * n
    const c1 = c0 + n
    let s00 = a[r0 + j]!
    let s01 = a[r0 + j + 1]!
    let s10 = a[r1 + j]!
    let s11 = a[r1 + j + 1]!
    for (let k = 0; k < j; k++) {
      const x0 = out[r0 + k]!
      const x1 = out[r1 + k]!
      const y0 = out[c0 + k]!
      const y1 = out[c1 + k]!
      s00 -= x0 * y0
      s01 -= x0 * y1
      s10 -= x1 * y0
      s11 -= x1 * y1
    }
    const corner = out[c0 + j]!
    const below = out[c1 + j]!
    const next = out[c1 + j + 1]!
    s00 /= corner
    s10 /= corner
    out[r0 + j] = s00
    out[r1 + j] = s10
    out[r0 + j + 1] = (s01 - s00 * below) / next
    out[r1 + j + 1] = (s11 - s10 * below) / next
  }
  let d0 = a[r0 + i]! + jitter
  let cross = a[r1 + i]!
  let d1 = a[r1 + i + 1]! + jitter
  for (let k = 0; k < i; k++) {
    const x0 = out[r0 + k]!
    const x1 = out[r1 + k]!
    d0 -= x0 * x0
    cross -= x0 * x1
    d1 -= x1 * x1
  }
  if (!(d0 > 0 && d0 < Number.POSITIVE_INFINITY)) return false
  const pivot = Math.sqrt(d0)
  cross /= pivot
  d1 -= cross * cross
  if (!(d1 > 0 && d1 < Number.POSITIVE_INFINITY)) return false
  out[r0 + i] = pivot
  out[r1 + i] = cross
  out[r1 + i + 1] = Math.sqrt(d1)
  out.fill(0, r0 + i + 1, r1)
  out.fill(0, r1 + i + 2, r1 + n)
  return true
}

/** The last row of an odd-sized matrix. */
function factorLastRow(a: Float64Array, n: number, out: Float64Array, jitter: number): boolean {
  const row = (n - 1) * n
  let square = a[row + n - 1]! + jitter
  for (let j = 0; j < n - 1; j++) {
    let rest = a[row + j]!
    for (let k = 0; k < j; k++) rest -= out[row + k]! * out[j * n + k]!
    rest /= out[j * n + j]!
    out[row + j] = rest
    square -= rest * rest
  }
  if (!(square > 0 && square < Number.POSITIVE_INFINITY)) return false
  out[row + n - 1] = Math.sqrt(square)
  return true
}

/**
 * Solves A·x = b from A's factor; for several right-hand sides solve both
 * triangles with `solveLowerManyInto` and `solveLowerTransposedManyInto`.
 *
 * ```ts
 * import { cholesky, choleskySolve } from '@regimen/core/math'
 *
 * Array.from(choleskySolve(cholesky([[4, 2], [2, 5]]), [8, 12])) // => [1, 2]
 * ```
 */
export function choleskySolve(factor: Cholesky, b: VectorLike, out?: Float64Array): Float64Array {
  check(
    b.length === factor.n,
    'core/cholesky',
    () => `the right-hand side must have ${factor.n} numbers, got ${b.length}.`,
  )
  const x = out ?? new Float64Array(factor.n)
  solveLowerInto(factor.lower, factor.n, b, x)
  return solveLowerTransposedInto(factor.lower, factor.n, x, x)
}

/**
 * Inverts A from its factor. Prefer {@link choleskySolve} where the inverse itself is not wanted.
 *
 * ```ts
 * import { cholesky, choleskyInverse } from '@regimen/core/math'
 *
 * choleskyInverse(cholesky([[2, 0], [0, 4]])).data[3] // ≈ 0.25
 * ```
 */
export function choleskyInverse(factor: Cholesky): Dense {
  const { n, lower } = factor
  const data = new Float64Array(n * n)
  const column = new Float64Array(n)
  for (let j = 0; j < n; j++) {
    column.fill(0)
    column[j] = 1
    solveLowerInto(lower, n, column, column)
    solveLowerTransposedInto(lower, n, column, column)
    for (let i = 0; i <= j; i++) {
      data[i * n + j] = column[i]!
      data[j * n + i] = column[i]!
    }
  }
  return { rows: n, cols: n, data }
}

/**
 * Solves A·x = b for a symmetric positive definite A in one call.
 *
 * ```ts
 * import { solveSpd } from '@regimen/core/math'
 *
 * Array.from(solveSpd([[4, 2], [2, 5]], [8, 12])) // => [1, 2]
 * ```
 */
export function solveSpd(matrix: MatrixLike, b: VectorLike, options: CholeskyOptions = {}): Float64Array {
  return choleskySolve(cholesky(matrix, options), b)
}

/**
 * Inverts a symmetric positive definite matrix.
 *
 * ```ts
 * import { inverseSpd, toRows } from '@regimen/core/math'
 *
 * toRows(inverseSpd([[2, 0], [0, 8]], { jitter: 0 })).map((row) => row.map((x) => Math.round(x * 1e9) / 1e9)) // => [[0.5, 0], [0, 0.125]]
 * ```
 */
export function inverseSpd(matrix: MatrixLike, options: CholeskyOptions = {}): Dense {
  return choleskyInverse(cholesky(matrix, options))
}

/**
 * Computes ln |A| = 2 Σ ln L_ii from a factor in a buffer.
 *
 * ```ts
 * import { logDetOf } from '@regimen/core/math'
 *
 * logDetOf(Float64Array.of(2, 0, 1, 2), 2) // ≈ 2.772588722239781
 * ```
 */
export function logDetOf(lower: Float64Array, n: number): number {
  let total = 0
  for (let i = 0; i < n; i++) total += Math.log(lower[i * n + i]!)
  return 2 * total
}
