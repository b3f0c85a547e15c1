import { check } from '../errors.ts'
import type { VectorLike } from './matrix.ts'

/**
 * Computes ln Σ exp(xᵢ) over x[start … end) without overflow or underflow. −∞ entries count as zero mass; an empty
 * or all −∞ range gives −∞.
 *
 * ```ts
 * import { logSumExp } from '@regimen/core/math'
 *
 * logSumExp([-1000, -1000]) // ≈ -999.3068528194401
 * ```
 */
export function logSumExp(x: VectorLike, start = 0, end: number = x.length): number {
  let top = Number.NEGATIVE_INFINITY
  for (let i = start; i < end; i++) {
    const value = x[i]!
    if (value > top) top = value
    else if (Number.isNaN(value)) return Number.NaN
  }
  if (!Number.isFinite(top)) return top
  let total = 0
  for (let i = start; i < end; i++) total += Math.exp(x[i]! - top)
  return top + Math.log(total)
}

/**
 * Computes ln(exp(a) + exp(b)) without overflow.
 *
 * ```ts
 * import { logAddExp } from '@regimen/core/math'
 *
 * logAddExp(0, 0) // ≈ 0.6931471805599453
 * ```
 */
export function logAddExp(a: number, b: number): number {
  const top = Math.max(a, b)
  if (!Number.isFinite(top)) return top
  return top + Math.log1p(Math.exp(-Math.abs(a - b)))
}

/**
 * Turns scores into probabilities, exp(xᵢ/T) / Σ exp(xⱼ/T), into `out` if given (which may be `x`).
 *
 * ```ts
 * import { softmax } from '@regimen/core/math'
 *
 * Array.from(softmax([1000, 1000])) // => [0.5, 0.5]
 * ```
 */
export function softmax(x: VectorLike, out: Float64Array = new Float64Array(x.length), temperature = 1): Float64Array {
  check(temperature > 0, 'core/softmax', () => `temperature must be above 0, got ${temperature}.`)
  const n = x.length
  let top = Number.NEGATIVE_INFINITY
  for (let i = 0; i < n; i++) if (x[i]! > top) top = x[i]!
  check(n === 0 || Number.isFinite(top), 'core/softmax', () => `the largest score must be finite, got ${top}.`)
  let total = 0
  for (let i = 0; i < n; i++) total += out[i] = Math.exp((x[i]! - top) / temperature)
  for (let i = 0; i < n; i++) out[i]! /= total
  return out
}
