import { createSnapshot, isSnapshot, type Snapshot } from '@regimen/core'
import { featureSet, fitScaler, type SimulatedMarket, simulate, sliceBars } from '@regimen/market'
import {
  type Forecaster,
  filteredRegimes,
  type MarketModel,
  mixForecasters,
  type Observation,
  type Open,
  type RegimeFilter,
  regimeForecaster,
  scaledFeatures,
  stackModel,
  volatilityForecaster,
} from '../src/index.ts'

/** An observation of the given regime probabilities. */
export function observe(regimes: readonly number[], over: Partial<Observation> = {}): Observation {
  const p = Float64Array.from(regimes)
  return {
    row: 0,
    time: 0,
    features: new Float32Array(0),
    regimes: p,
    ahead: p,
    logScore: Number.NaN,
    scale: 1,
    ...over,
  }
}

/** Two regimes by the sign of a moving average of returns, as a regime model. */
export function momentum(from?: Snapshot): RegimeFilter {
  let average = from && isSnapshot(from) ? (from.state as { average: number }).average : 0
  const filtered = (): Float64Array => {
    const p = 1 / (1 + Math.exp(-3 * average))
    return Float64Array.of(p, 1 - p)
  }
  return {
    update(row) {
      average += 0.1 * (row[0]! - average)
    },
    get filtered() {
      return filtered()
    },
    predictNext: filtered,
    logScore: Number.NaN,
    snapshot: () => createSnapshot({ id: 'test/momentum', version: 1, config: {}, state: { average } }),
  }
}

export const TRAIN = 300

export function market(bars = 500, seed = 3): SimulatedMarket {
  return simulate('equity-daily', { bars, seed })
}

/** A small model of real stages. */
export function smallModel(seed = 3, extra: { readonly [name: string]: Open<Forecaster> } = {}): Open<MarketModel> {
  const set = featureSet({ timeframes: ['1d'], volume: false, features: ['ret_1', 'rsi_14'] })
  const { bars } = market(TRAIN, seed)
  const scaler = fitScaler(set.batch(sliceBars(bars, 0, TRAIN)), { train: { start: 0, end: TRAIN } })
  return stackModel({
    features: scaledFeatures(set, scaler),
    regimes: filteredRegimes(momentum),
    forecaster: mixForecasters({
      members: { calm: volatilityForecaster(), regimes: regimeForecaster({ regimes: 2, inputs: [0] }), ...extra },
    }),
  })
}
