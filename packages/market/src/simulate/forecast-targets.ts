import { check, describe } from '@regimen/core'

/** Options of {@link forecastTargets}. */
export interface ForecastTargetsOptions {
  /** Bars in a year, to judge forecasts by their annual Sharpe ratio. Above 0. */
  barsPerYear: number
  /** Annual Sharpe ratio of the forecast at which the position is full. Above 0. @default 2 */
  fullAt?: number
  /** Annual deviation of the full position. Above 0. @default 0.15 */
  risk?: number
  /** Largest position as a fraction of equity. Above 0. @default 1 */
  maxPosition?: number
  /** The position is kept while the wanted one differs by no more than this fraction of the full one. 0 or more. @default 0.25 */
  band?: number
  /**
   * Bars over which mean and variance are averaged exponentially before they are judged. On intraday bars a day, so that
   * neither the hour's seasonality nor one bar's echo is traded at full cost. 1 or more. @default 1
   */
  horizon?: number
}

/**
 * Turns forecasts of the next bar's log return into positions: the expected simple return over its deviation, as an
 * annual Sharpe ratio, sizes a position of constant risk; a dead band keeps costs down. Position =
 * clip(S / fullAt, ±1) · min(maxPosition, risk / (√variance · √barsPerYear)), S = (mean + variance / 2) / √variance ·
 * √barsPerYear.
 *
 * Fed by {@link trueFilter} this is the reference strategy with which the presets were calibrated; fed by a learner's
 * forecasts it compares the learner with that ceiling on equal terms.
 *
 * ```ts
 * import { forecastTargets } from '@regimen/market'
 *
 * const targets = forecastTargets({ mean: [0.001], variance: [0.0001] }, { barsPerYear: 256 })
 * targets[0] // ≈ 0.7875
 * ```
 */
export function forecastTargets(
  forecast: { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> },
  options: ForecastTargetsOptions,
): Float64Array {
  const where = 'market/forecast-targets'
  const { barsPerYear, fullAt = 2, risk = 0.15, maxPosition = 1, band = 0.25, horizon = 1 } = options
  for (const [name, value] of Object.entries({ barsPerYear, fullAt, risk, maxPosition })) {
    check(value > 0 && value < Infinity, where, () => `${name} must be above 0, got ${describe(value)}.`)
  }
  check(band >= 0, where, () => `band must be 0 or more, got ${describe(band)}.`)
  check(horizon >= 1, where, () => `horizon must be 1 bar or more, got ${describe(horizon)}.`)
  const { mean, variance } = forecast
  check(
    mean.length === variance.length,
    where,
    () => `mean and variance must have the same length, got ${mean.length} and ${variance.length}.`,
  )
  const targets = new Float64Array(mean.length)
  let held = 0
  let m = mean[0] ?? 0
  let v = variance[0] ?? 1
  for (let t = 0; t < targets.length; t++) {
    m += (mean[t]! - m) / horizon
    v += (variance[t]! - v) / horizon
    const deviation = Math.sqrt(v * barsPerYear)
    const full = Math.min(maxPosition, risk / deviation)
    const sharpe = ((m + v / 2) * barsPerYear) / deviation
    const wanted = full * Math.max(-1, Math.min(1, sharpe / fullAt))
    if (Math.abs(wanted - held) > band * full) held = wanted
    targets[t] = held
  }
  return targets
}
