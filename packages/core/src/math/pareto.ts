import { check } from '../errors.ts'
import { type MatrixLike, toMatrix } from './matrix.ts'

/**
 * Says whether point `i` of a row-major array of m objectives each, all minimized, dominates point `j`: no worse in
 * any objective and better in one. NaN dominates nothing and is dominated by nothing.
 *
 * ```ts
 * import { dominates } from '@regimen/core/math'
 *
 * dominates(Float64Array.of(1, 2, 1, 3), 2, 0, 1) // => true
 * ```
 */
export function dominates(points: Float64Array, m: number, i: number, j: number): boolean {
  let better = false
  for (let k = 0; k < m; k++) {
    const a = points[i * m + k]!
    const b = points[j * m + k]!
    if (!(a <= b)) return false
    if (a < b) better = true
  }
  return better
}

/**
 * Sorts points (rows; all objectives minimized) into fronts: the returned rank is 0 for points that nothing dominates,
 * 1 for those that only rank 0 dominates, and so on. Two objectives take O(n log n), more take O(m·n²).
 *
 * ```ts
 * import { nonDominatedSort } from '@regimen/core/math'
 *
 * Array.from(nonDominatedSort([[1, 4], [2, 2], [3, 3], [4, 1]])) // => [0, 0, 1, 0]
 * ```
 *
 * Reference: K. Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", 2002; for two objectives
 * M. T. Jensen, "Reducing the run-time complexity of multiobjective EAs", 2003.
 */
export function nonDominatedSort(points: MatrixLike): Int32Array {
  const { rows: n, cols: m, data } = toMatrix(points, 'core/pareto')
  for (let i = 0; i < data.length; i++)
    check(
      !Number.isNaN(data[i]!),
      'core/pareto',
      () => `objectives must be numbers, got NaN in row ${Math.floor(i / m)}.`,
    )
  return m === 2 ? sweepFronts(data, n) : peelFronts(data, n, m)
}

/** In order of (f₁, f₂) a point belongs to the first front whose last f₂ is above its own. */
function sweepFronts(data: Float64Array, n: number): Int32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort(
    (i, j) => data[2 * i]! - data[2 * j]! || data[2 * i + 1]! - data[2 * j + 1]! || i - j,
  )
  const rank = new Int32Array(n)
  const last = new Float64Array(n)
  let fronts = 0
  for (let at = 0; at < n; at++) {
    const i = order[at]!
    const f = data[2 * i + 1]!
    const before = at > 0 ? order[at - 1]! : i
    if (at > 0 && data[2 * before] === data[2 * i] && data[2 * before + 1] === f) {
      rank[i] = rank[before]!
      continue
    }
    let low = 0
    let high = fronts
    while (low < high) {
      const middle = (low + high) >> 1
      if (last[middle]! > f) high = middle
      else low = middle + 1
    }
    rank[i] = low
    last[low] = f
    if (low === fronts) fronts++
  }
  return rank
}

/** In lexicographic order nothing dominates an earlier point, so a rank is one above the highest dominating rank. */
function peelFronts(data: Float64Array, n: number, m: number): Int32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((i, j) => {
    for (let k = 0; k < m; k++) {
      const difference = data[i * m + k]! - data[j * m + k]!
      if (difference !== 0) return difference
    }
    return i - j
  })
  const rank = new Int32Array(n)
  for (let at = 0; at < n; at++) {
    const i = order[at]!
    let highest = -1
    for (let b = 0; b < at; b++) {
      const j = order[b]!
      if (rank[j]! > highest && dominates(data, m, j, i)) highest = rank[j]!
    }
    rank[i] = highest + 1
  }
  return rank
}

/**
 * Filters the rows that no other row dominates (all objectives minimized); equal rows all stay. Returns their indices
 * in order.
 *
 * ```ts
 * import { paretoFilter } from '@regimen/core/math'
 *
 * Array.from(paretoFilter([[1, 4], [2, 2], [3, 3], [4, 1]])) // => [0, 1, 3]
 * ```
 */
export function paretoFilter(points: MatrixLike): Int32Array {
  const rank = nonDominatedSort(points)
  const kept: number[] = []
  for (let i = 0; i < rank.length; i++) if (rank[i] === 0) kept.push(i)
  return Int32Array.from(kept)
}

/**
 * Computes NSGA-II's crowding distance within one front: the sum over objectives of the gap between a point's
 * neighbours, relative to the objective's range. End points get ∞; an objective without range adds nothing.
 *
 * ```ts
 * import { crowdingDistance } from '@regimen/core/math'
 *
 * Array.from(crowdingDistance([[0, 4], [1, 2], [4, 0]])) // => [Infinity, 2, Infinity]
 * ```
 *
 * Reference: K. Deb et al., 2002, §III-B.
 */
export function crowdingDistance(front: MatrixLike): Float64Array {
  const { rows: n, cols: m, data } = toMatrix(front, 'core/pareto')
  const distance = new Float64Array(n)
  const order = Uint32Array.from({ length: n }, (_, i) => i)
  for (let k = 0; k < m; k++) {
    order.sort((i, j) => data[i * m + k]! - data[j * m + k]! || i - j)
    const range = n === 0 ? 0 : data[order[n - 1]! * m + k]! - data[order[0]! * m + k]!
    if (!(range > 0 && Number.isFinite(range))) continue
    distance[order[0]!] = Number.POSITIVE_INFINITY
    distance[order[n - 1]!] = Number.POSITIVE_INFINITY
    for (let at = 1; at < n - 1; at++) {
      distance[order[at]!]! += (data[order[at + 1]! * m + k]! - data[order[at - 1]! * m + k]!) / range
    }
  }
  return distance
}
