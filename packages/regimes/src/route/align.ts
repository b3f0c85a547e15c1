import { check } from '@regimen/core'
import { assign, type MatrixLike, toMatrix } from '@regimen/core/math'

/**
 * Matches the states of a refitted model with those of the one before, so that "state 2" keeps its meaning: the permutation
 * that minimizes the summed squared distance between the states' descriptions (means, deviations, …; one row a state), by the
 * Hungarian algorithm. `order[i]` is the new model's state that continues the old state i.
 *
 * ```ts
 * import { alignStates } from '@regimen/regimes'
 *
 * alignStates([[0, 1], [5, 2]], [[5.2, 2.1], [-0.1, 0.9]]) // => [1, 0]
 * ```
 *
 * Reference: Kuhn, Nav. Res. Logist. 2 (1955).
 */
export function alignStates(before: MatrixLike, after: MatrixLike): number[] {
  const where = 'regimes/align'
  const a = toMatrix(before, where)
  const b = toMatrix(after, where)
  check(
    a.rows === b.rows && a.cols === b.cols,
    where,
    () => `both models need the same shape, got ${a.rows} × ${a.cols} and ${b.rows} × ${b.cols}.`,
  )
  // Columns on different scales must not outweigh each other.
  const scale = Array.from({ length: a.cols }, (_, j) => {
    let mean = 0
    let square = 0
    for (let i = 0; i < a.rows; i++) {
      mean += a.data[i * a.cols + j]! / a.rows
      square += a.data[i * a.cols + j]! ** 2 / a.rows
    }
    return Math.max(square - mean * mean, 1e-12 * square, 1e-300)
  })
  const costs = Array.from({ length: a.rows }, (_, i) =>
    Array.from({ length: b.rows }, (_v, o) => {
      let cost = 0
      for (let j = 0; j < a.cols; j++) cost += (a.data[i * a.cols + j]! - b.data[o * a.cols + j]!) ** 2 / scale[j]!
      return cost
    }),
  )
  return Array.from(assign(costs).columns)
}
