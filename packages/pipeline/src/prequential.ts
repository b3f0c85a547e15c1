import { check, describe, type LongTaskOptions } from '@regimen/core'
import { type Bar, type Bars, openDelayedLabels } from '@regimen/market'
import { type Forecast, logDensity } from './forecast.ts'
import type { MarketModel } from './model.ts'
import type { Observation } from './observation.ts'

/** Options of {@link prequential}. */
export interface PrequentialOptions extends LongTaskOptions {
  /** Bars ahead that a forecast speaks of. From 1. @default 1 */
  horizon?: number
  /** Row before which the model learns but does not forecast. @default 0 */
  from?: number
  /** Row at which to stop. @default the number of bars */
  to?: number
}

/** Forecasts with their scores, one for each bar from `from` on; NaN where there was none, or its return is not known yet. */
export interface PrequentialResult {
  readonly mean: Float64Array
  readonly variance: Float64Array
  /** ln p of what happened. */
  readonly logScore: Float64Array
}

/** One bar out of columns. */
export function barAt(bars: Bars, row: number): Bar {
  const { time, open, high, low, close, volume } = bars
  const prices = { time: time[row]!, open: open[row]!, high: high[row]!, low: low[row]!, close: close[row]! }
  return volume ? { ...prices, volume: volume[row]! } : prices
}

/**
 * Runs a model through bars in the honest order: each bar is observed, what has become known is learned, and only then is the
 * next return forecast. It begins after the bars that the model has already taken, so the same call trains a new model, brings a
 * stored one up to date, and scores it on a fold.
 *
 * ```ts
 * import { createSnapshot } from '@regimen/core'
 * import { simulate } from '@regimen/market'
 * import { prequential, stackModel, volatilityForecaster } from '@regimen/pipeline'
 *
 * const nothing = () => createSnapshot({ id: 'mine/none', version: 1, config: {}, state: {} })
 * const one = Float64Array.of(1)
 * const model = await stackModel({
 *   features: () => ({ push: () => new Float32Array(0), snapshot: nothing }),
 *   regimes: () => ({ push: () => {}, filtered: one, predictNext: () => one, logScore: Number.NaN, snapshot: nothing }),
 *   forecaster: volatilityForecaster(),
 * })()
 * const { bars } = simulate('equity-daily', { bars: 300, seed: 1 })
 * const { logScore } = await prequential(model, bars, { from: 100 })
 * logScore.length // => 200
 * model.count // => 300
 * ```
 *
 * Reference: Dawid, J. R. Stat. Soc. A 147 (1984).
 */
export async function prequential(
  model: MarketModel,
  bars: Bars,
  options: PrequentialOptions = {},
): Promise<PrequentialResult> {
  const where = 'pipeline/prequential'
  const { horizon = 1, from = 0, to = bars.time.length, signal, onProgress } = options
  check(
    Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= bars.time.length,
    where,
    () => `from and to must be rows within ${bars.time.length} bars, got ${describe(from)} and ${describe(to)}.`,
  )
  const begin = model.count
  check(
    begin <= to,
    where,
    () => `the model has taken ${begin} bars, more than ${to}.`,
    'Give it the same bars as before.',
  )
  const queue = openDelayedLabels<{ readonly observation: Observation; readonly forecast: Forecast | undefined }>({
    rule: { kind: 'return', horizon },
  })
  const n = to - from
  const result = {
    mean: new Float64Array(n).fill(Number.NaN),
    variance: new Float64Array(n).fill(Number.NaN),
    logScore: new Float64Array(n).fill(Number.NaN),
  }
  let known: readonly { x: { observation: Observation; forecast: Forecast | undefined }; y: number }[] = []
  let waiting: { observation: Observation; forecast: Forecast | undefined } | undefined
  for (let row = begin; row < to; row++) {
    signal?.throwIfAborted()
    const bar = barAt(bars, row)
    const observation = model.observe(bar)
    waiting = observation && { observation, forecast: undefined }
    known = queue.update(bar, waiting)
    for (const { x, y } of known) {
      if (x.forecast) result.logScore[x.observation.row - from] = logDensity(x.forecast, y)
      await model.learn(x.observation, y)
    }
    if (waiting && row >= from) {
      const forecast = await model.forecast(waiting.observation)
      waiting.forecast = forecast
      result.mean[row - from] = forecast.mean
      result.variance[row - from] = forecast.variance
    }
    if (row % 64 === 0) onProgress?.({ done: row - begin, total: to - begin })
  }
  return result
}
