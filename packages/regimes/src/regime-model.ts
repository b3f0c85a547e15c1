import type { Live, Snapshot } from '@regimen/core'

/**
 * A running detector of regimes: `update` folds in a bar, `filtered` says where the market is, `predictNext` where it will be.
 * Everything is causal. `predict(x)` answers what `filtered` would be if `x` came next, without learning it.
 */
export interface RegimeModel<X = ArrayLike<number> | number> extends Live<X, undefined, Float64Array> {
  /** Number of regimes. */
  readonly regimes: number
  /** P(regime | all updates so far). */
  readonly filtered: Float64Array
  /** P(regime h bars ahead | all updates so far). @default h = 1 */
  predictNext(h?: number): Float64Array
  /** ln p of the last update given those before; low for a market like none of the known regimes. NaN before the first. */
  readonly logScore: number
}

/** What opens a {@link RegimeModel}; also a `LiveFactory`. */
export interface RegimeFactory<Config, X = ArrayLike<number> | number> {
  readonly id: string
  readonly version: number
  open(from: Config | Snapshot): RegimeModel<X>
}
