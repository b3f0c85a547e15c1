import type { Forecast } from '../forecast.ts'
import { createForecast } from '../forecast.ts'

/** Bars over which a net's own spread is corrected. */
const MEMORY = 250
/** Squared errors are cut here, so that one crash does not widen every forecast of a year. */
const LARGEST = 25

/** Running ratio of squared errors to what was forecast: above 1 the forecasts were too sure. */
export interface Spread {
  ratio: number
  count: number
}

/** Makes a forecast in log return of a net's mean and deviation in units of the scale. */
export function widen(spread: Spread, mean: number, deviation: number, scale: number): Forecast {
  const sigma = deviation * scale
  return createForecast([{ weight: 1, mean: mean * scale, variance: Math.max(spread.ratio * sigma * sigma, 1e-16) }])
}

/** Takes the error of one forecast, in its own deviations. */
export function correct(spread: Spread, error: number): void {
  spread.count++
  const rate = Math.max(1 / (spread.count + 20), 1 / MEMORY)
  spread.ratio += rate * (Math.min(error * error, LARGEST) - spread.ratio)
}
