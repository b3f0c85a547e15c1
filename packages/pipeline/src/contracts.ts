import type { EventSink, Snapshot } from '@regimen/core'
import type { Bar, Bars, Executor, PaperBar } from '@regimen/market'
import type { Challenger, Deployment } from './deployment.ts'
import type { Forecast } from './forecast.ts'
import type { Open } from './forecaster.ts'
import type { MarketModel } from './model.ts'
import type { Strategy } from './strategy.ts'

/** What a router says is in force; the router of `@regimen/regimes` gives it. */
export interface RouterDecision {
  /** Regime in force, −1 while sheltering. */
  readonly regime: number
  /** Weight of each strategy. */
  readonly weights: ArrayLike<number>
  readonly switched?: { readonly from: number; readonly to: number; readonly reason: string }
}

/** Routes the regime to weights of strategies. */
export interface StrategyRouter {
  predict(input: { readonly probabilities: ArrayLike<number>; readonly logScore?: number }): RouterDecision
  update(input: { readonly probabilities: ArrayLike<number>; readonly logScore?: number }): void
  snapshot(): Snapshot
}

/** What trades: a live executor, or one on paper that is shown each bar. */
export type PipelineExecutor = Executor & { advance?(bar: PaperBar): void }

/** What a training function may know. */
export interface TrainingContext {
  /** All bars up to now. */
  readonly history: Bars
  readonly row: number
  /** UTC epoch milliseconds. */
  readonly time: number
  /** The last live forecasts whose returns are known, oldest first, at most 1000: what a challenger is to be compared with. */
  readonly scores: readonly LiveScore[]
}

/** How a live forecast did. */
export interface LiveScore {
  /** Row at whose close it was made. */
  readonly row: number
  /** ln p of what came. */
  readonly logScore: number
  /** The same of N(0, scale²), which knows nothing but the recent volatility. */
  readonly baseline: number
}

/** Takes back a model whose live forecasts are worse than none. */
export interface GuardOptions {
  /** Live forecasts that count. From 1. @default 60 */
  window?: number
  /** The mean advantage in log score over N(0, scale²), in nats a bar, must not fall below this. */
  floor: number
}

/** Self-improvement on a schedule. */
export interface Improvement {
  /** Bars between trainings. From 1. */
  every: number
  /** Row of the first training. @default every */
  first?: number
  /** Trains a challenger on the past only; nothing where it is not worth while. */
  train(context: TrainingContext): Promise<Challenger | undefined>
  deployment: Deployment
  /** @default no guard */
  guard?: GuardOptions
}

/** Options of {@link openPipeline}. */
export interface PipelineOptions {
  /** Opens the trained model from a snapshot: the first one, a promoted challenger, or the one before. */
  model: Open<MarketModel>
  /** Snapshot of the model to begin with; its bars are those of `history`. */
  champion: Snapshot
  /** Version of the champion, as the deployment numbers them. @default 0 */
  version?: number
  /** Decide on positions. At least one. */
  strategies: readonly Strategy[]
  /** Weighs the strategies by regime. @default the first strategy alone */
  router?: Open<StrategyRouter>
  /** Opens what trades; it tells its orders and fills to `events`. */
  executor: (events: EventSink) => PipelineExecutor
  /** Name of what is traded. @default 'asset' */
  symbol?: string
  /** Milliseconds from a bar's open to its close. */
  interval: number
  /** Bars before the first live one, on which the champion was trained, at least one. */
  history: Bars
  /** Bars ahead that a forecast speaks of. From 1. @default 1 */
  horizon?: number
  /** Bars after the training part on which nothing is traded. From 0. @default 0 */
  embargo?: number
  improvement?: Improvement
  /** Hears of every decision. @default nobody */
  events?: EventSink
}

/** A forecast whose return has become known. */
export interface Scored {
  readonly row: number
  /** Log return that came. */
  readonly y: number
  /** ln p of it. */
  readonly logScore: number
  /** Probability that the forecast gave to returns up to it. */
  readonly below: number
}

/** What happened at the close of a bar. */
export interface Step {
  /** Bars before this one, the training part included. */
  readonly row: number
  /** UTC epoch milliseconds of the bar's open. */
  readonly time: number
  readonly equity: number
  /** Wanted position as a fraction of equity. */
  readonly target: number
  readonly forecast?: Forecast
  /** P(regime), empty while the model warms up. */
  readonly regimes: Float64Array
  /** Regime in force by the router, or the likeliest. */
  readonly regime: number
  readonly scored: readonly Scored[]
  /** Version of the model after this bar. */
  readonly version: number
}

/** A running pipeline. */
export interface Pipeline {
  /** Takes a closed bar: trades, learns, forecasts, decides, and improves itself where it is time. */
  step(bar: Bar): Promise<Step>
  /** Bars taken, the training part included. */
  readonly rows: number
  snapshot(): Promise<Snapshot>
  dispose(): Promise<void>
}
