import { check, createRng, describe } from '@regimen/core'
import { quantile } from '@regimen/core/math'
import { stationaryRows } from '../simulate/block-bootstrap.ts'

/** Options of {@link bootstrapInterval}. */
export interface BootstrapIntervalOptions {
  /** What to compute on each sample, for example {@link sharpe}. */
  statistic: (returns: Float64Array) => number
  /** Same seed, same interval. @default 0 */
  seed?: number | string
  /** Number of samples. From 10. @default 1000 */
  samples?: number
  /** Share of samples inside the interval. Between 0 and 1. @default 0.95 */
  level?: number
  /** Mean length of a block in rows. From 1. @default the cube root of the number of rows, rounded up */
  meanBlock?: number
}

/** Result of {@link bootstrapInterval}. */
export interface BootstrapInterval {
  /** The statistic of the series itself. */
  readonly value: number
  readonly low: number
  readonly high: number
  /** Deviation of the statistic over the samples. */
  readonly standardError: number
}

/**
 * Computes a percentile confidence interval of any statistic by the stationary block bootstrap, which keeps the
 * short-range dependence of returns. Use it beside every ratio that is shown to a person: five years of daily returns
 * leave a Sharpe ratio uncertain by about ± 0.9.
 *
 * ```ts
 * import { bootstrapInterval, sharpe, simulate } from '@regimen/market'
 *
 * const { returns } = simulate('no-regimes-daily', { bars: 500, seed: 2 })
 * const { low, value, high } = bootstrapInterval(returns, { statistic: (r) => sharpe(r), samples: 200 })
 * low < value && value < high // => true
 * ```
 *
 * Reference: Politis and Romano, "The Stationary Bootstrap", JASA 89 (1994).
 */
export function bootstrapInterval(returns: ArrayLike<number>, options: BootstrapIntervalOptions): BootstrapInterval {
  const where = 'market/bootstrap-interval'
  const n = returns.length
  check(n >= 2, where, () => `returns must hold at least 2 values, got ${n}.`)
  const { statistic, seed = 0, samples = 1000, level = 0.95, meanBlock = Math.ceil(Math.cbrt(n)) } = options
  check(
    Number.isInteger(samples) && samples >= 10,
    where,
    () => `samples must be a whole number from 10, got ${describe(samples)}.`,
  )
  check(level > 0 && level < 1, where, () => `level must lie between 0 and 1, got ${describe(level)}.`)
  check(meanBlock >= 1, where, () => `meanBlock must be 1 or more, got ${describe(meanBlock)}.`)
  const value = statistic(Float64Array.from(returns))
  check(Number.isFinite(value), where, () => `statistic must be finite on the series, got ${describe(value)}.`)
  const rng = createRng(seed)
  const rows = new Int32Array(n)
  const sample = new Float64Array(n)
  const values = new Float64Array(samples)
  for (let b = 0; b < samples; b++) {
    stationaryRows(n, n, meanBlock, rng, rows)
    for (let i = 0; i < n; i++) sample[i] = returns[rows[i]!]!
    values[b] = statistic(sample)
  }
  let mean = 0
  for (const v of values) mean += v / samples
  let squares = 0
  for (const v of values) squares += (v - mean) ** 2
  return {
    value,
    low: quantile(values, (1 - level) / 2),
    high: quantile(values, (1 + level) / 2),
    standardError: Math.sqrt(squares / (samples - 1)),
  }
}
