import { check, describe } from '../errors.ts'

/** A row-major matrix: element (i, j) is `data[i * cols + j]`. Plain data, so it may sit in a model's state. */
export interface Dense {
  readonly rows: number
  readonly cols: number
  readonly data: Float64Array
}

/** What a function takes as a vector at its door. */
export type VectorLike = ArrayLike<number>

/** What a function takes as a matrix at its door: rows, a {@link Dense}, or ml-matrix's `Matrix`. */
export type MatrixLike =
  | readonly ArrayLike<number>[]
  | Dense
  | { readonly rows: number; readonly columns: number; to1DArray(): number[] }

/**
 * Turns rows, a `Dense` or ml-matrix's `Matrix` into a row-major {@link Dense}, which every kernel in `core/math`
 * takes. A `Dense` comes back as it is, not copied; pass the result's `data.slice()` on where it will be overwritten.
 *
 * ```ts
 * import { toMatrix } from '@regimen/core/math'
 *
 * const m = toMatrix([[1, 2, 3], [4, 5, 6]])
 * m.cols // => 3
 * m.data[1 * m.cols + 2] // => 6
 * ```
 */
export function toMatrix(from: MatrixLike, where = 'core/matrix'): Dense {
  if ('to1DArray' in from) return { rows: from.rows, cols: from.columns, data: Float64Array.from(from.to1DArray()) }
  if ('data' in from) {
    check(
      from.data.length === from.rows * from.cols,
      where,
      () => `a matrix of ${from.rows} × ${from.cols} needs ${from.rows * from.cols} numbers, got ${from.data.length}.`,
    )
    return from
  }
  check(
    Array.isArray(from),
    where,
    () => `expected a matrix, got ${describe(from)}.`,
    'Pass number[][], { rows, cols, data } or an ml-matrix Matrix.',
  )
  const rows = from.length
  const cols = rows === 0 ? 0 : from[0]!.length
  const data = new Float64Array(rows * cols)
  for (let i = 0; i < rows; i++) {
    const row = from[i]!
    check(
      row.length === cols,
      where,
      () => `every row must have the ${cols} numbers of the first, got ${row.length} in row ${i}.`,
    )
    data.set(row, i * cols)
  }
  return { rows, cols, data }
}

/**
 * Turns a matrix into an array of its rows, for printing and for libraries that take `number[][]`.
 *
 * ```ts
 * import { toRows } from '@regimen/core/math'
 *
 * toRows({ rows: 2, cols: 2, data: Float64Array.of(1, 2, 3, 4) }) // => [[1, 2], [3, 4]]
 * ```
 */
export function toRows(from: MatrixLike): number[][] {
  const { rows, cols, data } = toMatrix(from)
  return Array.from({ length: rows }, (_, i) => Array.from(data.subarray(i * cols, (i + 1) * cols)))
}

/**
 * Makes the identity matrix of the given size.
 *
 * ```ts
 * import { identity, toRows } from '@regimen/core/math'
 *
 * toRows(identity(2)) // => [[1, 0], [0, 1]]
 * ```
 */
export function identity(n: number): Dense {
  const data = new Float64Array(n * n)
  for (let i = 0; i < n; i++) data[i * n + i] = 1
  return { rows: n, cols: n, data }
}

/** Checks that a matrix is square at a function's door and returns it. */
export function toSquare(from: MatrixLike, where: string): Dense {
  const matrix = toMatrix(from, where)
  check(matrix.rows === matrix.cols, where, () => `the matrix must be square, got ${matrix.rows} × ${matrix.cols}.`)
  return matrix
}
