import { check } from '../errors.ts'
import type { Dense, VectorLike } from './matrix.ts'

/** Weighted moments of a stream up to the fourth: plain data, so it may sit in a model's state. */
export interface Moments {
  /** Sum of the weights; the count where all are 1. */
  weight: number
  mean: number
  /** Σ w (x − mean)², and the third and fourth likewise. */
  m2: number
  m3: number
  m4: number
  min: number
  max: number
}

/**
 * Opens empty running moments, to be fed by {@link addMoment} and joined by {@link mergeMoments}.
 *
 * ```ts
 * import { addMoment, createMoments, momentSummary } from '@regimen/core/math'
 *
 * const moments = createMoments()
 * for (const x of [1, 2, 3, 4]) addMoment(moments, x)
 * moments.mean // => 2.5
 * momentSummary(moments).variance // ≈ 1.6666666666666667
 * ```
 */
export function createMoments(): Moments {
  return { weight: 0, mean: 0, m2: 0, m3: 0, m4: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY }
}

/**
 * Adds one value of the given weight in constant time and without cancellation (Welford's update).
 *
 * ```ts
 * import { addMoment, createMoments } from '@regimen/core/math'
 *
 * const moments = createMoments()
 * addMoment(moments, 10, 3)
 * addMoment(moments, 14)
 * moments.mean // => 11
 * ```
 *
 * Reference: P. Pébay, "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
 * statistical moments", 2008.
 */
export function addMoment(into: Moments, x: number, weight = 1): void {
  if (weight === 0) return
  join(into, weight, x, 0, 0, 0)
  if (x < into.min) into.min = x
  if (x > into.max) into.max = x
}

/**
 * Joins the moments of another stretch or worker into `into`: the result is as if one had seen all values.
 *
 * ```ts
 * import { addMoment, createMoments, mergeMoments } from '@regimen/core/math'
 *
 * const a = createMoments()
 * const b = createMoments()
 * addMoment(a, 1)
 * addMoment(b, 3)
 * mergeMoments(a, b)
 * a.mean // => 2
 * ```
 */
export function mergeMoments(into: Moments, from: Moments): void {
  if (from.weight === 0) return
  join(into, from.weight, from.mean, from.m2, from.m3, from.m4)
  into.min = Math.min(into.min, from.min)
  into.max = Math.max(into.max, from.max)
}

function join(into: Moments, w: number, mean: number, m2: number, m3: number, m4: number): void {
  const v = into.weight
  const total = v + w
  const d = mean - into.mean
  const dn = d / total
  const cross = d * dn * v * w
  into.m4 +=
    m4 +
    cross * dn * dn * (v * v - v * w + w * w) +
    6 * dn * dn * (v * v * m2 + w * w * into.m2) +
    4 * dn * (v * m3 - w * into.m3)
  into.m3 += m3 + cross * dn * (v - w) + 3 * dn * (v * m2 - w * into.m2)
  into.m2 += m2 + cross
  into.mean += dn * w
  into.weight = total
}

/**
 * Reads variance (unbiased), standard deviation, skewness and excess kurtosis (both of the population) off running
 * moments. A constant stream has skewness and kurtosis 0.
 *
 * ```ts
 * import { addMoment, createMoments, momentSummary } from '@regimen/core/math'
 *
 * const moments = createMoments()
 * for (const x of [0, 0, 0, 4]) addMoment(moments, x)
 * momentSummary(moments).deviation // => 2
 * ```
 */
export function momentSummary(moments: Moments): {
  mean: number
  variance: number
  deviation: number
  skewness: number
  kurtosis: number
} {
  const { weight, mean, m2, m3, m4 } = moments
  const variance = weight > 1 ? m2 / (weight - 1) : 0
  return {
    mean,
    variance,
    deviation: Math.sqrt(variance),
    skewness: m2 > 0 ? (Math.sqrt(weight) * m3) / m2 ** 1.5 : 0,
    kurtosis: m2 > 0 ? (weight * m4) / (m2 * m2) - 3 : 0,
  }
}

