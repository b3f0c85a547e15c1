import { check, describe } from '@regimen/core'
import type { Forecast } from './forecast.ts'
import type { Observation } from './observation.ts'

/** What a strategy decides on. */
export interface Decision {
  readonly forecast: Forecast
  readonly observation: Observation
  /** Position that was wanted last, as a fraction of equity. */
  readonly held: number
}

/** Says the wanted position as a fraction of equity. It has no memory of its own: what it must know is in the decision. */
export type Strategy = (decision: Decision) => number

/** Options of {@link sharpeSizing}. */
export interface SharpeSizingOptions {
  /** Bars in a year. Above 0. */
  barsPerYear: number
  /** Annual Sharpe ratio of the forecast at which the position is full. Above 0. @default 2 */
  fullAt?: number
  /** Annual deviation of the full position. Above 0. @default 0.15 */
  risk?: number
  /** Largest position as a fraction of equity. Above 0. @default 1 */
  maxPosition?: number
  /** The position is kept while the wanted one differs by no more than this fraction of the full one. 0 or more. @default 0.25 */
  band?: number
}

/**
 * Makes the strategy that sizes positions as `forecastTargets` of `@regimen/market` does: the forecast's annual Sharpe ratio over
 * `fullAt`, at constant risk, with a dead band that keeps costs down. The reference ceiling of the simulated markets trades by
 * the same rule, so learners are compared with it on equal terms.
 *
 * ```ts
 * import { createForecast, sharpeSizing } from '@regimen/pipeline'
 *
 * const strategy = sharpeSizing({ barsPerYear: 256 })
 * const none = new Float64Array(0)
 * const features = new Float32Array(0)
 * const observation = { row: 0, time: 0, features, regimes: none, ahead: none, logScore: 0, scale: 0.01 }
 * const forecast = createForecast([{ weight: 1, mean: 0.001, variance: 0.0001 }])
 * strategy({ forecast, observation, held: 0 }) // ≈ 0.7875
 * ```
 */
export function sharpeSizing(options: SharpeSizingOptions): Strategy {
  const where = 'pipeline/sharpe-sizing'
  const { barsPerYear, fullAt = 2, risk = 0.15, maxPosition = 1, band = 0.25 } = options
  for (const [name, value] of Object.entries({ barsPerYear, fullAt, risk, maxPosition })) {
    check(value > 0 && value < Infinity, where, () => `${name} must be above 0, got ${describe(value)}.`)
  }
  check(band >= 0, where, () => `band must be 0 or more, got ${describe(band)}.`)
  return ({ forecast: { mean, variance }, held }) => {
    const deviation = Math.sqrt(variance * barsPerYear)
    const full = Math.min(maxPosition, risk / deviation)
    const sharpe = ((mean + variance / 2) * barsPerYear) / deviation
    const wanted = full * Math.max(-1, Math.min(1, sharpe / fullAt))
    return Math.abs(wanted - held) > band * full ? wanted : held
  }
}
