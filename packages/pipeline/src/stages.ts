import { check, createSnapshot, describe, type Live, restore, type Snapshot, schema } from '@regimen/core'
import { type Bar, type FeatureSet, type ScalerModel, scaleFeatures } from '@regimen/market'
import type { Open } from './forecaster.ts'
import type { FeatureStage, RegimeStage } from './model.ts'

/**
 * Makes the feature stage of a feature set and a scaler that was fitted on the training part.
 *
 * ```ts
 * import { createBars, featureSet, fitScaler } from '@regimen/market'
 * import { scaledFeatures } from '@regimen/pipeline'
 *
 * const close = Float64Array.from({ length: 300 }, (_, i) => 100 + Math.sin(i))
 * const bars = createBars({ time: close.map((_, i) => i * 86_400_000), open: close, high: close, low: close, close })
 * const set = featureSet({ timeframes: ['1d'], volume: false, features: ['ret_1', 'ret_5'] })
 * const scaler = fitScaler(set.batch(bars), { train: { start: 0, end: 300 } })
 * const stage = await scaledFeatures(set, scaler)()
 * stage.push({ time: 0, open: 1, high: 1, low: 1, close: 1 }) // => undefined
 * ```
 */
export function scaledFeatures(set: FeatureSet, scaler: ScalerModel): Open<FeatureStage> {
  return (from) => {
    const stream = set.open(from)
    return {
      push(bar) {
        const row = stream.push(bar)
        return stream.ready ? scaleFeatures(scaler, row) : undefined
      },
      snapshot: () => stream.snapshot(),
    }
  }
}

/** What {@link filteredRegimes} runs; every regime model of `@regimen/regimes` is one. */
export interface RegimeFilter extends Pick<Live<ArrayLike<number>>, 'update' | 'snapshot'> {
  readonly filtered: Float64Array
  predictNext(h?: number): Float64Array
  readonly logScore: number
}

/** What a regime model is shown of a bar, given the close before it. */
export type RegimeRow = (bar: Bar, before: number) => number[]

const ID = 'pipeline/filtered-regimes'

const STATE = schema.object({ close: schema.number({ min: 0 }) })

/**
 * Shows a regime model each bar's log return and the logarithm of its range, both in percent: the sign and the size of moves. The
 * first bar is compared with its own open.
 *
 * ```ts
 * import { returnAndRange } from '@regimen/pipeline'
 *
 * const [move, range] = returnAndRange({ time: 0, open: 100, high: 102, low: 100, close: 101 }, 100)
 * move // ≈ 0.99503
 * // The logarithm of 100 · ln(102 / 100)
 * range // ≈ 0.68322953
 * ```
 */
export function returnAndRange({ high, low, close }: Bar, before: number): [number, number] {
  // A flat bar has a range of a hundredth of a percent, not of nothing.
  return [100 * Math.log(close / before), Math.log(100 * Math.max(Math.log(high / low), 1e-4))]
}

/**
 * Makes the regime stage of a regime model that is fed one row a bar.
 *
 * ```ts
 * import { createSnapshot } from '@regimen/core'
 * import { filteredRegimes } from '@regimen/pipeline'
 *
 * // A model of two regimes with the face of those of @regimen/regimes: up or down.
 * let up = 1
 * const model = {
 *   update: (row: ArrayLike<number>) => void (up = row[0]! > 0 ? 1 : 0),
 *   get filtered() {
 *     return Float64Array.of(up, 1 - up)
 *   },
 *   predictNext: () => Float64Array.of(0.5, 0.5),
 *   logScore: Number.NaN,
 *   snapshot: () => createSnapshot({ id: 'mine/sign', version: 1, config: {}, state: { up } }),
 * }
 * const stage = await filteredRegimes(() => model)()
 * stage.push({ time: 0, open: 100, high: 100, low: 99, close: 99 })
 * Array.from(stage.filtered) // => [0, 1]
 * ```
 */
export function filteredRegimes(
  open: (from?: Snapshot) => RegimeFilter,
  row: RegimeRow = returnAndRange,
): Open<RegimeStage> {
  check(typeof open === 'function', ID, () => `open must open a regime model, got ${describe(open)}.`)
  return (from) => {
    const saved = from && restore(from, { id: ID, version: 1, state: STATE, children: ['model'] })
    const model = open(saved?.children.model)
    let close = saved?.state.close ?? 0
    return {
      push(bar) {
        model.update(row(bar, close === 0 ? bar.open : close))
        close = bar.close
      },
      get filtered() {
        return model.filtered
      },
      get logScore() {
        return model.logScore
      },
      predictNext: () => model.predictNext(1),
      snapshot: () =>
        createSnapshot({ id: ID, version: 1, config: {}, state: { close }, children: { model: model.snapshot() } }),
    }
  }
}
