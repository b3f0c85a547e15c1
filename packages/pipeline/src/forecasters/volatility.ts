import { createSnapshot, restore, schema } from '@regimen/core'
import type { Forecaster, Open } from '../forecaster.ts'
import { calibrate, calibrated, calibrationSchema, openCalibration } from './calibration.ts'

const ID = 'pipeline/volatility-forecaster'

const STATE = schema.object({
  count: schema.integer({ min: 0 }),
  mean: schema.number(),
  calibration: calibrationSchema,
})

/**
 * Forecasts that the next return is like the recent ones: the mean of all returns so far, in units of the scale and drawn towards
 * 0 by a year's worth of bars, and the observation's own scale. It knows no regimes, so it is the baseline that any other
 * forecaster must beat, and a safe member of {@link mixForecasters}.
 *
 * ```ts
 * import { volatilityForecaster } from '@regimen/pipeline'
 *
 * const forecaster = await volatilityForecaster()()
 * const none = new Float64Array(0)
 * const observation = {
 *   row: 0,
 *   time: 0,
 *   features: new Float32Array(0),
 *   regimes: none,
 *   ahead: none,
 *   logScore: Number.NaN,
 *   scale: 0.01,
 * }
 * const { mean, variance } = await forecaster.forecast(observation)
 * mean // => 0
 * Math.sqrt(variance) // ≈ 0.01
 * ```
 */
export function volatilityForecaster(): Open<Forecaster> {
  return (from) => {
    const saved = from && restore(from, { id: ID, version: 1, state: STATE }).state
    let { count, mean } = saved ?? { count: 0, mean: 0 }
    const calibration = openCalibration(saved?.calibration)
    return {
      async forecast({ scale }) {
        return calibrated(calibration, mean, 1, scale)
      },
      async learn({ scale }, y) {
        const z = y / scale
        calibrate(calibration, mean, 1, z)
        count++
        mean += (z - mean) / (count + 250)
      },
      async snapshot() {
        const state = { count, mean, calibration: { ...calibration } }
        return createSnapshot({ id: ID, version: 1, config: {}, state })
      },
      async dispose() {},
    }
  }
}
