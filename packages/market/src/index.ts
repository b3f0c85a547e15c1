export { alignByClose } from './align.ts'
export type { Bar, BarColumns, Bars } from './bars.ts'
export { closeTime, concatBars, createBars, sliceBars } from './bars.ts'
export type {
  FeatureInfo,
  FeatureRange,
  FeatureSet,
  FeatureSetOptions,
  FeatureStream,
  FeatureTable,
} from './features/feature-set.ts'
export { featureSet, featureStream } from './features/feature-set.ts'
export type { Interval } from './interval.ts'
export { parseInterval } from './interval.ts'
export type { BarStream, BarStreamOptions } from './live.ts'
export { openBarStream } from './live.ts'
export type { LoadCcxtOptions } from './load/ccxt.ts'
export { loadCcxt } from './load/ccxt.ts'
export type { LoadCsvOptions } from './load/csv.ts'
export { loadCsv } from './load/csv.ts'
export { gunzip } from './load/gunzip.ts'
export type { LoadParquetOptions } from './load/parquet.ts'
export { loadParquet } from './load/parquet.ts'
export type { LoadedBars, LoadOptions, RawBars } from './load/raw.ts'
export type { LoadRowsOptions } from './load/rows.ts'
export { loadRows } from './load/rows.ts'
export type { DateOrder, TimeUnit } from './load/time.ts'
export type { Panel, PanelOptions } from './panel.ts'
export { createPanel, panelBars } from './panel.ts'
export type { ResampleOptions } from './resample.ts'
export { resample } from './resample.ts'
export type { ScalerModel, ScalerOptions } from './scaler.ts'
export { fitScaler, scaleFeatures } from './scaler.ts'
export type { Calendar, TradingHours } from './validate/calendar.ts'
export type { RepairOptions, RepairPolicies } from './validate/repair.ts'
export { repairBars } from './validate/repair.ts'
export type { Gap, IssueKind, RepairAction, SplitJump, ValidationIssue, ValidationReport } from './validate/report.ts'
export type { ValidateOptions } from './validate/validate.ts'
export { validateBars } from './validate/validate.ts'
