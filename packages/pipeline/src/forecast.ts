import { check, describe } from '@regimen/core'
import { normalCdf } from '@regimen/core/math'

/** One Gaussian of a forecast. */
export interface ForecastPart {
  /** Share of the whole, from 0 to 1; the parts' shares sum to 1. */
  readonly weight: number
  readonly mean: number
  readonly variance: number
}

/** What may happen to the price: a mixture of Gaussians over the log return that the label names. */
export interface Forecast {
  /** Mean of the whole mixture. */
  readonly mean: number
  /** Variance of the whole mixture. */
  readonly variance: number
  readonly parts: readonly ForecastPart[]
}

const WHERE = 'pipeline/forecast'

/**
 * Makes a forecast of weighted Gaussians: m = Σ w μ, v = Σ w (σ² + μ²) − m². Weights are scaled to sum to 1.
 *
 * ```ts
 * import { createForecast } from '@regimen/pipeline'
 *
 * // Up or down by one, calm either way: mean 0, variance 0.25 + 1.
 * const forecast = createForecast([
 *   { weight: 1, mean: 1, variance: 0.25 },
 *   { weight: 1, mean: -1, variance: 0.25 },
 * ])
 * forecast.mean // => 0
 * forecast.variance // => 1.25
 * ```
 */
export function createForecast(parts: readonly ForecastPart[]): Forecast {
  let total = 0
  for (const { weight, mean, variance } of parts) {
    check(
      weight >= 0 && Number.isFinite(mean) && variance > 0 && variance < Infinity,
      WHERE,
      () => `a part needs a weight of at least 0 and a variance above 0, got ${weight}, ${mean}, ${variance}.`,
    )
    total += weight
  }
  check(total > 0 && total < Infinity, WHERE, () => `the weights must sum to more than 0, got ${describe(total)}.`)
  let mean = 0
  let square = 0
  const scaled = parts.map((part) => {
    const weight = part.weight / total
    mean += weight * part.mean
    square += weight * (part.variance + part.mean * part.mean)
    return { weight, mean: part.mean, variance: part.variance }
  })
  return { mean, variance: square - mean * mean, parts: scaled }
}

const HALF_LOG_TAU = 0.5 * Math.log(2 * Math.PI)

/**
 * Scores a forecast by what happened: ln Σ w N(y; μ, σ²), in nats. Higher is better; the mean over many bars is the log score
 * that {@link mixForecasters} and the promotion of models go by.
 *
 * ```ts
 * import { createForecast, logDensity } from '@regimen/pipeline'
 *
 * logDensity(createForecast([{ weight: 1, mean: 0, variance: 1 }]), 0) // ≈ -0.918938533
 * ```
 */
export function logDensity(forecast: Forecast, y: number): number {
  const logs = forecast.parts.map(({ weight, mean, variance }) => {
    const z2 = ((y - mean) * (y - mean)) / variance
    return Math.log(weight) - HALF_LOG_TAU - 0.5 * Math.log(variance) - 0.5 * z2
  })
  const top = Math.max(...logs)
  if (top === Number.NEGATIVE_INFINITY) return top
  let sum = 0
  for (const value of logs) sum += Math.exp(value - top)
  return top + Math.log(sum)
}

/**
 * Computes the probability that a forecast gave to values up to y: Σ w Φ((y − μ) / σ). Over many bars these are uniform when the
 * forecasts are calibrated; `pitReport` of `@regimen/market` judges that.
 *
 * ```ts
 * import { createForecast, probabilityBelow } from '@regimen/pipeline'
 *
 * probabilityBelow(createForecast([{ weight: 1, mean: 1, variance: 4 }]), 1) // => 0.5
 * ```
 */
export function probabilityBelow({ parts }: Forecast, y: number): number {
  let sum = 0
  for (const { weight, mean, variance } of parts) sum += weight * normalCdf((y - mean) / Math.sqrt(variance))
  return sum
}
