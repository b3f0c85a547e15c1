import { isSnapshot, type Live, type LiveFactory, type Snapshot } from '@regimen/core'
import type { Bar, Bars } from '../bars.ts'
import { readPlan } from './plan.ts'
import { openStream, STREAM_ID, STREAM_VERSION, savedOptions } from './stream.ts'
import { computeTable } from './table.ts'

/** Options of {@link featureSet}. */
export interface FeatureSetOptions {
  /**
   * Names of the timeframes, fastest first: `['1m', '1h']`. The first must be the interval of the bars, the others multiples.
   */
  timeframes: readonly string[]
  /**
   * Whether to compute the features of volume. Bars without volume are an error unless this is false.
   * @default true
   */
  volume?: boolean | undefined
  /**
   * The features to compute, by their names without timeframe (`['ret_1', 'rsi_14']`): those named are there for every
   * timeframe, and of the relations between timeframes those that are named. Columns keep the order of the whole list.
   * @default all
   */
  features?: readonly string[] | undefined
}

/** One column of a {@link FeatureTable}. */
export interface FeatureInfo {
  /** `timeframe.name`, or `fast/slow.name` for a relation of two timeframes. */
  readonly name: string
  readonly timeframe: string
  /** Bars of that timeframe before the value is there and depends on nothing older. */
  readonly warmup: number
}

/** Features in columns, one row a bar of the fastest timeframe, known at that bar's close. */
export interface FeatureTable {
  /** UTC epoch milliseconds of each row's bar open. */
  readonly time: Float64Array
  readonly names: readonly string[]
  /** One column a name; NaN before the feature's warm-up, finite after. */
  readonly columns: readonly Float64Array[]
  /** First row in which every feature is there; the number of rows if none is. */
  readonly ready: number
}

/** Which rows to compute. */
export interface FeatureRange {
  /** First bar whose features are wanted. @default 0 */
  from?: number
  /** End of the range, exclusive. @default the number of bars */
  to?: number
}

/** A running feature set. */
export interface FeatureStream extends Live<Bar, undefined, Float64Array> {
  /** Takes a closed bar and returns the features at its close, in a buffer that the next call overwrites. */
  push(bar: Bar): Float64Array
  /** Whether every feature is warm. */
  readonly ready: boolean
}

/** A fixed list of features, in two forms that agree. */
export interface FeatureSet {
  readonly names: readonly string[]
  readonly features: readonly FeatureInfo[]
  /** Bars of the fastest timeframe, without gaps, after which every feature is there. */
  readonly warmup: number
  /** Computes all features of all bars, or of a range of them with the bars before as warm-up. */
  batch(bars: Bars, range?: FeatureRange): FeatureTable
  /** Opens the live form, from nothing or from a snapshot of it. */
  open(snapshot?: Snapshot): FeatureStream
}

/** What {@link featureStream} is: a `LiveFactory` whose lives can also `push`. */
export interface FeatureStreamFactory extends LiveFactory<FeatureSetOptions, Bar, undefined, Float64Array> {
  open(from: FeatureSetOptions | Snapshot): FeatureStream
}

/**
 * Defines over fifty named features per timeframe (returns, volatility, trend, oscillators, volume, memory, shape, season) and,
 * for several timeframes, eight that relate the fastest to the slowest. Every feature looks back over a fixed window, its `warmup`,
 * and at nothing older, so results never depend on where the data began. `batch` runs whole columns in O(1) a value; `open` gives
 * the live form, whose `push` costs the windows whatever the history; after the warm-up the two agree to 1e-9. A
 * slower timeframe is seen from the close of its bar on, never earlier. Recursive indicators (EMA, RSI, ATR, ADX, MACD) are seeded
 * in the classic way inside a window of six to ten times their period, which differs from the endless recursion by less than 2e-4
 * of their input's range. Flat prices give documented neutral values, never NaN.
 *
 * ```ts
 * import { createBars, featureSet } from '@regimen/market'
 *
 * const n = 400
 * const p = Float64Array.from({ length: n }, (_, i) => 100 + Math.sin(i / 5))
 * const bars = createBars({ time: p.map((_, i) => i * 60_000), open: p, high: p, low: p, close: p })
 * const set = featureSet({ timeframes: ['1m'], volume: false })
 * const table = set.batch(bars)
 * table.ready // => 279
 * const live = set.open()
 * let row = live.push({ time: 0, open: p[0]!, high: p[0]!, low: p[0]!, close: p[0]! })
 * for (let i = 1; i < n; i++) {
 *   row = live.push({ time: i * 60_000, open: p[i]!, high: p[i]!, low: p[i]!, close: p[i]! })
 * }
 * const rsi = set.names.indexOf('1m.rsi_14')
 * Math.abs(row[rsi]! - table.columns[rsi]![n - 1]!) < 1e-9 // => true
 * ```
 */
export function featureSet(options: FeatureSetOptions): FeatureSet {
  const plan = readPlan(options)
  return {
    names: plan.names,
    features: plan.features,
    warmup: plan.warmup,
    batch: (bars, range = {}) => computeTable(plan, bars, range),
    open: (snapshot) => openStream(plan, snapshot),
  }
}

/**
 * Opens the live form of a {@link featureSet} from its options or from a snapshot alone: the snapshot's configuration says which
 * timeframes it has.
 *
 * ```ts
 * import { featureStream } from '@regimen/market'
 *
 * const live = featureStream.open({ timeframes: ['1h'], volume: false })
 * live.update({ time: 0, open: 1, high: 1, low: 1, close: 1 })
 * featureStream.open(live.snapshot()).ready // => false
 * ```
 */
export const featureStream: FeatureStreamFactory = {
  id: STREAM_ID,
  version: STREAM_VERSION,
  open(from) {
    if (!isSnapshot(from)) return openStream(readPlan(from), undefined)
    return openStream(readPlan(savedOptions(from)), from)
  },
}