/** Weighted mean vector and scatter matrix of a stream: plain data. */
export interface RunningCovariance {
  readonly n: number
  weight: number
  readonly mean: Float64Array
  /** Σ w (x − mean)(x − mean)ᵀ, n × n row-major. */
  readonly scatter: Float64Array
}

/**
 * Opens an empty running covariance of n variables.
 *
 * ```ts
 * import { addCovariance, covarianceOf, createCovariance } from '@regimen/core/math'
 *
 * const running = createCovariance(2)
 * for (const row of [[1, 2], [3, 6]]) addCovariance(running, row)
 * Array.from(covarianceOf(running).data) // => [2, 4, 4, 8]
 * ```
 */
export function createCovariance(n: number): RunningCovariance {
  check(Number.isInteger(n) && n >= 1, 'core/covariance', () => `n must be an integer from 1, got ${n}.`)
  return { n, weight: 0, mean: new Float64Array(n), scatter: new Float64Array(n * n) }
}

/**
 * Adds one row of the given weight (Welford's update, n²/2 operations, nothing allocated). A `decay` below 1 first
 * fades all that came before: exponentially weighted covariance with a half-life of ln ½ / ln decay rows.
 *
 * ```ts
 * import { addCovariance, createCovariance } from '@regimen/core/math'
 *
 * const running = createCovariance(1)
 * addCovariance(running, [0])
 * addCovariance(running, [3], 1, 0.5)
 * running.mean[0] // => 2
 * ```
 */
export function addCovariance(into: RunningCovariance, x: VectorLike, weight = 1, decay = 1): void {
  const { n, mean, scatter } = into
  const before = into.weight * decay
  const total = before + weight
  if (total === 0) return
  const factor = (before * weight) / total
  for (let i = 0; i < n; i++) {
    const di = x[i]! - mean[i]!
    for (let j = 0; j <= i; j++) {
      const value = scatter[i * n + j]! * decay + factor * di * (x[j]! - mean[j]!)
      scatter[i * n + j] = value
      scatter[j * n + i] = value
    }
  }
  for (let i = 0; i < n; i++) mean[i]! += ((x[i]! - mean[i]!) * weight) / total
  into.weight = total
}

/**
 * Joins another running covariance into `into`.
 *
 * ```ts
 * import { addCovariance, createCovariance, mergeCovariance } from '@regimen/core/math'
 *
 * const a = createCovariance(1)
 * const b = createCovariance(1)
 * addCovariance(a, [1])
 * addCovariance(b, [5])
 * mergeCovariance(a, b)
 * a.scatter[0] // => 8
 * ```
 */
export function mergeCovariance(into: RunningCovariance, from: RunningCovariance): void {
  check(into.n === from.n, 'core/covariance', () => `both must have ${into.n} variables, got ${from.n}.`)
  const { n, mean, scatter } = into
  const total = into.weight + from.weight
  if (total === 0) return
  const factor = (into.weight * from.weight) / total
  for (let i = 0; i < n; i++) {
    const di = from.mean[i]! - mean[i]!
    for (let j = 0; j < n; j++) {
      scatter[i * n + j]! += from.scatter[i * n + j]! + factor * di * (from.mean[j]! - mean[j]!)
    }
  }
  for (let i = 0; i < n; i++) mean[i]! += ((from.mean[i]! - mean[i]!) * from.weight) / total
  into.weight = total
}

/**
 * Reads the covariance matrix off a running covariance, divided by weight − `ddof`.
 *
 * ```ts
 * import { addCovariance, covarianceOf, createCovariance } from '@regimen/core/math'
 *
 * const running = createCovariance(1)
 * for (const x of [1, 3]) addCovariance(running, [x])
 * covarianceOf(running, 0).data[0] // => 1
 * ```
 */
export function covarianceOf(running: RunningCovariance, ddof = 1): Dense {
  const { n, weight, scatter } = running
  check(weight > ddof, 'core/covariance', () => `the weight must exceed ddof ${ddof}, got ${weight}.`, 'Add more rows.')
  return { rows: n, cols: n, data: scatter.map((value) => value / (weight - ddof)) }
}
