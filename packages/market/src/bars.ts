/** Columns of price bars, oldest first, all of the same length. */
export interface Bars {
  /** UTC epoch milliseconds at which each bar opens; strictly increasing. A bar is known only at its close. */
  readonly time: Float64Array
  readonly open: Float64Array
  readonly high: Float64Array
  readonly low: Float64Array
  readonly close: Float64Array
  readonly volume?: Float64Array
  /** Milliseconds from a bar's open to its close. */
  readonly interval: number
}
