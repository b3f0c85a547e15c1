import { check, describe } from '../errors.ts'
import type { VectorLike } from './matrix.ts'

/**
 * Computes the p-quantile by linear interpolation of the order statistics (type 7: NumPy's and R's default) in linear
 * time; the input is copied, not sorted. For several quantiles at once see {@link quantiles}.
 *
 * ```ts
 * import { quantile } from '@regimen/core/math'
 *
 * quantile([4, 1, 3, 2], 0.5) // => 2.5
 * ```
 *
 * Reference: R. Hyndman & Y. Fan, "Sample quantiles in statistical packages", 1996.
 */
export function quantile(x: VectorLike, p: number): number {
  return quantileInPlace(Float64Array.from(x), p)
}

/**
 * Computes the p-quantile of x[0 … n) like {@link quantile}, reordering `x` instead of copying it.
 *
 * ```ts
 * import { quantileInPlace } from '@regimen/core/math'
 *
 * quantileInPlace(Float64Array.of(9, 7, 8), 1) // => 9
 * ```
 */
export function quantileInPlace(x: Float64Array, p: number, n: number = x.length): number {
  check(n >= 1, 'core/quantile', () => 'x must hold at least one number, got none.')
  check(p >= 0 && p <= 1, 'core/quantile', () => `p must lie in [0, 1], got ${describe(p)}.`)
  const position = p * (n - 1)
  const k = Math.floor(position)
  const lower = selectInPlace(x, k, n)
  if (position === k) return lower
  // Everything right of k is at least x[k]: the next order statistic is its minimum.
  let upper = x[k + 1]!
  for (let i = k + 2; i < n; i++) if (x[i]! < upper) upper = x[i]!
  return lower + (position - k) * (upper - lower)
}

/**
 * Computes several quantiles with one sort.
 *
 * ```ts
 * import { quantiles } from '@regimen/core/math'
 *
 * Array.from(quantiles([5, 1, 2, 4, 3], [0, 0.25, 1])) // => [1, 2, 5]
 * ```
 */
export function quantiles(x: VectorLike, ps: VectorLike): Float64Array {
  check(x.length >= 1, 'core/quantile', () => 'x must hold at least one number, got none.')
  const sorted = Float64Array.from(x).sort()
  return Float64Array.from(ps, (p) => {
    check(p >= 0 && p <= 1, 'core/quantile', () => `p must lie in [0, 1], got ${describe(p)}.`)
    const position = p * (sorted.length - 1)
    const k = Math.floor(position)
    return position === k ? sorted[k]! : sorted[k]! + (position - k) * (sorted[k + 1]! - sorted[k]!)
  })
}

/**
 * Computes the median.
 *
 * ```ts
 * import { median } from '@regimen/core/math'
 *
 * median([1, 100, 2]) // => 2
 * ```
 */
export function median(x: VectorLike): number {
  return quantile(x, 0.5)
}

/**
 * Finds the k-th smallest (from 0) of x[0 … n) in linear time on average, reordering so that nothing left of position k
 * is larger and nothing right of it smaller.
 *
 * ```ts
 * import { selectInPlace } from '@regimen/core/math'
 *
 * selectInPlace(Float64Array.of(30, 10, 20), 1) // => 20
 * ```
 *
 * Reference: C. A. R. Hoare, "Algorithm 65: find", 1961, with the median of three as pivot.
 */
export function selectInPlace(x: Float64Array, k: number, n: number = x.length): number {
  let left = 0
  let right = n - 1
  while (left < right) {
    const a = x[left]!
    const b = x[(left + right) >> 1]!
    const c = x[right]!
    const pivot = Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))
    if (Number.isNaN(pivot)) return Number.NaN
    let i = left
    let j = right
    while (i <= j) {
      while (x[i]! < pivot) i++
      while (x[j]! > pivot) j--
      if (i <= j) {
        const held = x[i]!
        x[i++] = x[j]!
        x[j--] = held
      }
    }
    if (k <= j) right = j
    else if (k >= i) left = i
    else break
  }
  return x[k]!
}

/**
 * Ranks from 1, equal values sharing their average rank.
 *
 * ```ts
 * import { ranks } from '@regimen/core/math'
 *
 * Array.from(ranks([10, 30, 10])) // => [1.5, 3, 1.5]
 * ```
 */
export function ranks(x: VectorLike): Float64Array {
  const n = x.length
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((i, j) => x[i]! - x[j]!)
  const out = new Float64Array(n)
  for (let start = 0; start < n; ) {
    let end = start + 1
    while (end < n && x[order[end]!] === x[order[start]!]) end++
    for (let i = start; i < end; i++) out[order[i]!] = (start + end + 1) / 2
    start = end
  }
  return out
}

/**
 * Computes Pearson's correlation; NaN where one side is constant.
 *
 * ```ts
 * import { correlation } from '@regimen/core/math'
 *
 * correlation([1, 2, 3], [2, 4, 6]) // ≈ 1
 * ```
 */
export function correlation(x: VectorLike, y: VectorLike): number {
  const n = x.length
  check(y.length === n, 'core/correlation', () => `both sides must have one length, got ${n} and ${y.length}.`)
  let mx = 0
  let my = 0
  let sxx = 0
  let syy = 0
  let sxy = 0
  for (let i = 0; i < n; i++) {
    const dx = x[i]! - mx
    const dy = y[i]! - my
    mx += dx / (i + 1)
    my += dy / (i + 1)
    sxx += dx * (x[i]! - mx)
    syy += dy * (y[i]! - my)
    sxy += dx * (y[i]! - my)
  }
  return sxx > 0 && syy > 0 ? Math.max(-1, Math.min(1, sxy / Math.sqrt(sxx * syy))) : Number.NaN
}

/**
 * Computes Spearman's rank correlation, ties by average rank.
 *
 * ```ts
 * import { spearman } from '@regimen/core/math'
 *
 * spearman([1, 2, 3], [1, 10, 100]) // ≈ 1
 * ```
 */
export function spearman(x: VectorLike, y: VectorLike): number {
  return correlation(ranks(x), ranks(y))
}
