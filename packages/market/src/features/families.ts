import { candle } from './candle.ts'
import { dependence } from './dependence.ts'
import { directional } from './directional.ts'
import { distribution } from './distribution.ts'
import { macd, rsi, stochastic } from './oscillators.ts'
import { range } from './range.ts'
import { returns } from './returns.ts'
import { seasonality } from './seasonality.ts'
import { trend } from './trend.ts'
import type { FeatureDefinition, FeatureFamily } from './types.ts'
import { volatility } from './volatility.ts'
import { volume } from './volume.ts'

const ALL: readonly FeatureFamily[] = [
  returns,
  volatility,
  trend,
  rsi,
  macd,
  stochastic,
  directional,
  range,
  distribution,
  dependence,
  candle,
  volume,
  seasonality,
]

/** The families of one timeframe and what they offer together. */
export interface Catalog {
  readonly families: readonly FeatureFamily[]
  readonly features: readonly FeatureDefinition[]
  readonly names: readonly string[]
  /** The longest warm-up. */
  readonly warmup: number
}

export function catalog(withVolume: boolean): Catalog {
  const families = ALL.filter((family) => withVolume || family.volume !== true)
  const features = families.flatMap((family) => family.features)
  return {
    families,
    features,
    names: features.map((feature) => feature.name),
    warmup: Math.max(...features.map((feature) => feature.warmup)),
  }
}
