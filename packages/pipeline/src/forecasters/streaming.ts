import { check, createSnapshot, restore, type Snapshot, schema } from '@regimen/core'
import type { Forecaster, Open } from '../forecaster.ts'
import type { Observation } from '../observation.ts'
import { calibrate, calibrated, calibrationSchema, openCalibration } from './calibration.ts'

/** What {@link streamingForecaster} wraps; the online learner of `@regimen/continual` is one. */
export interface StreamLearner {
  /** Answers, and holds the input until its label comes. */
  observe(x: ArrayLike<number>): Promise<{ readonly id: number }>
  /** Takes a label and may learn. */
  label(id: number, y: number, time: number): Promise<unknown>
  predict(x: ArrayLike<number>): Promise<ArrayLike<number>>
  snapshot(): Snapshot | Promise<Snapshot>
  dispose(): void | Promise<void>
}

/** Options of {@link streamingForecaster}. */
export interface StreamingForecasterOptions {
  /** Opens the learner new or from its snapshot. Its first output is the mean of the next return in units of the scale. */
  open: Open<StreamLearner>
  /** False freezes it: the static baseline. @default true */
  learn?: boolean
}

const ID = 'pipeline/streaming-forecaster'

const STATE = schema.object({ calibration: calibrationSchema })

/**
 * Forecasts with a net that goes on learning: each observation is answered first and learned when its return is known, which is
 * what the online learner of `@regimen/continual` is made for. The net gives the mean, which is drawn
 * towards 0 until it has proved itself; the deviation is the observation's scale, corrected by the errors made so far.
 *
 * ```ts
 * import { createSnapshot } from '@regimen/core'
 * import { streamingForecaster } from '@regimen/pipeline'
 *
 * // A learner of the running mean, with the face of an online learner.
 * let [mean, count] = [0, 0]
 * const learner = {
 *   observe: async () => ({ id: count }),
 *   label: async (_id: number, y: number) => void (mean += (y - mean) / ++count),
 *   predict: async () => [mean],
 *   snapshot: () => createSnapshot({ id: 'mine/mean', version: 1, config: {}, state: { mean, count } }),
 *   dispose: () => {},
 * }
 * const forecaster = await streamingForecaster({ open: () => learner })()
 * const none = new Float64Array(0)
 * const features = new Float32Array(0)
 * const at = { row: 0, time: 0, features, regimes: none, ahead: none, logScore: Number.NaN, scale: 0.01 }
 * for (let i = 0; i < 60; i++) await forecaster.learn(at, 0.005)
 * const forecast = await forecaster.forecast(at)
 * // Half of the scale came each time; after 60 bars, Σ f z / (Σ f² + 10) of it is believed.
 * forecast.mean // ≈ 0.0029798
 * ```
 */
export function streamingForecaster(options: StreamingForecasterOptions): Open<Forecaster> {
  const { open, learn = true } = options
  check(typeof open === 'function', ID, () => 'open must be a function that opens the learner.')
  return async (from) => {
    const saved = from && restore(from, { id: ID, version: 1, state: STATE, children: ['learner'] })
    const learner = await open(saved?.children.learner)
    const calibration = openCalibration(saved?.state.calibration)
    // A forecast is asked for again when its return is known; until then nothing was learned.
    let last: { readonly observation: Observation; readonly mean: number } | undefined
    const answer = async (observation: Observation): Promise<number> => {
      if (last?.observation === observation) return last.mean
      const mean = (await learner.predict(observation.features))[0] ?? 0
      last = { observation, mean }
      return mean
    }
    return {
      async forecast(observation) {
        return calibrated(calibration, await answer(observation), 1, observation.scale)
      },
      async learn(observation, y) {
        const { features, scale, time } = observation
        const z = y / scale
        const mean = await answer(observation)
        calibrate(calibration, mean, 1, z)
        if (!learn) return
        const { id } = await learner.observe(features)
        await learner.label(id, z, time)
        last = undefined
      },
      async snapshot() {
        return createSnapshot({
          id: ID,
          version: 1,
          config: { learn },
          state: { calibration: { ...calibration } },
          children: { learner: await learner.snapshot() },
        })
      },
      async dispose() {
        await learner.dispose()
      },
    }
  }
}
