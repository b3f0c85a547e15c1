export type { CostTotals } from './backtest/result.ts'
export type { BacktestResult, Fill } from './backtest/result.ts'
export type { TradingCosts } from './backtest/costs.ts'
export type { DecisionContext, EventBacktestOptions, Strategy } from './backtest/events.ts'
export { backtestEvents } from './backtest/events.ts'
export type { PositionRules, VectorizedBacktestOptions } from './backtest/vectorized.ts'
export { backtestVectorized } from './backtest/vectorized.ts'
export type { Bars } from './bars.ts'
export type {
  Account,
  ExecutionReport,
  Executor,
  Order,
  OrderRequest,
  Position,
  Protection,
} from './execution/executor.ts'
export type { BarPrices } from './execution/paper-broker.ts'
export type { PaperBar, PaperExecutor, PaperExecutorOptions } from './execution/paper-executor.ts'
export { paperExecutor } from './execution/paper-executor.ts'
export type { BlockBootstrapOptions } from './simulate/block-bootstrap.ts'
export { blockBootstrap } from './simulate/block-bootstrap.ts'
export type { ForecastTargetsOptions } from './simulate/forecast-targets.ts'
export { forecastTargets } from './simulate/forecast-targets.ts'
export type { MarketEvent } from './simulate/market-events.ts'
export type { GarchParameters, MarketParameters, RegimeParameters } from './simulate/parameters.ts'
export type { PresetName } from './simulate/presets.ts'
export { preset, presetNames } from './simulate/presets.ts'
export type { SimulatedMarket, SimulateOptions } from './simulate/simulate.ts'
export { simulate } from './simulate/simulate.ts'
export type { StylizedFact, StylizedFactsOptions, StylizedFactsReport } from './simulate/stylized-facts.ts'
export { stylizedFacts } from './simulate/stylized-facts.ts'
export type { TrueFilterOptions, TrueFilterResult } from './simulate/true-filter.ts'
export { trueFilter } from './simulate/true-filter.ts'
