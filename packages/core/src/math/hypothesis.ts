import { check } from '../errors.ts'
import { studentTCdf } from './incomplete-beta.ts'
import type { VectorLike } from './matrix.ts'
import { normalCdf } from './normal.ts'
import { ranks } from './quantile.ts'
import { mean, variance } from './sums.ts'

/** A test statistic with its two-sided p-value. */
export interface TestResult {
  readonly statistic: number
  readonly pValue: number
}

/**
 * Tests whether paired differences x − y have mean zero by Student's t (two-sided). Needs roughly normal differences;
 * else take {@link wilcoxon}. Without spread the p-value is 1 for equal samples and 0 otherwise.
 *
 * ```ts
 * import { pairedT } from '@regimen/core/math'
 *
 * pairedT([2, 4, 6], [1, 2, 3]).statistic // ≈ 3.4641016151
 * ```
 */
export function pairedT(x: VectorLike, y: VectorLike): TestResult {
  const d = differences(x, y, 'core/paired-t')
  const n = d.length
  check(n >= 2, 'core/paired-t', () => `needs at least 2 pairs, got ${n}.`)
  const centre = mean(d)
  const error = Math.sqrt(variance(d) / n)
  if (error === 0) {
    return centre === 0
      ? { statistic: 0, pValue: 1 }
      : { statistic: Math.sign(centre) * Number.POSITIVE_INFINITY, pValue: 0 }
  }
  const statistic = centre / error
  return { statistic, pValue: 2 * studentTCdf(-Math.abs(statistic), n - 1) }
}

/**
 * Tests whether paired differences x − y are symmetric about zero by Wilcoxon's signed ranks (two-sided). Zero
 * differences are dropped. Exact for up to 50 pairs without ties (by counting subsets of ranks), else by the normal
 * approximation with correction for ties, without continuity correction. The statistic is the smaller rank sum.
 *
 * ```ts
 * import { wilcoxon } from '@regimen/core/math'
 *
 * wilcoxon([1, 2, 3, 4, 5], [0, 0, 0, 0, 0]).pValue // => 0.0625
 * ```
 *
 * Reference: F. Wilcoxon, "Individual comparisons by ranking methods", 1945.
 */
export function wilcoxon(x: VectorLike, y: VectorLike): TestResult {
  const d = differences(x, y, 'core/wilcoxon').filter((value) => value !== 0)
  const n = d.length
  if (n === 0) return { statistic: 0, pValue: 1 }
  const sizes = d.map(Math.abs)
  const rank = ranks(sizes)
  let plus = 0
  for (let i = 0; i < n; i++) if (d[i]! > 0) plus += rank[i]!
  const total = (n * (n + 1)) / 2
  const statistic = Math.min(plus, total - plus)
  const sorted = sizes.slice().sort()
  let tied = 0
  for (let start = 0; start < n; ) {
    let end = start + 1
    while (end < n && sorted[end] === sorted[start]) end++
    tied += (end - start) ** 3 - (end - start)
    start = end
  }
  if (n <= 50 && tied === 0) return { statistic, pValue: Math.min(1, 2 * exactTail(n, statistic)) }
  const spread = Math.sqrt((n * (n + 1) * (2 * n + 1)) / 24 - tied / 48)
  return { statistic, pValue: Math.min(1, 2 * normalCdf((statistic - total / 2) / spread)) }
}

/** P(W ≤ w) where W sums a random subset of 1 … n: subsets by sum, counted like coins. */
function exactTail(n: number, w: number): number {
  const chance = new Float64Array(w + 1)
  chance[0] = 1
  for (let rank = 1; rank <= n; rank++) {
    for (let s = w; s >= 0; s--) chance[s] = 0.5 * (chance[s]! + (s >= rank ? chance[s - rank]! : 0))
  }
  return chance.reduce((total, p) => total + p, 0)
}

/**
 * Adjusts p-values for many tests by Holm's step-down method: reject where the adjusted value is below α and the
 * chance of any false rejection stays below α, whatever the dependence. Never weaker than Bonferroni.
 *
 * ```ts
 * import { holm } from '@regimen/core/math'
 *
 * Array.from(holm([0.01, 0.04, 0.02])) // => [0.03, 0.04, 0.04]
 * ```
 *
 * Reference: S. Holm, "A simple sequentially rejective multiple test procedure", 1979.
 */
export function holm(pValues: VectorLike): Float64Array {
  const n = pValues.length
  for (let i = 0; i < n; i++)
    check(
      pValues[i]! >= 0 && pValues[i]! <= 1,
      'core/holm',
      () => `p-values must lie in [0, 1], got ${pValues[i]} at ${i}.`,
    )
  const order = Uint32Array.from({ length: n }, (_, i) => i).sort((i, j) => pValues[i]! - pValues[j]! || i - j)
  const adjusted = new Float64Array(n)
  let highest = 0
  for (let k = 0; k < n; k++) {
    highest = Math.min(1, Math.max(highest, (n - k) * pValues[order[k]!]!))
    adjusted[order[k]!] = highest
  }
  return adjusted
}

function differences(x: VectorLike, y: VectorLike, where: string): Float64Array {
  check(x.length === y.length, where, () => `both samples must have one length, got ${x.length} and ${y.length}.`)
  return Float64Array.from(x, (value, i) => {
    const d = value - y[i]!
    check(Number.isFinite(d), where, () => `samples must be finite, got ${value} and ${y[i]} at ${i}.`)
    return d
  })
}
