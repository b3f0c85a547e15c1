import type { Expression } from './kernel/expression.ts'
import type { Series } from './series.ts'

/** Columns that every feature of one timeframe is computed from. */
export interface Columns {
  readonly open: Float64Array
  readonly high: Float64Array
  readonly low: Float64Array
  readonly close: Float64Array
  /** All zero where volume features are off. */
  readonly volume: Float64Array
  /** Natural logarithms of open, high, low, close. */
  readonly logOpen: Float64Array
  readonly logHigh: Float64Array
  readonly logLow: Float64Array
  readonly logClose: Float64Array
  /** Log return of the close; 0 at the very first bar. */
  readonly ret: Float64Array
  /** Wilder's true range; high - low at the very first bar. */
  readonly trueRange: Float64Array
}

/** Columns to write; undefined where a feature is not wanted. */
export type Outputs = readonly (Float64Array | undefined)[]

/**
 * The last bars of a stream; the current bar is at index `at`, the bar before it at `at - 1`, and so on. There is always room for
 * the longest window: before the first bar lie zeros, and what is computed from them is masked by the warm-up.
 */
export interface Recent extends Columns {
  readonly at: number
  readonly time: number
  /** Columns that a family keeps of its own intermediate series. */
  readonly own: readonly Float64Array[]
}

/** One named feature. */
export interface FeatureDefinition {
  readonly name: string
  /** Bars after which the value depends on nothing older: from the `warmup`-th bar on it is there. */
  readonly warmup: number
}

/**
 * A family of features that share work, in two independent forms of the same definition: formulas, computed over whole columns,
 * and one bar over its window. Both look back at most `warmup` bars.
 */
export interface FeatureFamily {
  readonly features: readonly FeatureDefinition[]
  /** Whether it needs volume. @default false */
  readonly volume?: boolean
  /** Number of own series. @default 0 */
  readonly own?: number
  /** One formula a feature; absent where the features depend on the time alone. */
  formulas?(series: Series): readonly Expression[]
  /** Writes the columns that depend on the bars' times alone. */
  byTime?(time: Float64Array, out: Outputs): void
  push(bars: Recent, out: Float64Array, k: number): void
}
