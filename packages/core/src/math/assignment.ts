import { check } from '../errors.ts'
import { type MatrixLike, toMatrix } from './matrix.ts'

/** The cheapest pairing of rows with columns. */
export interface Assignment {
  /** Column of each row, −1 for a row left over (more rows than columns). */
  readonly columns: Int32Array
  readonly cost: number
}

/**
 * Pairs rows with columns at the least total cost: the Hungarian method by shortest augmenting paths with potentials,
 * O(min² · max). Rectangular matrices leave the longer side partly unpaired. Use it to match the labels of two
 * segmentations or two fitted models.
 *
 * ```ts
 * import { assign } from '@regimen/core/math'
 *
 * const { columns, cost } = assign([[4, 1, 3], [2, 0, 5], [3, 2, 2]])
 * Array.from(columns) // => [1, 0, 2]
 * cost // => 5
 * ```
 *
 * Reference: R. Jonker & A. Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment
 * problems", 1987.
 */
export function assign(costs: MatrixLike): Assignment {
  const matrix = toMatrix(costs, 'core/assign')
  for (let i = 0; i < matrix.data.length; i++)
    check(Number.isFinite(matrix.data[i]!), 'core/assign', () => `costs must be finite, got ${matrix.data[i]}.`)
  const flipped = matrix.rows > matrix.cols
  const n = Math.min(matrix.rows, matrix.cols)
  const m = Math.max(matrix.rows, matrix.cols)
  const costOf = (i: number, j: number) => (flipped ? matrix.data[j * n + i]! : matrix.data[i * m + j]!)
  // Rows and columns count from 1; column 0 is where the row being placed starts its path.
  const rowPotential = new Float64Array(n + 1)
  const columnPotential = new Float64Array(m + 1)
  const rowOf = new Int32Array(m + 1)
  const previous = new Int32Array(m + 1)
  const slack = new Float64Array(m + 1)
  const visited = new Uint8Array(m + 1)
  for (let row = 1; row <= n; row++) {
    rowOf[0] = row
    slack.fill(Number.POSITIVE_INFINITY)
    visited.fill(0)
    let column = 0
    do {
      visited[column] = 1
      const i = rowOf[column]!
      let step = Number.POSITIVE_INFINITY
      let nearest = 0
      for (let j = 1; j <= m; j++) {
        if (visited[j]) continue
        const reduced = costOf(i - 1, j - 1) - rowPotential[i]! - columnPotential[j]!
        if (reduced < slack[j]!) {
          slack[j] = reduced
          previous[j] = column
        }
        if (slack[j]! < step) {
          step = slack[j]!
          nearest = j
        }
      }
      for (let j = 0; j <= m; j++) {
        if (visited[j]) {
          rowPotential[rowOf[j]!]! += step
          columnPotential[j]! -= step
        } else slack[j]! -= step
      }
      column = nearest
    } while (rowOf[column] !== 0)
    while (column !== 0) {
      rowOf[column] = rowOf[previous[column]!]!
      column = previous[column]!
    }
  }
  const columns = new Int32Array(matrix.rows).fill(-1)
  let cost = 0
  for (let j = 1; j <= m; j++) {
    const i = rowOf[j]! - 1
    if (i < 0) continue
    cost += costOf(i, j - 1)
    if (flipped) columns[j - 1] = i
    else columns[i] = j - 1
  }
  return { columns, cost }
}
