import { RegimenError, toSegments } from '@regimen/core'
import type { MarketParameters, SimulatedMarket } from '@regimen/market'
import type { TaskFamily } from './sampler.ts'
import { drawMarket, LONGEST, type MarketSpread, pathCache, type SimulatedTask } from './simulated.ts'
import { checkCount } from './synthetic.ts'
import type { TaskSet } from './task.ts'

/** Options of {@link regimeReturns}. */
export interface RegimeReturnOptions extends MarketSpread {
  /** The market whose surroundings tasks are drawn from. */
  market: MarketParameters
  /** Support bars, ≥ 1. @default 32 */
  shots?: number
  /** Query bars, ≥ 1. @default 32 */
  queries?: number
  /** Past returns that are the input, ≥ 2. @default 8 */
  lags?: number
}

/**
 * Makes a family of forecasting tasks: a stretch of one regime in a market with parameters of its own. Inputs are the last
 * `lags` log returns and the logarithm of their root mean square, all in units of the deviation that the *preset* has on
 * average; the target is the next return in the same units. The support comes first, the query directly after.
 *
 * ```ts
 * import { createRng } from '@regimen/core'
 * import { preset } from '@regimen/market'
 * import { regimeReturns } from '@regimen/meta'
 *
 * const family = regimeReturns({ market: preset('separable'), shots: 16, queries: 8 })
 * const { support, label } = family.task(family.draw(createRng(1)), createRng(2))
 * support.x.shape // => [16, 9]
 * ```
 */
export function regimeReturns(options: RegimeReturnOptions): TaskFamily<SimulatedTask> {
  const where = 'meta/regime-returns'
  const { market, shots = 32, queries = 32, lags = 8 } = options
  for (const [name, value] of Object.entries({ shots, queries, lags })) checkCount(where, name, value)
  const average = market.regimes.reduce((sum, regime) => sum + regime.volatility / market.regimes.length, 0)
  const unit = average / Math.sqrt(market.barsPerYear)
  const need = lags + shots + queries
  const pathOf = pathCache(
    (source) => {
      const long = toSegments(source.regimes).filter(({ start, end }) => end - start >= need && start > 0)
      return long.length > 0 ? { source, long } : undefined
    },
    (parameters) => {
      throw new RegimenError(`no regime of ${parameters.name} lasts for ${need} bars within ${LONGEST}.`, {
        code: 'INVALID_ARGUMENT',
        where,
        hint: 'Ask for fewer samples, or take a market with longer regimes.',
      })
    },
  )
  return {
    draw: (rng) => drawMarket(market, rng, options),
    task(spec, rng) {
      const { source, long } = pathOf(spec)
      const { start, end, label } = long[rng.int(0, long.length)]!
      const first = rng.int(start + lags, end - shots - queries + 1)
      return {
        support: forecastSet(source, first, shots, lags, unit),
        query: forecastSet(source, first + shots, queries, lags, unit),
        label: source.parameters.regimes[label]!.name,
      }
    },
  }
}

function forecastSet(source: SimulatedMarket, first: number, n: number, lags: number, unit: number): TaskSet {
  const x = new Float32Array(n * (lags + 1))
  const y = new Float32Array(n)
  const time = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    let square = 0
    for (let lag = 0; lag < lags; lag++) {
      const r = source.returns[first + i - lags + lag]! / unit
      x[i * (lags + 1) + lag] = r
      square += (r * r) / lags
    }
    x[i * (lags + 1) + lags] = 0.5 * Math.log(square + 1e-12)
    y[i] = source.returns[first + i]! / unit
    time[i] = source.bars.time[first + i]! + source.bars.interval
  }
  return {
    x: { dtype: 'float32', shape: [n, lags + 1], data: x },
    y: { dtype: 'float32', shape: [n, 1], data: y },
    time,
  }
}
