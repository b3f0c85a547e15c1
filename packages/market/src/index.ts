export { alignByClose } from './align.ts'
export { backtestEvents } from './backtest/events.ts'
export { backtestVectorized } from './backtest/vectorized.ts'
export { closeTime, concatBars, createBars, sliceBars } from './bars.ts'
export { openDelayedLabels } from './delayed-labels.ts'
export { paperExecutor } from './execution/paper-executor.ts'
export { featureSet, featureStream } from './features/feature-set.ts'
export { parseInterval } from './interval.ts'
export { labelBars } from './labels/label-bars.ts'
export { openBarStream } from './live.ts'
export { loadCcxt } from './load/ccxt.ts'
export { loadCsv, loadCsvStream } from './load/csv.ts'
export { gunzip } from './load/gunzip.ts'
export { loadParquet } from './load/parquet.ts'
export { loadRows } from './load/rows.ts'
export { bootstrapInterval } from './metrics/bootstrap.ts'
export { deflatedSharpe, probabilisticSharpe } from './metrics/deflated-sharpe.ts'
export {
  brierScore,
  calibration,
  crpsEnsemble,
  crpsGaussian,
  crpsStudentT,
  directionalAccuracy,
  logScoreGaussian,
  logScoreStudentT,
  pitReport,
} from './metrics/forecast.ts'
export { backtestOverfitting } from './metrics/overfitting.ts'
export {
  annualReturn,
  calmar,
  maxDrawdown,
  profitFactor,
  sharpe,
  sortino,
  tailRatio,
  winRate,
} from './metrics/performance.ts'
export { openReward } from './metrics/reward.ts'
export { summarize } from './metrics/summary.ts'
export { roundTrips } from './metrics/trades.ts'
export { createPanel, panelBars } from './panel.ts'
export { resample } from './resample.ts'
export { fitScaler, scaleFeatures } from './scaler.ts'
export { blockBootstrap } from './simulate/block-bootstrap.ts'
export { forecastTargets } from './simulate/forecast-targets.ts'
export { preset, presetNames } from './simulate/presets.ts'
export { simulate } from './simulate/simulate.ts'
export { stylizedFacts } from './simulate/stylized-facts.ts'
export { trueFilter } from './simulate/true-filter.ts'
export { combinatorialPurged } from './splits/combinatorial.ts'
export { purgedKFold } from './splits/purged-k-fold.ts'
export { walkForward } from './splits/walk-forward.ts'
export { repairBars } from './validate/repair.ts'
export { validateBars } from './validate/validate.ts'

// Types.

export type { TradingCosts } from './backtest/costs.ts'
export type { DecisionContext, EventBacktestOptions, Strategy } from './backtest/events.ts'
export type { BacktestResult, CostTotals, Fill, Tradable } from './backtest/result.ts'
export type { PositionRules, VectorizedBacktestOptions } from './backtest/vectorized.ts'
export type { Bar, BarColumns, Bars } from './bars.ts'
export type { DelayedLabels, DelayedLabelsOptions, DelayedLabelsState, LabelledSample } from './delayed-labels.ts'
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
  FeatureStreamFactory,
  FeatureTable,
} from './features/feature-set.ts'
export type { Interval } from './interval.ts'
export type { LabelOptions, Labels } from './labels/label-bars.ts'
export type { LabelBar, LabelRule } from './labels/rules.ts'
export type { BarStream, BarStreamOptions } from './live.ts'
export type { LoadCcxtOptions } from './load/ccxt.ts'
export type { LoadCsvOptions } from './load/csv.ts'
export type { LoadParquetOptions } from './load/parquet.ts'
export type { LoadedBars, LoadOptions, RawBars } from './load/raw.ts'
export type { LoadRowsOptions } from './load/rows.ts'
export type { DateOrder, TimeUnit } from './load/time.ts'
export type { BootstrapInterval, BootstrapIntervalOptions } from './metrics/bootstrap.ts'
export type { DeflatedSharpeOptions, ProbabilisticSharpeOptions, SharpeEvidence } from './metrics/deflated-sharpe.ts'
export type { CalibrationBin, CalibrationReport, PitReport, StudentTForecast } from './metrics/forecast.ts'
export type { OverfittingOptions, OverfittingReport } from './metrics/overfitting.ts'
export type { AnnualOptions, Drawdown } from './metrics/performance.ts'
export type { Reward, RewardOptions, RewardState } from './metrics/reward.ts'
export type { PerformanceSummary } from './metrics/summary.ts'
export type { RoundTrip } from './metrics/trades.ts'
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
export type { CombinatorialOptions, CombinatorialSplit, CombinatorialSplits } from './splits/combinatorial.ts'
export type { PurgedKFoldOptions } from './splits/purged-k-fold.ts'
export type { LabelSpans, Split } from './splits/split.ts'
export type { WalkForwardOptions } from './splits/walk-forward.ts'
export type { Calendar, TradingHours } from './validate/calendar.ts'
export type { RepairOptions, RepairPolicies } from './validate/repair.ts'
export type { Gap, IssueKind, RepairAction, SplitJump, ValidationIssue, ValidationReport } from './validate/report.ts'
export type { ValidateOptions } from './validate/validate.ts'
