export { alignByClose } from './align.ts'
export { backtestEvents } from './backtest/events.ts'
export { backtestVectorized } from './backtest/vectorized.ts'
export { closeTime, concatBars, createBars, sliceBars } from './bars.ts'
export { paperExecutor } from './execution/paper-executor.ts'
export { featureSet, featureStream } from './features/feature-set.ts'
export { parseInterval } from './interval.ts'
export { openBarStream } from './live.ts'
export { loadCcxt } from './load/ccxt.ts'
export { loadCsv } from './load/csv.ts'
export { gunzip } from './load/gunzip.ts'
export { loadParquet } from './load/parquet.ts'
export { loadRows } from './load/rows.ts'
export { createPanel, panelBars } from './panel.ts'
export { resample } from './resample.ts'
export { fitScaler, scaleFeatures } from './scaler.ts'
export { blockBootstrap } from './simulate/block-bootstrap.ts'
export { forecastTargets } from './simulate/forecast-targets.ts'
export { preset, presetNames } from './simulate/presets.ts'
export { simulate } from './simulate/simulate.ts'
export { stylizedFacts } from './simulate/stylized-facts.ts'
export { trueFilter } from './simulate/true-filter.ts'
export { repairBars } from './validate/repair.ts'
export { validateBars } from './validate/validate.ts'

// Types.

export type { TradingCosts } from './backtest/costs.ts'
export type { DecisionContext, EventBacktestOptions, Strategy } from './backtest/events.ts'
export type { BacktestResult, CostTotals, Fill } from './backtest/result.ts'
export type { PositionRules, VectorizedBacktestOptions } from './backtest/vectorized.ts'
export type { Bar, BarColumns, Bars } from './bars.ts'
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
export type {
  FeatureInfo,
  FeatureRange,
  FeatureSet,
  FeatureSetOptions,
  FeatureStream,
  FeatureTable,
} from './features/feature-set.ts'
export type { Interval } from './interval.ts'
export type { BarStream, BarStreamOptions } from './live.ts'
export type { LoadCcxtOptions } from './load/ccxt.ts'
export type { LoadCsvOptions } from './load/csv.ts'
export type { LoadParquetOptions } from './load/parquet.ts'
export type { LoadedBars, LoadOptions, RawBars } from './load/raw.ts'
export type { LoadRowsOptions } from './load/rows.ts'
export type { DateOrder, TimeUnit } from './load/time.ts'
export type { Panel, PanelOptions } from './panel.ts'
export type { ResampleOptions } from './resample.ts'
export type { ScalerModel, ScalerOptions } from './scaler.ts'
export type { BlockBootstrapOptions } from './simulate/block-bootstrap.ts'
export type { ForecastTargetsOptions } from './simulate/forecast-targets.ts'
export type { MarketEvent } from './simulate/market-events.ts'
export type { GarchParameters, MarketParameters, RegimeParameters } from './simulate/parameters.ts'
export type { PresetName } from './simulate/presets.ts'
export type { SimulatedMarket, SimulateOptions } from './simulate/simulate.ts'
export type { StylizedFact, StylizedFactsOptions, StylizedFactsReport } from './simulate/stylized-facts.ts'
export type { TrueFilterOptions, TrueFilterResult } from './simulate/true-filter.ts'
export type { Calendar, TradingHours } from './validate/calendar.ts'
export type { RepairOptions, RepairPolicies } from './validate/repair.ts'
export type { Gap, IssueKind, RepairAction, SplitJump, ValidationIssue, ValidationReport } from './validate/report.ts'
export type { ValidateOptions } from './validate/validate.ts'
