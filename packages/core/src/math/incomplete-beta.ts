import { check, describe } from '../errors.ts'
import { lbeta, stirlingTail } from './gamma.ts'
import { deviance } from './incomplete-gamma.ts'

/**
 * Computes the regularized incomplete beta function I_x(a, b): the distribution function of a beta variate.
 *
 * ```ts
 * import { betaI } from '@regimen/core/math'
 *
 * betaI(2, 3, 0.5) // ≈ 0.6875
 * ```
 *
 * Reference: DLMF 8.17.22.
 */
export function betaI(a: number, b: number, x: number): number {
  return betaTail(a, b, x, 1 - x)
}

/**
 * Inverts I_·(a, b): the x with `betaI(a, b, x) = p`.
 *
 * ```ts
 * import { betaQuantile } from '@regimen/core/math'
 *
 * betaQuantile(2, 3, 0.6875) // ≈ 0.5
 * ```
 */
export function betaQuantile(a: number, b: number, p: number): number {
  check(
    a > 0 && b > 0 && p >= 0 && p <= 1,
    'core/beta',
    () => `expected a > 0, b > 0 and 0 ≤ p ≤ 1, got ${a}, ${b} and ${describe(p)}.`,
  )
  return p === 0 || p === 1 ? p : 1 / (1 + Math.exp(-betaLogOdds(a, b, p, 1 - p)))
}

/**
 * Computes Student's t distribution function. The right tail is `studentTCdf(-t, df)`.
 *
 * ```ts
 * import { studentTCdf } from '@regimen/core/math'
 *
 * studentTCdf(1, 1) // ≈ 0.75
 * ```
 *
 * Reference: DLMF 8.17 with x = ν/(ν + t²).
 */
export function studentTCdf(t: number, df: number): number {
  if (!(df > 0) || Number.isNaN(t)) return Number.NaN
  const square = t * t
  if (square === Number.POSITIVE_INFINITY) return t < 0 ? 0 : 1
  const half = 0.5 * betaTail(df / 2, 0.5, df / (df + square), square / (df + square))
  return t <= 0 ? half : 1 - half
}

/**
 * Inverts Student's t distribution function. 0 and 1 give ∓∞.
 *
 * ```ts
 * import { studentTQuantile } from '@regimen/core/math'
 *
 * studentTQuantile(0.975, 10) // ≈ 2.2281388520
 * ```
 */
export function studentTQuantile(p: number, df: number): number {
  check(
    df > 0 && p >= 0 && p <= 1,
    'core/student',
    () => `expected df > 0 and 0 ≤ p ≤ 1, got ${df} and ${describe(p)}.`,
  )
  if (p === 0.5) return 0
  const tail = Math.min(p, 1 - p)
  if (tail === 0) return p === 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  // x = ν/(ν + t²), so t² = ν (1 − x)/x = ν e^(−log-odds).
  const size = Math.sqrt(df) * Math.exp(-0.5 * betaLogOdds(df / 2, 0.5, 2 * tail, 1 - 2 * tail))
  return p < 0.5 ? -size : size
}

/** I_x(a, b) with 1 − x given too, since the caller may know it better than by subtraction. */
function betaTail(a: number, b: number, x: number, y: number): number {
  if (!(a > 0 && b > 0 && x >= 0 && y >= 0)) return Number.NaN
  if (x === 0) return 0
  if (y === 0) return 1
  return x * (a + b + 2) < a + 1
    ? (betaKernel(a, b, x, y) * fraction(a, b, x)) / a
    : 1 - (betaKernel(a, b, x, y) * fraction(b, a, y)) / b
}

/** x^a y^b / B(a, b), by the saddle-point form where both are large. */
function betaKernel(a: number, b: number, x: number, y: number): number {
  if (Math.min(a, b) < 10) {
    const logX = x > 0.5 ? Math.log1p(-y) : Math.log(x)
    const logY = y > 0.5 ? Math.log1p(-x) : Math.log(y)
    return Math.exp(a * logX + b * logY - lbeta(a, b))
  }
  const n = a + b
  const exponent = stirlingTail(n) - stirlingTail(a) - stirlingTail(b) - deviance(a, n * x) - deviance(b, n * y)
  return Math.sqrt((a / n) * b * (1 / (2 * Math.PI))) * Math.exp(exponent)
}

/** Lentz's evaluation of the continued fraction of DLMF 8.17.22. */
function fraction(a: number, b: number, x: number): number {
  let c = 1
  let d = 1 / guard(1 - ((a + b) * x) / (a + 1))
  let h = d
  for (let m = 1; m < 1e6; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    d = 1 / guard(1 + even * d)
    c = guard(1 + even / c)
    h *= d * c
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    d = 1 / guard(1 + odd * d)
    c = guard(1 + odd / c)
    h *= d * c
    if (Math.abs(d * c - 1) < 1e-16) break
  }
  return h
}

function guard(value: number): number {
  return Math.abs(value) < 1e-300 ? 1e-300 : value
}

/** The u = ln(x/(1 − x)) with I_x(a, b) = p, by guarded Newton steps on the logarithm of the smaller tail. */
function betaLogOdds(a: number, b: number, p: number, q: number): number {
  const upper = p > q
  const target = Math.log(upper ? q : p)
  // Start from the leading power of the nearer end: p ≈ x^a/(a·B(a, b)).
  let u = upper ? -(Math.log(q * b) + lbeta(a, b)) / b : (Math.log(p * a) + lbeta(a, b)) / a
  const centre = Math.log(a / b)
  if (upper ? u < centre : u > centre) u = centre
  let low = Number.NEGATIVE_INFINITY
  let high = Number.POSITIVE_INFINITY
  for (let i = 0; i < 200; i++) {
    const x = 1 / (1 + Math.exp(-u))
    const y = 1 / (1 + Math.exp(u))
    const tail = upper ? betaTail(b, a, y, x) : betaTail(a, b, x, y)
    const gap = Math.log(tail) - target
    if (gap > 0 === upper) low = u
    else high = u
    // dx/du = x·y, hence dI/du = x^a y^b/B.
    const slope = (betaKernel(a, b, x, y) / tail) * (upper ? -1 : 1)
    let next = u - gap / slope
    if (!(next > low && next < high) || !Number.isFinite(next)) {
      next = Number.isFinite(low) && Number.isFinite(high) ? (low + high) / 2 : u + (Number.isFinite(low) ? 2 : -2)
    }
    if (Math.abs(next - u) <= 1e-15 * Math.max(1, Math.abs(u))) return next
    u = next
  }
  return u
}
