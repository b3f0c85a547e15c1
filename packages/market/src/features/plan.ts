import { check, describe } from '@regimen/core'
import { parseInterval } from '../interval.ts'
import { CROSS_NAMES, CROSS_NEEDS } from './cross.ts'
import { type Catalog, catalog } from './families.ts'
import type { FeatureInfo, FeatureSetOptions } from './feature-set.ts'

export const WHERE = 'market/features'

/** Timeframes resolved to numbers. */
export interface Plan {
  readonly timeframes: readonly string[]
  readonly intervals: readonly number[]
  readonly volume: boolean
  readonly chosen: readonly string[] | undefined
  readonly catalog: Catalog
  /** Positions in the catalog of what is shown, and in the list of relations. */
  readonly shown: readonly number[]
  readonly crossed: readonly number[]
  readonly names: readonly string[]
  readonly features: readonly FeatureInfo[]
  readonly warmup: number
}

export function readPlan(options: FeatureSetOptions): Plan {
  const { timeframes, volume = true, features: chosen } = options
  check(
    Array.isArray(timeframes) && timeframes.length > 0 && timeframes.every((name) => typeof name === 'string'),
    WHERE,
    () => `timeframes must be names like ['1m', '1h'], got ${describe(timeframes)}.`,
  )
  check(typeof volume === 'boolean', WHERE, () => `volume must be true or false, got ${describe(volume)}.`)
  const intervals = timeframes.map(parseInterval)
  intervals.forEach((ms, k) => {
    check(
      k === 0 || (ms > intervals[k - 1]! && ms % intervals[0]! === 0),
      WHERE,
      () => `timeframes must grow and be multiples of the first, got ${describe(timeframes)}.`,
    )
  })
  const offered = [...catalog(volume).names, ...(timeframes.length > 1 ? CROSS_NAMES : [])]
  check(
    chosen === undefined ||
      (Array.isArray(chosen) && chosen.length > 0 && chosen.every((name: string) => offered.includes(name))),
    WHERE,
    () => `features must be some of ${offered.join(', ')}, got ${describe(chosen)}.`,
  )
  const wants = (name: string): boolean => chosen === undefined || chosen.includes(name)
  const crossed = timeframes.length > 1 ? CROSS_NAMES.flatMap((name, k) => (wants(name) ? [k] : [])) : []
  const needs: readonly string[] = crossed.length > 0 ? CROSS_NEEDS : []
  const one = catalog(volume, (name) => wants(name) || needs.includes(name))
  const shown = one.names.flatMap((name, k) => (wants(name) ? [k] : []))
  const features = timeframes.flatMap((timeframe) =>
    shown.map((k): FeatureInfo => {
      const { name, warmup } = one.features[k]!
      return { name: `${timeframe}.${name}`, timeframe, warmup }
    }),
  )
  const slow = timeframes[timeframes.length - 1]!
  for (const k of crossed) {
    features.push({ name: `${timeframes[0]}/${slow}.${CROSS_NAMES[k]}`, timeframe: slow, warmup: one.ready })
  }
  // A slower timeframe may lose up to two bars: a first one whose beginning is absent, and the one being built.
  const last = intervals.length - 1
  const warmup = last === 0 ? one.ready : (one.ready + 2) * (intervals[last]! / intervals[0]!)
  const names = features.map((feature) => feature.name)
  return { timeframes, intervals, volume, chosen, catalog: one, shown, crossed, names, features, warmup }
}
