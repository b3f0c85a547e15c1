import { check, createSnapshot, describe, restore, type Snapshot, schema } from '@regimen/core'
import type { Bar } from '@regimen/market'
import type { Forecast } from './forecast.ts'
import type { Forecaster, Open } from './forecaster.ts'
import type { Observation } from './observation.ts'

/** Turns closed bars into scaled features. */
export interface FeatureStage {
  /** Features at the bar's close, in an array of their own; undefined until all are warm. */
  push(bar: Bar): Float32Array | undefined
  snapshot(): Snapshot
}

/** Follows the market's regime. */
export interface RegimeStage {
  /** Takes a closed bar. */
  push(bar: Bar): void
  /** P(regime | bars so far). */
  readonly filtered: Float64Array
  /** P(regime at the next bar | bars so far). */
  predictNext(): Float64Array
  /** ln p of the last bar given those before; NaN where there is none. */
  readonly logScore: number
  snapshot(): Snapshot
}

/** All that is trained, in one piece: what is retrained, stored, promoted and rolled back together. */
export interface MarketModel {
  /** Bars taken so far. */
  readonly count: number
  /** Takes a closed bar; undefined while the model warms up. */
  observe(bar: Bar): Observation | undefined
  forecast(observation: Observation): Promise<Forecast>
  /** Takes an observation whose log return is now known. */
  learn(observation: Observation, y: number): Promise<void>
  snapshot(): Promise<Snapshot>
  dispose(): Promise<void>
}

/** Options of {@link stackModel}. */
export interface StackOptions {
  features: Open<FeatureStage>
  regimes: Open<RegimeStage>
  forecaster: Open<Forecaster>
  /** Bars over which the scale of returns is averaged, exponentially. Above 1. @default 30 */
  scaleMemory?: number
}

const ID = 'pipeline/stacked-model'

const STATE = schema.object({
  count: schema.integer({ min: 0 }),
  close: schema.number({ min: 0 }),
  variance: schema.number({ min: 0 }),
})

/**
 * Stacks features, a regime model and a forecaster into one model. Each is opened by a function, new or from its part of the
 * snapshot, so that the whole can be stored and continued. The scale of returns is a running root mean square of log returns.
 *
 * ```ts
 * import { createSnapshot } from '@regimen/core'
 * import { stackModel, volatilityForecaster } from '@regimen/pipeline'
 *
 * const nothing = () => createSnapshot({ id: 'mine/none', version: 1, config: {}, state: {} })
 * const one = Float64Array.of(1)
 * const model = await stackModel({
 *   features: () => ({ push: (bar) => Float32Array.of(bar.close), snapshot: nothing }),
 *   regimes: () => ({ push: () => {}, filtered: one, predictNext: () => one, logScore: Number.NaN, snapshot: nothing }),
 *   forecaster: volatilityForecaster(),
 * })()
 * const at = (time: number, close: number) => ({ time, open: close, high: close, low: close, close })
 * model.observe(at(0, 100)) // => undefined
 * model.observe(at(1, 101))!.scale // ≈ 0.00995
 * ```
 */
export function stackModel(options: StackOptions): Open<MarketModel> {
  const { scaleMemory = 30 } = options
  check(
    scaleMemory > 1 && scaleMemory < Infinity,
    ID,
    () => `scaleMemory must be above 1, got ${describe(scaleMemory)}.`,
  )
  return async (from) => {
    const saved =
      from && restore(from, { id: ID, version: 1, state: STATE, children: ['features', 'regimes', 'forecaster'] })
    const features = await options.features(saved?.children.features)
    const regimes = await options.regimes(saved?.children.regimes)
    const forecaster = await options.forecaster(saved?.children.forecaster)
    let { count, close, variance } = saved?.state ?? { count: 0, close: 0, variance: 0 }
    return {
      get count() {
        return count
      },
      observe(bar) {
        const row = count++
        if (row > 0) {
          const r = Math.log(bar.close / close)
          variance += Math.max(1 / row, 1 / scaleMemory) * (r * r - variance)
        }
        close = bar.close
        regimes.push(bar)
        const values = features.push(bar)
        if (!values || !(variance > 0)) return undefined
        return {
          row,
          time: bar.time,
          features: values,
          regimes: regimes.filtered.slice(),
          ahead: regimes.predictNext(),
          logScore: regimes.logScore,
          scale: Math.sqrt(variance),
        }
      },
      forecast: (observation) => forecaster.forecast(observation),
      learn: (observation, y) => forecaster.learn(observation, y),
      async snapshot() {
        return createSnapshot({
          id: ID,
          version: 1,
          config: { scaleMemory },
          state: { count, close, variance },
          children: {
            features: features.snapshot(),
            regimes: regimes.snapshot(),
            forecaster: await forecaster.snapshot(),
          },
        })
      },
      dispose: () => forecaster.dispose(),
    }
  }
}
