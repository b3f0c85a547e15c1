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
  /** Whether volume is read. */
  readonly volume: boolean
  readonly families: readonly FeatureFamily[]
  readonly features: readonly FeatureDefinition[]
  readonly names: readonly string[]
  /** Whether each is wanted; the others come with their family live, and are left out in batch. */
  readonly wanted: readonly boolean[]
  /** The longest warm-up of all that comes along. */
  readonly warmup: number
  /** The longest warm-up of what is wanted. */
  readonly ready: number
}

/** All features, or the families of those that `wants` asks for. */
export function catalog(withVolume: boolean, wants: (name: string) => boolean = () => true): Catalog {
  const families = ALL.filter(
    (family) => (withVolume || family.volume !== true) && family.features.some((feature) => wants(feature.name)),
  )
  const features = families.flatMap((family) => family.features)
  return {
    volume: withVolume,
    families,
    features,
    names: features.map((feature) => feature.name),
    wanted: features.map((feature) => wants(feature.name)),
    warmup: Math.max(...features.map((feature) => feature.warmup)),
    ready: Math.max(...features.map((feature) => (wants(feature.name) ? feature.warmup : 1))),
  }
}
