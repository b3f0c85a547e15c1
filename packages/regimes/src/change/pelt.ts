import { check, describe } from '@regimen/core'
import { checkCount, type Observations, toObservations } from '../observations.ts'

/** Options of {@link hindsightChangePoints}. */
export interface PeltOptions {
  /** `mean`: Σ (x − mean)²; `normal`: n ln variance, which sees changes of mean and of variance. @default 'mean' */
  cost?: 'mean' | 'normal'
  /** Price of a change point in the cost's units, from 0; for `mean` in units of the noise variance times a few ln n. */
  penalty: number
  /** Shortest segment, from 1 (2 for `normal`). @default 2 */
  minimum?: number
}

/**
 * Finds the change points that minimize Σ cost(segment) + penalty · changes exactly, by pruned dynamic programming (PELT) over
 * every index. It looks ahead; for a stream use `openCusum` or `bayesianChangePoints`. Returns the first row of each
 * segment but the first.
 *
 * ```ts
 * import { hindsightChangePoints } from '@regimen/regimes'
 *
 * hindsightChangePoints([0, 0, 0, 0, 5, 5, 5, 1, 1, 1], { penalty: 1 }) // => [4, 7]
 * ```
 *
 * Reference: Killick, Fearnhead and Eckley, JASA 107 (2012).
 */
export function hindsightChangePoints(observations: Observations, options: PeltOptions): number[] {
  const where = 'regimes/pelt'
  const { cost: kind = 'mean', penalty, minimum = 2 } = options
  const { rows: n, cols: d, data: x } = toObservations(observations, where)
  check(
    penalty >= 0 && Number.isFinite(penalty),
    where,
    () => `penalty must be finite and at least 0, got ${describe(penalty)}.`,
  )
  checkCount(minimum, 'minimum', where, kind === 'normal' ? 2 : 1, n)
  const centre = new Float64Array(d)
  for (let t = 0; t < n; t++) for (let j = 0; j < d; j++) centre[j]! += x[t * d + j]! / n
  const sums = new Float64Array((n + 1) * d)
  const squares = new Float64Array((n + 1) * d)
  for (let t = 0; t < n; t++)
    for (let j = 0; j < d; j++) {
      const value = x[t * d + j]! - centre[j]!
      sums[(t + 1) * d + j] = sums[t * d + j]! + value
      squares[(t + 1) * d + j] = squares[t * d + j]! + value * value
    }
  const least = Array.from({ length: d }, (_, j) => 1e-12 * (squares[n * d + j]! / n) + 1e-300)
  const cost = (from: number, to: number): number => {
    const length = to - from
    let total = 0
    for (let j = 0; j < d; j++) {
      const s = sums[to * d + j]! - sums[from * d + j]!
      const scatter = Math.max(0, squares[to * d + j]! - squares[from * d + j]! - (s * s) / length)
      total += kind === 'mean' ? scatter : length * Math.log(Math.max(scatter / length, least[j]!))
    }
    return total
  }
  const best = new Float64Array(n + 1).fill(Number.POSITIVE_INFINITY)
  const last = new Int32Array(n + 1)
  best[0] = -penalty
  let candidates: number[] = []
  for (let t = minimum; t <= n; t++) {
    if (t - minimum === 0 || t - minimum >= minimum) candidates.push(t - minimum)
    for (const s of candidates) {
      const value = best[s]! + cost(s, t) + penalty
      if (value < best[t]!) {
        best[t] = value
        last[t] = s
      }
    }
    candidates = candidates.filter((s) => best[s]! + cost(s, t) <= best[t]!)
  }
  const changes: number[] = []
  for (let t = last[n]!; t > 0; t = last[t]!) changes.push(t)
  return changes.reverse()
}
