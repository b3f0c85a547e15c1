import { check } from '../errors.ts'
import type { Rng } from '../rng.ts'
import type { VectorLike } from './matrix.ts'
import { mean } from './sums.ts'

/**
 * Computes the autocorrelations of lags 0 … `lags` (the biased estimate, whose matrix is positive semidefinite). A
 * constant series has 1 at lag 0 and 0 elsewhere.
 *
 * ```ts
 * import { autocorrelation } from '@regimen/core/math'
 *
 * Array.from(autocorrelation([1, -1, 1, -1], 2)) // => [1, -0.75, 0.5]
 * ```
 *
 * Reference: Box & Jenkins, Time Series Analysis, §2.1.
 */
export function autocorrelation(x: VectorLike, lags: number): Float64Array {
  const n = x.length
  check(
    Number.isInteger(lags) && lags >= 0 && lags < n,
    'core/autocorrelation',
    () => `lags must be an integer from 0 to ${n - 1}, got ${lags}.`,
  )
  const centre = mean(x)
  const d = Float64Array.from(x, (value) => value - centre)
  const out = new Float64Array(lags + 1)
  for (let lag = 0; lag <= lags; lag++) {
    let total = 0
    for (let i = lag; i < n; i++) total += d[i]! * d[i - lag]!
    out[lag] = lag === 0 ? total : out[0]! > 0 ? total / out[0]! : 0
  }
  out[0] = 1
  return out
}

/**
 * Draws the indices of one stationary bootstrap of a series of n: blocks of geometric length with the given mean,
 * wrapped around the end, so that the resampled series keeps its dependence and is itself stationary. A mean block of
 * 1 is the ordinary bootstrap. Writes into `out` if given.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { stationaryBootstrap } from '@regimen/core/math'
 *
 * stationaryBootstrap(100, 10, createRng(1)).length // => 100
 * ```
 *
 * Reference: D. Politis & J. Romano, "The stationary bootstrap", 1994.
 */
export function stationaryBootstrap(
  n: number,
  meanBlock: number,
  rng: Rng,
  out: Int32Array = new Int32Array(n),
): Int32Array {
  check(meanBlock >= 1, 'core/bootstrap', () => `meanBlock must be at least 1, got ${meanBlock}.`)
  let at = 0
  for (let i = 0; i < out.length; i++) {
    at = i === 0 || rng.uniform() * meanBlock < 1 ? rng.int(0, n) : at + 1 === n ? 0 : at + 1
    out[i] = at
  }
  return out
}
