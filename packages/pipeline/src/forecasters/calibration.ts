import { type Schema, schema } from '@regimen/core'
import { createForecast, type Forecast } from '../forecast.ts'

/** Bars over which the spread is corrected. */
const MEMORY = 250
/** Squared errors are cut here, so that one crash does not widen every forecast of a year. */
const LARGEST = 25
/** Squared means of this sum are needed until half of a mean is believed. */
const DOUBT = 10

/**
 * Corrects a net's forecasts by its own record, both in units of the scale: means are multiplied by the slope of what came on what
 * was forecast, from 0 to 1, doubted at first; the variance by the mean squared error over what was forecast.
 */
export type Calibration = {
  /** Σ forecast · outcome and Σ forecast². */
  product: number
  square: number
  ratio: number
  count: number
}

export const calibrationSchema: Schema<Calibration> = schema.object({
  product: schema.number(),
  square: schema.number({ min: 0 }),
  ratio: schema.number({ min: 0 }),
  count: schema.integer({ min: 0 }),
})

export function openCalibration(saved?: Calibration): Calibration {
  return saved ? { ...saved } : { product: 0, square: 0, ratio: 1, count: 0 }
}

function slope({ product, square }: Calibration): number {
  return Math.max(0, Math.min(1, product / (square + DOUBT)))
}

/** Makes a forecast in log return of a net's mean and deviation in units of the scale. */
export function calibrated(by: Calibration, mean: number, deviation: number, scale: number): Forecast {
  const sigma = deviation * scale
  const variance = Math.max(by.ratio * sigma * sigma, 1e-16)
  return createForecast([{ weight: 1, mean: slope(by) * mean * scale, variance }])
}

/** Takes what came of a forecast. */
export function calibrate(by: Calibration, mean: number, deviation: number, z: number): void {
  const error = (z - slope(by) * mean) / deviation
  by.count++
  const rate = Math.max(1 / (by.count + 20), 1 / MEMORY)
  by.ratio += rate * (Math.min(error * error, LARGEST) - by.ratio)
  by.product += mean * z
  by.square += mean * mean
}
