import { check, describe } from '../errors.ts'
import { lgamma, stirlingTail } from './gamma.ts'
import { normalQuantile } from './normal.ts'

/**
 * Computes the regularized lower incomplete gamma function P(a, x) = γ(a, x)/Γ(a): the distribution function of a
 * gamma variate with shape a and scale 1.
 *
 * ```ts
 * import { gammaP } from '@regimen/core/math'
 *
 * gammaP(1, 2) // ≈ 0.86466471676
 * ```
 *
 * Reference: DLMF 8.7.1 and 8.9.2.
 */
export function gammaP(a: number, x: number): number {
  if (!valid(a, x)) return Number.NaN
  return x < a + 1 ? lowerSeries(a, x) : 1 - upperFraction(a, x)
}

/**
 * Computes the regularized upper incomplete gamma function Q(a, x) = 1 − P(a, x) without losing the tail.
 *
 * ```ts
 * import { gammaQ } from '@regimen/core/math'
 *
 * gammaQ(1, 50) // ≈ 1.92874984796e-22
 * ```
 *
 * Reference: DLMF 8.9.2.
 */
export function gammaQ(a: number, x: number): number {
  if (!valid(a, x)) return Number.NaN
  return x < a + 1 ? 1 - lowerSeries(a, x) : upperFraction(a, x)
}

/**
 * Inverts P(a, ·): the x with `gammaP(a, x) = p`. 0 gives 0 and 1 gives ∞.
 *
 * ```ts
 * import { gammaQuantile } from '@regimen/core/math'
 *
 * gammaQuantile(1, 0.5) // ≈ 0.69314718056
 * ```
 */
export function gammaQuantile(a: number, p: number): number {
  check(a > 0 && p >= 0 && p <= 1, 'core/gamma', () => `expected a > 0 and 0 ≤ p ≤ 1, got ${a} and ${describe(p)}.`)
  if (p === 0) return 0
  if (p === 1) return Number.POSITIVE_INFINITY
  // Newton's method on the logarithm of the smaller tail in u = ln x, where it is close to linear.
  const z = normalQuantile(p)
  const wilson = 1 - 1 / (9 * a) + z / (3 * Math.sqrt(a))
  const small = (Math.log(p) + lgamma(a + 1)) / a
  let u = a > 1 && wilson > 0.2 ? Math.log(a) + 3 * Math.log(wilson) : Math.min(small, Math.log(a + 40))
  const upper = p > 0.5
  const target = Math.log(upper ? 1 - p : p)
  let low = Number.NEGATIVE_INFINITY
  let high = Number.POSITIVE_INFINITY
  for (let i = 0; i < 100; i++) {
    const x = Math.exp(u)
    const tail = upper ? gammaQ(a, x) : gammaP(a, x)
    const gap = Math.log(tail) - target
    if (gap > 0 === upper) low = u
    else high = u
    const slope = (gammaKernel(a, x) / tail) * (upper ? -1 : 1)
    let next = u - gap / slope
    if (!(next > low && next < high) || !Number.isFinite(next)) {
      next = Number.isFinite(low) && Number.isFinite(high) ? (low + high) / 2 : u + (Number.isFinite(low) ? 1 : -1)
    }
    if (Math.abs(next - u) <= 1e-15 * Math.max(1, Math.abs(u))) return Math.exp(next)
    u = next
  }
  return Math.exp(u)
}

/**
 * Computes the upper tail of the χ² distribution: the p-value of a χ² statistic.
 *
 * ```ts
 * import { chiSquarePValue } from '@regimen/core/math'
 *
 * chiSquarePValue(5.991464547107979, 2) // ≈ 0.05
 * ```
 */
export function chiSquarePValue(statistic: number, df: number): number {
  return statistic <= 0 ? 1 : gammaQ(df / 2, statistic / 2)
}

/**
 * Inverts the χ² distribution function.
 *
 * ```ts
 * import { chiSquareQuantile } from '@regimen/core/math'
 *
 * chiSquareQuantile(0.95, 2) // ≈ 5.99146454711
 * ```
 */
export function chiSquareQuantile(p: number, df: number): number {
  return 2 * gammaQuantile(df / 2, p)
}

function valid(a: number, x: number): boolean {
  return a > 0 && x >= 0
}

/** x^a e^(−x)/Γ(a), by Loader's saddle-point form so that no digits cancel where a is large. */
export function gammaKernel(a: number, x: number): number {
  if (x === 0 || x === Number.POSITIVE_INFINITY) return 0
  if (a < 10) return Math.exp(a * Math.log(x) - x - lgamma(a))
  return Math.sqrt(a / (2 * Math.PI)) * Math.exp(-deviance(a, x) - stirlingTail(a))
}

/** a·ln(a/x) + x − a without cancellation near x = a: Loader's bd0. */
export function deviance(a: number, x: number): number {
  const d = a - x
  if (Math.abs(d) >= 0.1 * (a + x)) return a * Math.log(a / x) - d
  const v = d / (a + x)
  let sum = d * v
  let term = 2 * a * v
  for (let j = 3; ; j += 2) {
    term *= v * v
    const next = sum + term / j
    if (next === sum) return next
    sum = next
  }
}

function lowerSeries(a: number, x: number): number {
  if (x === 0) return 0
  let term = 1
  let sum = 1
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= x / (a + n)
    sum += term
  }
  return (gammaKernel(a, x) * sum) / a
}

/** Lentz's evaluation of the continued fraction. */
function upperFraction(a: number, x: number): number {
  if (x === Number.POSITIVE_INFINITY) return 0
  let b = x + 1 - a
  let c = 1e300
  let d = 1 / b
  let h = d
  for (let n = 1; n < 1e6; n++) {
    const factor = -n * (n - a)
    b += 2
    d = 1 / (factor * d + b)
    c = b + factor / c
    h *= d * c
    if (Math.abs(d * c - 1) < 1e-16) break
  }
  return gammaKernel(a, x) * h
}
